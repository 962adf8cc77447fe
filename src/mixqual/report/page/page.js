// The page's own script: its look, the choice of models, the confusion matrix.
"use strict";
(() => {
  const { data, drawAll, drawCost, showChosen, systemDark, theme } = charts;

  // ---- look

  function nameThemeButton() {
    document.getElementById("theme").textContent = theme() === "dark" ? "Light" : "Dark";
  }

  function turnTheme() {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    nameThemeButton();
    drawAll();
  }

  // ---- choice of models

  function choose(which) {
    for (const box of document.querySelectorAll("input[name=model]")) {
      box.checked = which === "all" || (which === "main" && data.models[box.value].shown);
    }
    showChosen();
  }

  // ---- confusion matrix

  function fillLevels() {
    const distortion = document.getElementById("confusion-distortion").value;
    const { levels, unit } = data.confusion.distortions.find(({ name }) => name === distortion);
    document
      .getElementById("confusion-level")
      .replaceChildren(...levels.map((level) => new Option(`${level} ${unit}`, level)));
  }

  function showConfusion() {
    const [model, distortion, level] = ["model", "distortion", "level"].map((part) =>
      document.getElementById(`confusion-${part}`),
    );
    const matrix = data.confusion.matrices[model.value][distortion.value][level.value];
    const words = [model, distortion, level].map((list) => list.selectedOptions[0].text);
    document.getElementById("confusion-caption").textContent = `${words[0]}, ${words[1]} ${words[2]}`;
    [...document.getElementById("confusion-matrix").tBodies[0].rows].forEach((row, truth) => {
      const total = matrix[truth].reduce((sum, count) => sum + count, 0) || 1;
      matrix[truth].forEach((count, said) => {
        const cell = row.cells[said + 1];
        cell.style.setProperty("--share", String(count / total));
        cell.children[0].textContent = String(+count.toPrecision(6));
        cell.children[1].textContent = `${((100 * count) / total).toFixed(0)} %`;
      });
    });
  }

  // ---- begin

  nameThemeButton();
  document.getElementById("theme").addEventListener("click", turnTheme);
  systemDark.addEventListener("change", () => {
    nameThemeButton();
    drawAll();
  });
  for (const box of document.querySelectorAll("input[name=model]")) {
    box.addEventListener("change", showChosen);
  }
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => choose(button.dataset.choose));
  }
  for (const radio of document.querySelectorAll("input[name=cost-axis]")) {
    radio.addEventListener("change", drawCost);
  }
  if (data.confusion) {
    document.getElementById("confusion-distortion").addEventListener("change", fillLevels);
    for (const list of document.querySelectorAll(".choices select")) {
      list.addEventListener("change", showConfusion);
    }
  }
  drawAll();
  new ResizeObserver(drawCost).observe(document.getElementById("cost-chart"));
})();
