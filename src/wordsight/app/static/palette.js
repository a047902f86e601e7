// Colours and shapes: eight colours that differ for every kind of colour blindness (Okabe and Ito,
// 2008), and another shape for every further eight classes.

import { svg } from "./dom.js";

const OKABE_ITO = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];
const EIGHTH = { light: "#3b3f45", dark: "#d7dade" };  // black on white; light on dark
const SHAPES = ["circle", "square", "triangle", "down", "cross", "hexagon"];

/** "light" or "dark": what is shown now. */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

/** The look of the k-th class: `{ fill, shape }`. */
export function look(k) {
  const colours = [...OKABE_ITO, EIGHTH[theme()]];
  return { fill: colours[k % 8], shape: SHAPES[Math.floor(k / 8) % SHAPES.length] };
}

/** What has no class, or is of no seen class. */
export const unlabelled = () => ({ fill: theme() === "dark" ? "#8d939b" : "#9aa0a8", shape: "circle" });
export const ordinaryLook = () => ({ fill: OKABE_ITO[0], shape: "circle" });
export const novelLook = () => ({ fill: OKABE_ITO[5], shape: "circle" });

/** A CSS custom property's value now. */
export const token = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** "#14161a" as [20, 22, 26]. */
export const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

/** Corners of a shape round (0, 0) within radius 1; null for the circle. */
function outline(shape) {
  const turn = (n, start) =>
    Array.from({ length: n }, (_, k) => {
      const angle = start + (2 * Math.PI * k) / n;
      return [Math.sin(angle), -Math.cos(angle)];
    });
  switch (shape) {
    case "square": return turn(4, Math.PI / 4);
    case "triangle": return turn(3, 0);
    case "down": return turn(3, Math.PI);
    case "hexagon": return turn(6, 0);
    case "diamond": return turn(4, 0);
    case "star": return turn(10, 0).map(([x, y], k) => (k % 2 ? [x * 0.45, y * 0.45] : [x, y]));
    case "cross": {
      const a = 0.36;
      return [[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a], [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]];
    }
    default: return null;
  }
}

/** Trace a shape on a canvas. */
export function trace(context, shape, x, y, radius) {
  context.beginPath();
  const corners = outline(shape);
  if (!corners) context.arc(x, y, radius, 0, 2 * Math.PI);
  else {
    corners.forEach(([dx, dy], k) => context[k ? "lineTo" : "moveTo"](x + dx * radius, y + dy * radius));
    context.closePath();
  }
}

/** A marker for a legend. */
export function swatch({ fill, shape, hollow = false }, size = 14) {
  const corners = outline(shape);
  const paint = hollow ? { fill: "none", stroke: fill, "stroke-width": 0.45 } : { fill, class: "edge", "stroke-width": 0.18 };
  const figure = corners
    ? svg("polygon", { points: corners.map((p) => p.map((v) => v * 0.85).join(",")).join(" "), ...paint })
    : svg("circle", { r: 0.78, ...paint });
  return svg("svg", { viewBox: "-1.1 -1.1 2.2 2.2", width: size, height: size, class: "swatch", "aria-hidden": "true" }, figure);
}
