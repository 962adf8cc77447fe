// Tables that are sorted by their headings, and what is folded on paper.
"use strict";
(() => {
  document.documentElement.classList.add("js");

  // ---- tables

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  function comparator(kind, place, sign) {
    return (a, b) => {
      const [x, y] = [a, b].map((row) => row.cells[place].dataset.key);
      if (x === "" || y === "") return (x === "") - (y === ""); // what is missing stays last
      const order = kind === "number" ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true });
      return sign * order;
    };
  }

  function sortBy(table, heading, rows) {
    const order = NEXT[heading.getAttribute("aria-sort") || "none"];
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    table.toggleAttribute("data-sorted", order !== "none");
    const sorted = [...rows];
    if (order !== "none") {
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      sorted.sort(comparator(heading.dataset.kind, heading.cellIndex, sign));
    }
    table.tBodies[0].append(...sorted);
  }

  function makeSortable(table) {
    const rows = [...table.tBodies[0].rows];
    for (const heading of table.tHead.rows[0].cells) {
      heading.firstElementChild.addEventListener("click", () => sortBy(table, heading, rows));
    }
  }

  // ---- paper

  // What is folded is printed too, and folded again after that.
  function unfoldForPrint() {
    const folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
    const fold = () => folded.forEach((each) => (each.open = false));
    window.addEventListener("afterprint", fold, { once: true });
  }

  // ---- begin

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  window.addEventListener("beforeprint", unfoldForPrint);
})();
