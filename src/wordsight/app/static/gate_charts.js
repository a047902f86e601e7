// The two drawings of the gate: how scores are spread, and seen against unseen accuracy.

import { count, fill, h, percent, svg } from "./dom.js";
import { histogram } from "./gate_counts.js";

const BINS = 64;
const INSET = 9;  // half of the slider's thumb: the drawing and the slider agree on where a score is

/** Draw once how scores are spread; gives a function that moves the line. */
export function drawHistogram(holder, key, table, range, marks) {
  const width = Math.max(240, holder.clientWidth), height = 170, bottom = height - 22;
  const [low, high] = range;
  const x = (value) => INSET + (Math.max(0, Math.min(1, (value - low) / (high - low)))) * (width - 2 * INSET);
  const isUnseen = (t) => t >= 0 && table.isUnseen[t];
  const kinds = [
    ["images of seen classes", "seen", histogram(table, range, BINS, (t) => t >= 0 && !isUnseen(t))],
    ["images of unseen classes", "unseen", histogram(table, range, BINS, isUnseen)],
    ["images of other or no class", "other", histogram(table, range, BINS, (t) => t < 0)],
  ].filter(([, , { n }]) => n > 0);
  const top = Math.max(...kinds.flatMap(([, , { shares }]) => [...shares])) || 1;
  const y = (share) => bottom - (share / top) * (bottom - 30);
  const area = (shares) => {
    const step = (width - 2 * INSET) / BINS;
    let path = `M${INSET},${bottom}`;
    shares.forEach((share, k) => { path += `V${y(share).toFixed(1)}H${(INSET + (k + 1) * step).toFixed(1)}`; });
    return `${path}V${bottom}Z`;
  };
  const ground = svg("rect", { class: "novel-side", y: 22, height: bottom - 22 });
  const line = svg("line", { class: "threshold", y1: 16, y2: bottom });
  const side = svg("text", { class: "side-label", y: 14, "text-anchor": "start" }, "novel →");
  const other = svg("text", { class: "side-label", y: 14, "text-anchor": "end" }, "← ordinary");
  const figure = svg("svg", { width, height, role: "img", "aria-label": `Novelty scores: ${kinds.map(([name, , { n }]) => `${n} ${name}`).join(", ")}` },
    svg("defs", {}, svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 }))),
    ground,
    kinds.map(([, kind, { shares }]) => svg("path", { class: `area ${kind}`, d: area(shares) })),
    svg("line", { class: "axis", x1: INSET, x2: width - INSET, y1: bottom, y2: bottom }),
    ticks(low, high).map((value) => svg("text", { class: "tick", x: x(value), y: height - 6, "text-anchor": "middle" }, tickText(value))),
    marks.map(({ value, kind, label }) => svg("g", { class: `mark ${kind}`, transform: `translate(${x(value)},${bottom})` },
      svg("path", { d: kind === "best" ? "M0,-7 5,2 -5,2Z" : "M0,-6 5,0 0,6 -5,0Z" }), svg("title", {}, label))),
    line, side, other);
  holder.replaceChildren(figure);
  fill(key, kinds.map(keyOf));
  return (threshold) => {
    const at = x(threshold);
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
    ground.setAttribute("x", at);
    ground.setAttribute("width", Math.max(0, width - INSET - at));
    side.setAttribute("x", at + 5);
    other.setAttribute("x", at - 5);
    side.classList.toggle("hidden", at > width - 60);
    other.classList.toggle("hidden", at < 75);
  };
}

const keyOf = ([name, kind, { n }]) => h("li", {},
  svg("svg", { width: 16, height: 12, "aria-hidden": "true" }, svg("rect", { class: `area ${kind}`, x: 1, y: 1, width: 14, height: 10 })),
  `${count(n)} ${name}`);

/** About six round numbers between two ends. */
function ticks(low, high) {
  const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step + 0.25); k * step <= high - step * 0.25; k++) found.push(k * step);
  return found;
}

const tickText = (value) => String(Number(value.toPrecision(6))).replace("-", "−");

/** Draw once the seen–unseen curve; gives a function that moves the point. */
export function drawCurve(holder, curve, operating) {
  const size = Math.max(220, Math.min(420, holder.clientWidth)), left = 46, right = 12, top = 12, bottom = 40;
  const x = (seen) => left + seen * (size - left - right);
  const y = (unseen) => size - bottom - unseen * (size - top - bottom);
  let path = "";
  curve.seen.forEach((seen, k) => { path += `${k ? "L" : "M"}${x(seen).toFixed(1)},${y(curve.unseen[k]).toFixed(1)}`; });
  const grid = [0, 0.25, 0.5, 0.75, 1];
  const here = svg("circle", { class: "here", r: 8 });
  const guides = svg("path", { class: "guide" });
  const figure = svg("svg", { width: size, height: size, role: "img",
    "aria-label": `Seen–unseen curve; area ${curve.area.toFixed(3)}, best harmonic mean ${percent(curve.best.harmonic_mean, 1)}` },
  grid.map((v) => svg("g", {},
    svg("line", { class: "grid", x1: x(v), x2: x(v), y1: y(0), y2: y(1) }),
    svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(v), y2: y(v) }),
    svg("text", { class: "tick", x: x(v), y: size - bottom + 16, "text-anchor": "middle" }, `${v * 100}`),
    svg("text", { class: "tick", x: left - 7, y: y(v) + 4, "text-anchor": "end" }, `${v * 100}`))),
  [0.2, 0.4, 0.6, 0.8].map((level) => svg("g", {}, svg("path", { class: "level", d: levelPath(level, x, y) }),
    svg("text", { class: "level-label", x: x(level) - 3, y: y(level) + 4, "text-anchor": "end" }, `H ${level * 100}`))),
  svg("text", { class: "tick", x: x(0.5), y: size - 4, "text-anchor": "middle" }, "seen accuracy, %"),
  svg("text", { class: "tick", transform: `translate(12,${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, "unseen accuracy, %"),
  svg("path", { class: "curve", d: path }),
  guides,
  mark(x(curve.best.seen), y(curve.best.unseen), "best", "M0,-8 7,5 -7,5Z", "best harmonic mean"),
  operating.seen === null || operating.unseen === null ? null
    : mark(x(operating.seen), y(operating.unseen), "in-use", "M0,-8 7,0 0,8 -7,0Z", "threshold in use"),
  here);
  holder.replaceChildren(figure);
  return ({ onSeen, onUnseen }) => {
    if (onSeen === null || onUnseen === null) return;
    here.setAttribute("cx", x(onSeen));
    here.setAttribute("cy", y(onUnseen));
    guides.setAttribute("d", `M${x(onSeen)},${y(0)}V${y(onUnseen)}H${x(0)}`);
  };
}

const mark = (x, y, kind, d, label) =>
  svg("g", { class: `mark ${kind}`, transform: `translate(${x},${y})` }, svg("path", { d }), svg("title", {}, label));

/** Points of the same harmonic mean H: y = Hx / (2x − H). */
function levelPath(level, x, y) {
  let path = "";
  for (let k = 0; k <= 40; k++) {
    const a = level / (2 - level) + (k / 40) * (1 - level / (2 - level));
    path += `${k ? "L" : "M"}${x(a).toFixed(1)},${y(Math.min(1, (level * a) / (2 * a - level))).toFixed(1)}`;
  }
  return path;
}
