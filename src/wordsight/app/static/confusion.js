// The confusion matrix: a table where it can be read, a picture where there are too many classes.

import { count, h } from "./dom.js";
import { token } from "./palette.js";

const MOST_ROWS = 32;
const N_HARDEST = 10;
const MANY_ROWS = 14;  // from here on the table has a line of its own, and small cells

/** Build the matrix once; gives a function that takes new counts. */
export function buildConfusion(holder, table, classes) {
  const columns = classes.map((one) => one.name);
  if (table.columns > table.k) columns.push("novel");
  holder.closest(".gate-grid").classList.toggle("wide", table.k > MANY_ROWS);
  return table.k <= MOST_ROWS ? asTable(holder, table, classes, columns) : asPicture(holder, table, classes, columns);
}

function asTable(holder, table, classes, columns) {
  const nSeen = classes.filter((one) => one.kind === "seen").length;
  const side = (k) => (k === nSeen ? "first-unseen" : "");
  const cells = [];
  const rows = classes.map((one, r) => h("tr", { class: side(r) },
    h("th", { scope: "row" }, one.name),
    columns.map((name, c) => {
      const cell = h("td", { class: side(c), title: `${one.name} taken for ${name}` });
      cells.push(cell);
      return cell;
    })));
  holder.replaceChildren(h("table", { class: table.k > MANY_ROWS ? "dense" : "" },
    h("caption", { class: "visually-hidden" }, "Images by true class (rows) and predicted class (columns)"),
    h("thead", {}, h("tr", {}, h("td", {}), columns.map((name, c) => h("th", { scope: "col", class: side(c) }, h("span", {}, name))))),
    h("tbody", {}, rows)));
  const before = new Int32Array(cells.length).fill(-1);
  return ({ confusion }) => {
    for (let j = 0; j < cells.length; j++) {
      if (confusion[j] === before[j]) continue;
      before[j] = confusion[j];
      const total = table.perClass[Math.floor(j / columns.length)];
      const share = total ? confusion[j] / total : 0;
      const cell = cells[j];
      cell.textContent = confusion[j] ? count(confusion[j]) : total ? "·" : "";
      // middling shades carry neither dark nor light text well, and are left out
      cell.classList.toggle("strong", share >= 0.5);
      cell.style.setProperty("--mix", `${share >= 0.5 ? 82 + 18 * (share - 0.5) * 2 : share * 70}%`);
    }
  };
}

function asPicture(holder, table, classes, columns) {
  const side = Math.max(2, Math.floor(Math.min(holder.clientWidth || 400, 480) / columns.length));
  const canvas = h("canvas", { role: "img", "aria-label": "Confusion matrix; its largest entries are named below",
    width: columns.length * side, height: table.k * side });
  const name = h("p", { class: "note" }, "Point at a cell for its classes.");
  let now = null;
  canvas.addEventListener("pointermove", (event) => {
    const c = Math.floor(event.offsetX / side), r = Math.floor(event.offsetY / side);
    if (now && r < table.k && c < columns.length) {
      name.textContent = `${classes[r].name} taken for ${columns[c]}: ${count(now[r * columns.length + c])}`;
    }
  });
  holder.replaceChildren(canvas, name);
  return ({ confusion }) => {
    now = confusion;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = token("--heat");
    for (let r = 0; r < table.k; r++) {
      for (let c = 0; c < columns.length; c++) {
        const share = table.perClass[r] ? confusion[r * columns.length + c] / table.perClass[r] : 0;
        if (!share) continue;
        context.globalAlpha = Math.max(0.08, share);
        context.fillRect(c * side, r * side, side, side);
      }
    }
    context.globalAlpha = 1;
  };
}

/** The classes that are recognised least, with their accuracies. */
export function hardest({ confusion }, table, classes) {
  return classes
    .map((one, c) => [one, table.perClass[c] ? confusion[c * table.columns + c] / table.perClass[c] : 1])
    .sort((a, b) => a[1] - b[1])
    .slice(0, N_HARDEST);
}

/** The three commonest mistakes, in words. */
export function worst({ confusion }, table, classes) {
  const found = [];
  for (let j = 0; j < confusion.length; j++) {
    const r = Math.floor(j / table.columns), c = j % table.columns;
    if (r !== c && confusion[j]) found.push([confusion[j], r, c]);
  }
  found.sort((a, b) => b[0] - a[0]);
  const name = (c) => classes[c]?.name ?? "novel";
  return found.slice(0, 3).map(([n, r, c]) => `${name(r)} taken for ${name(c)} (${count(n)})`).join(", ");
}
