// The gate: a threshold on the novelty score, and at once what it does to every image.

import { api } from "./api.js";
import { buildConfusion, hardest, worst } from "./confusion.js";
import { alertIn, bar, byId, count, debounced, fill, h, percent, score } from "./dom.js";
import { drawCurve, drawHistogram } from "./gate_charts.js";
import { countAt, prepare, range } from "./gate_counts.js";
import { on, reloadGate, setSession, state } from "./store.js";

const STEPS = 1000;
let table = null, limits = [0, 1], threshold = 0, drawnWidth = 0;
let moveLine = () => {}, movePoint = () => {}, fillConfusion = () => {};

export function startGate() {
  const slider = byId("gate-slider");
  slider.addEventListener("input", () => {
    const [low, high] = limits;
    setThreshold(low + (slider.value / STEPS) * (high - low));
  });
  byId("gate-number").addEventListener("change", (event) => {
    const value = event.target.valueAsNumber;
    if (Number.isFinite(value)) setThreshold(value);
    else showNumber();
  });
  byId("gate-best").addEventListener("click", () => setThreshold(state.gate.curve.best.threshold));
  byId("gate-use").addEventListener("click", () => keep(threshold));
  byId("gate-back").addEventListener("click", () => keep(null));
  on("gate", build);
  on("theme", () => table && setThreshold(threshold, { quiet: true }));
  const width = () => byId("gate-histogram").clientWidth;
  const resized = debounced(() => table && shown() && width() !== drawnWidth && build({ stay: true }), 120);
  new ResizeObserver(resized).observe(byId("gate-histogram"));
}

const shown = () => !byId("view-gate").hidden;

/** The view is opened: fetch what it needs the first time. */
export async function openGate() {
  if (state.gate || !state.session.data) {
    if (state.session.data && !table) build();
    return;
  }
  try {
    alertIn(byId("gate-error"), "");
    await reloadGate();
  } catch (error) {
    alertIn(byId("gate-error"), error.message);
  }
}

function build({ stay = false } = {}) {
  if (!shown()) {
    table = null;  // drawings need their width: built when the view is opened
    return;
  }
  const { gate } = state;
  const { classes } = state.session;
  byId("gate-body").hidden = false;
  table = prepare(gate, classes);
  drawnWidth = byId("gate-histogram").clientWidth;
  if (!stay) threshold = gate.threshold;
  const marks = [{ value: gate.threshold, kind: "in-use", label: "threshold in use" }];
  if (gate.curve) marks.push({ value: gate.curve.best.threshold, kind: "best", label: "best harmonic mean" });
  limits = range(table, marks.map((mark) => mark.value));
  moveLine = drawHistogram(byId("gate-histogram"), byId("gate-key"), table, limits, marks);
  byId("gate-curve-panel").hidden = !gate.curve;
  byId("gate-best").hidden = !gate.curve;
  byId("gate-confusion-panel").hidden = !gate.truth.some((t) => t >= 0);
  fillConfusion = buildConfusion(byId("gate-confusion"), table, classes);
  movePoint = () => {};
  if (gate.curve) {
    const operating = countAt(table, gate.threshold);
    movePoint = drawCurve(byId("gate-curve"), gate.curve, { seen: operating.onSeen, unseen: operating.onUnseen });
    byId("gate-curve-note").textContent = `Circle: this threshold. Diamond: the one in use. Triangle: best harmonic mean, ${percent(gate.curve.best.harmonic_mean, 1)}. Dotted: the same harmonic mean. Area under the curve: ${gate.curve.area.toFixed(3)}.`;
  }
  byId("gate-note").textContent = state.session.model.gate === "probability"
    ? "0 is the threshold the model came with. This model weighs both sides by P(unseen); the numbers here are those of a plain yes or no at the threshold."
    : "0 is the threshold the model came with.";
  setThreshold(threshold, { quiet: true });
}

function setThreshold(value, { quiet = false } = {}) {
  threshold = value;
  const [low, high] = limits;
  const slider = byId("gate-slider");
  slider.value = Math.round(((value - low) / (high - low)) * STEPS);
  slider.setAttribute("aria-valuetext", score(value));
  showNumber();
  const found = countAt(table, value);
  moveLine(value);
  movePoint(found);
  fillConfusion(found);
  showNumbers(found);
  byId("gate-use").disabled = value === state.gate.threshold;
  if (!quiet) speak(found);
}

function showNumber() {
  byId("gate-number").value = String(Number(threshold.toPrecision(6)));
}

function showNumbers(found) {
  const rows = [];
  if (found.onSeen !== null) rows.push(["seen accuracy", percent(found.onSeen, 1), "mean over seen classes"]);
  if (found.onUnseen !== null) rows.push(["unseen accuracy", percent(found.onUnseen, 1), "mean over unseen classes"]);
  if (found.harmonic !== null) rows.push(["harmonic mean", percent(found.harmonic, 1), "of the two"]);
  rows.push(["called novel", count(found.novel), `of ${count(table.n)} images`]);
  if (found.nSeen) rows.push(["false alarms", percent(found.seenNovel / found.nSeen, 1), `${count(found.seenNovel)} seen images called novel`]);
  if (found.nUnseen) rows.push(["caught", percent(found.unseenNovel / found.nUnseen, 1), `${count(found.unseenNovel)} unseen images called novel`]);
  fill(byId("gate-numbers"), rows.map(([name, value, note]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), h("span", { class: "note" }, note)))));
  fill(byId("gate-hardest"), hardest(found, table, state.session.classes).map(([one, share]) =>
    bar(one.name, share, percent(share), one.kind)));
  const mistakes = worst(found, table, state.session.classes);
  byId("gate-worst").textContent = mistakes ? `Commonest mistakes: ${mistakes}.` : "";
}

/** Say it once the slider rests, not at every step. */
const speak = debounced((found) => {
  const accuracies = found.harmonic === null ? "" : `; seen accuracy ${percent(found.onSeen, 1)}, unseen ${percent(found.onUnseen, 1)}`;
  byId("gate-live").textContent = `${count(found.novel)} images called novel${accuracies}`;
}, 500);

async function keep(value) {
  const buttons = [byId("gate-use"), byId("gate-back")];
  try {
    alertIn(byId("gate-error"), "");
    for (const button of buttons) button.disabled = true;
    await setSession(await api.setThreshold(value), { force: true });  // verdicts change
    byId("gate-live").textContent = `The threshold in use is ${score(state.gate.threshold)}.`;
  } catch (error) {
    alertIn(byId("gate-error"), error.message);
  } finally {
    byId("gate-back").disabled = false;
    byId("gate-use").disabled = threshold === state.gate.threshold;
  }
}
