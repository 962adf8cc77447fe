// The charts of the page, in the look and with the models that are chosen.
"use strict";
const charts = (() => {
  const root = document.documentElement;
  root.classList.add("js");
  const data = JSON.parse(document.getElementById("data").textContent);
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

  const theme = () => root.dataset.theme || (systemDark.matches ? "dark" : "light");

  function resolved(variable) {
    const probe = document.createElement("span");
    probe.style.color = `var(${variable})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  // What plotly would take for markup in a name is shown as it is written.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const looks = (model) => data.models[model];
  const colourOf = (model) => looks(model).colour[theme()];
  const chosen = () =>
    new Set([...document.querySelectorAll("input[name=model]:checked")].map((box) => box.value));

  function faded(colour, opacity) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${opacity})`;
  }

  function layout(x, y) {
    const grid = { gridcolor: resolved("--grid"), linecolor: resolved("--line"), zeroline: false };
    const axis = { ...grid, fixedrange: true, ticks: "", automargin: true };
    return {
      margin: { l: 48, r: 14, t: 10, b: 46 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      dragmode: false,
      font: { family: getComputedStyle(root).fontFamily, size: 13, color: resolved("--text") },
      hoverlabel: {
        bgcolor: resolved("--surface"),
        bordercolor: resolved("--line"),
        font: { color: resolved("--text"), size: 12 },
        namelength: -1,
      },
      xaxis: { ...axis, ...x },
      yaxis: { ...axis, ...y },
    };
  }

  // The unit goes below where there is no room beside.
  const NARROW = 420;
  const axisTitle = (chart, element) =>
    plain(element.clientWidth < NARROW ? chart.axis.replace(" (", "\n(") : chart.axis).replace("\n", "<br>");

  function levelAxis(chart, element) {
    const [first, last] = [chart.levels[0], chart.levels.at(-1)];
    const edge = 0.025 * (last - first);
    return { title: { text: axisTitle(chart, element), standoff: 8 }, range: [first - edge, last + edge] };
  }

  function band(chart, model, low, high) {
    return {
      x: [...chart.levels, ...[...chart.levels].reverse()],
      y: [...high, ...[...low].reverse()],
      fill: "toself",
      fillcolor: faded(colourOf(model), 0.13),
      line: { width: 0 },
      mode: "lines",
      hoverinfo: "skip",
      meta: { model, part: "band" },
    };
  }

  function curve(chart, model, values) {
    return {
      x: chart.levels,
      y: values,
      mode: "lines+markers",
      name: plain(looks(model).label),
      line: { color: colourOf(model), width: 2, dash: looks(model).dash },
      marker: {
        symbol: looks(model).symbol,
        size: 7.5,
        color: colourOf(model),
        line: { color: resolved("--surface"), width: 1 },
      },
      meta: { model, part: "curve" },
    };
  }

  function drawAccuracy(chart, index) {
    const models = chosen();
    const traces = chart.series.flatMap(({ model, values, low, high }) => [
      { ...band(chart, model, low, high), visible: models.has(model) },
      {
        ...curve(chart, model, values),
        visible: models.has(model),
        customdata: low.map((end, at) => [end, high[at]]),
        hovertemplate: "%{y:.1%} [%{customdata[0]:.1%}, %{customdata[1]:.1%}]",
      },
    ]);
    const y = { title: { text: "Accuracy" }, range: [0, 1], tickformat: ".0%", dtick: 0.2 };
    const element = document.getElementById(`accuracy-chart-${index}`);
    const form = { ...layout(levelAxis(chart, element), y), hovermode: "x unified" };
    return Plotly.react(element, traces, form, still);
  }

  function drawWeights(chart, index) {
    const clip = (value) => Math.min(1, Math.max(0, value));
    const traces = chart.series.flatMap(({ model, optimal, mean, std }) => [
      band(
        chart,
        model,
        mean.map((value, at) => clip(value - std[at])),
        mean.map((value, at) => clip(value + std[at])),
      ),
      {
        ...curve(chart, model, mean),
        mode: "lines",
        name: `gate, ${plain(looks(model).label)}`,
        customdata: std,
        hovertemplate: "%{y:.3f} ± %{customdata:.3f}",
      },
      {
        ...curve(chart, model, optimal),
        mode: "markers",
        name: `optimal, ${plain(looks(model).label)}`,
        marker: {
          symbol: looks(model).symbol,
          size: 9,
          color: resolved("--surface"),
          line: { color: colourOf(model), width: 2 },
        },
        hovertemplate: "%{y:.3f}",
        meta: { model, part: "optimal" },
      },
    ]);
    const y = { title: { text: "Weight in the mixture" }, range: [-0.03, 1.03], dtick: 0.2 };
    const element = document.getElementById(`weights-chart-${index}`);
    const form = { ...layout(levelAxis(chart, element), y), hovermode: "x unified" };
    return Plotly.react(element, traces, form, still);
  }

  // Names are put beside points, those of chosen models first, where they cover no other name.
  function placedNames(points, models, field, width, height, range, top) {
    const scaleX = (width - 70) / top;
    const scaleY = (height - 60) / (range[1] - range[0]);
    const taken = points.map((point) => {
      const [x, y] = [point[field] * scaleX, -point.auc * scaleY];
      return [x - 5, y - 5, x + 5, y + 5];
    });
    const placed = new Map();
    const order = [...points].sort((a, b) => models.has(b.model) - models.has(a.model));
    for (const point of order) {
      const long = 7.2 * looks(point.model).label.length;
      const [x, y] = [point[field] * scaleX, -point.auc * scaleY];
      const right = [x + 8, y - 8, x + 8 + long, y + 8];
      const left = [x - 8 - long, y - 8, x - 8, y + 8];
      const fits = (box) =>
        box[0] > 0 &&
        box[2] < width - 60 &&
        taken.every((o) => box[2] < o[0] || o[2] < box[0] || box[3] < o[1] || o[3] < box[1]);
      const side = fits(right) ? "middle right" : fits(left) ? "middle left" : "";
      if (side) {
        placed.set(point.model, side);
        taken.push(side === "middle right" ? right : left);
      }
    }
    return placed;
  }

  function drawCost() {
    const place = document.getElementById("cost-chart");
    const field = document.querySelector("input[name=cost-axis]:checked").value;
    const title = data.cost.axes.find((axis) => axis.field === field).title;
    const { points } = data.cost;
    const models = chosen();
    const low = Math.min(...points.map((point) => point.low));
    const high = Math.max(...points.map((point) => point.high));
    const range = [low - 0.06 * (high - low), high + 0.06 * (high - low)];
    const top = 1.12 * Math.max(...points.map((point) => point[field]));
    const size = [place.clientWidth, place.clientHeight];
    const names = placedNames(points, models, field, ...size, range, top);
    const traces = points.map((point) => {
      const strong = models.has(point.model);
      const label = plain(looks(point.model).label);
      return {
        x: [point[field]],
        y: [point.auc],
        error_y: {
          type: "data",
          symmetric: false,
          array: [point.high - point.auc],
          arrayminus: [point.auc - point.low],
          color: faded(colourOf(point.model), strong ? 0.9 : 0.35),
          thickness: 1.2,
          width: 3,
        },
        mode: "markers+text",
        text: [names.has(point.model) ? label : ""],
        textposition: names.get(point.model) || "middle right",
        textfont: { size: 12, color: resolved(strong ? "--text" : "--quiet") },
        cliponaxis: false,
        name: label,
        marker: {
          symbol: looks(point.model).symbol,
          size: strong ? 11 : 9,
          color: strong ? colourOf(point.model) : faded(colourOf(point.model), 0.65),
          line: { color: resolved("--surface"), width: 1 },
        },
        customdata: [[point.low, point.high, plain(point.branch && `, ${point.branch}`)]],
        hovertemplate:
          `<b>${label}</b>%{customdata[2]}<br>AUC %{y:.3f} [%{customdata[0]:.3f}, ` +
          `%{customdata[1]:.3f}]<br>${title}: %{x:.4~g}<extra></extra>`,
        meta: { model: point.model, part: "cost" },
      };
    });
    const x = { title: { text: title, standoff: 8 }, range: [0, top] };
    const y = { title: { text: "Average AUC" }, range };
    return Plotly.react(place, traces, { ...layout(x, y), hovermode: "closest" }, still);
  }

  function drawAll() {
    data.accuracy.forEach(drawAccuracy);
    data.weights.forEach(drawWeights);
    drawCost();
  }

  function showChosen() {
    const models = chosen();
    data.accuracy.forEach((chart, index) => {
      const visible = chart.series.flatMap(({ model }) => [models.has(model), models.has(model)]);
      Plotly.restyle(`accuracy-chart-${index}`, { visible });
    });
    drawCost();
  }

  return { data, drawAll, drawCost, showChosen, systemDark, theme };
})();
