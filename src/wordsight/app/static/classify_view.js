// Classify: a picture from anywhere, the answer, and the reasons for it.

import { api, Refusal } from "./api.js";
import { lookOf, wordsOf } from "./classes.js";
import { alertIn, bar, byId, calm, fill, h, percent, score } from "./dom.js";
import { swatch, unlabelled } from "./palette.js";
import { mapScatter } from "./map_view.js";
import { Scatter } from "./scatter.js";
import { on, state, tell } from "./store.js";
import { tile } from "./tiles.js";

const N_CLASSES = 8;
const N_WORDS = 8;
const N_PICKS = 12;
let small = null;  // the little map
let asking = null;
let last = null;  // what to ask again after a class or the threshold has changed

export function startClassify() {
  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) upload(file);
  });
  byId("pick-more").addEventListener("click", pickOthers);
  byId("classify-show").addEventListener("click", () => tell("open", "map"));
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    upload(file);
  });
  listenForDrops();
  on("explain", explain);
  on("map", () => {
    if (!byId("pick").children.length) pickOthers();
    if (last) again();
  });
  on("theme", () => small && drawPlace());
}

function listenForDrops() {
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragenter", (event) => { if (carries(event)) { depth += 1; over(true); } });
  addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); over(depth > 0); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) upload(files[0]);
    else if (carries(event)) refuse("Nothing that could be read was dropped; drop one picture file.");
  });
}

/** What can be told without sending the file anywhere. */
function objection(file) {
  const { upload_bytes: most } = state.session.limits;
  const name = file.name || "the picture";
  if (file.type && !file.type.startsWith("image/")) {
    return `${name} is ${file.type}, not a picture; drop a PNG, JPEG, WebP or GIF.`;
  }
  if (file.size > most) {
    return `${name} has ${megabytes(file.size)}; this page takes pictures of at most ${megabytes(most)}: save it smaller.`;
  }
  if (file.size === 0) return `${name} is empty; drop a picture with something in it.`;
  return null;
}

const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en-GB", { maximumFractionDigits: 1 })} MB`;

function refuse(sentence) {
  tell("open", "classify");
  alertIn(byId("classify-error"), sentence);
  fill(byId("classify-result"));
  byId("classify-map-panel").hidden = true;
}

async function upload(file) {
  tell("open", "classify");
  last = null;
  const against = objection(file);
  showPicture(null, file.name || "pasted picture");
  if (against) refuse(against);
  else await run({ file }, (signal) => api.classifyUpload(file, signal));
}

async function explain(i) {
  tell("open", "classify");
  showPicture(api.imageAddress(i), `image ${i} of the data`);
  await run({ i }, (signal) => api.classifyStored(i, signal));
}

function again() {
  if (last.file) run(last, (signal) => api.classifyUpload(last.file, signal));
  else run(last, (signal) => api.classifyStored(last.i, signal));
}

function showPicture(address, name) {
  const image = byId("drop-image");
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.hidden = !address;
  if (address) image.src = address;
  else image.removeAttribute("src");
  byId("drop-name").textContent = name;
}

/** Ask, and show the answer; an answer that a later question overtook is dropped. */
async function run(what, request) {
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
  alertIn(byId("classify-error"), "");
  byId("classify-result").setAttribute("aria-busy", "true");
  try {
    const answer = await request(mine.signal);
    if (mine !== asking) return;
    // only now: a picture that the server refuses could be too much for the browser as well
    if (what.file && last !== what) showPicture(URL.createObjectURL(what.file), byId("drop-name").textContent);
    last = what;
    showAnswer(answer, what);
  } catch (error) {
    if (mine !== asking || error.name === "AbortError") return;
    last = null;
    refuse(error instanceof Refusal ? error.message : "The answer could not be shown; try again.");
  } finally {
    if (mine === asking) byId("classify-result").removeAttribute("aria-busy");
  }
}

function showAnswer(answer, what) {
  const [best] = answer.classes;
  const truth = what.i === undefined ? null : truthOf(what.i);
  fill(byId("classify-result"),
    h("div", { class: "panel verdict" },
      h("p", { class: "verdict-name" }, swatch({ ...lookOf(best.name), hollow: answer.is_novel }, 20), " ", best.name,
        best.kind === "unseen" ? h("span", { class: "tag" }, "unseen") : null),
      h("p", {}, why(answer, best)),
      truth === null ? null : h("p", { class: "note" }, truth === best.name ? `Right: it is labelled ${truth}.` : `It is labelled ${truth}.`),
      h("ul", { class: "bars" }, bar("P(unseen)", answer.novelty_proba, percent(answer.novelty_proba, 1), "novel-bar")),
      h("p", { class: "note" }, `${answer.width} × ${answer.height} pixels, answered in ${Math.round(answer.milliseconds)} ms`)),
    h("div", { class: "panel" }, h("h3", {}, "Classes"),
      h("ul", { class: "bars" }, answer.classes.slice(0, N_CLASSES).map((one) =>
        bar([swatch(lookOf(one.name), 12), ` ${one.name}`], one.p, percent(one.p, 1), one.kind)))),
    h("div", { class: "panel" }, h("h3", {}, "Nearest words"),
      h("ul", { class: "bars" }, answer.nearest_words.slice(0, N_WORDS).map((one) => bar(
        h("button", { type: "button", class: "link", onclick: () => tell("ask", one.word) }, one.word), one.similarity, score(one.similarity))))),
    answer.nearest_images.length ? h("div", { class: "panel" }, h("h3", {}, "Nearest images of the data"),
      h("div", { class: "tiles" }, answer.nearest_images.map((one) => tile(one.i, one.label || score(one.similarity))))) : null);
  showPlace(answer);
  const answerBox = byId("classify-answer");
  const { top } = answerBox.getBoundingClientRect();
  // on a phone the answer is below what was asked
  if (top < 0 || top > innerHeight / 2) answerBox.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
}

function truthOf(i) {
  const label = state.map?.points.label[i] ?? -1;
  return label < 0 ? null : state.map.class_names[label];
}

/** The reasons in two sentences. */
function why(answer, best) {
  const { is_novel: novel, novelty_score: its, threshold } = answer;
  const gate = `Its novelty score, ${score(its)}, is ${novel ? "above" : "not above"} the threshold ${score(threshold)}, so it counts as ${novel ? "novel" : "ordinary"}.`;
  const soft = state.session.model.gate === "probability";
  if (soft) return `${gate} This model weighs both sides by P(unseen); together they say ${best.name}, ${percent(best.p)}.`;
  const near = answer.nearest_words.slice(0, 3).map((one) => one.word).join(", ");
  if (novel && best.kind === "unseen") return `${gate} Among the unseen classes its word vectors say ${best.name}, ${percent(best.p)}; near are ${near}.`;
  if (novel) return `${gate} The model knows no unseen class it could be: teach one. Near are ${near}.`;
  return `${gate} Among the seen classes the classifier says ${best.name}, ${percent(best.p)}.`;
}

function showPlace(answer) {
  const known = state.map !== null && Number.isFinite(answer.x);
  byId("classify-map-panel").hidden = !known;
  const pin = known ? { x: answer.x, y: answer.y } : null;
  const big = mapScatter();
  big.pin = pin;
  big.drawMarks();
  if (!known) return;
  small ??= new Scatter(byId("classify-points"), byId("classify-marks"));
  small.pin = pin;
  drawPlace();
}

/** The little map: all points pale, words, and the picture's place. */
function drawPlace() {
  const { points } = state.map;
  small.setData({ x: points.x, y: points.y, words: wordsOf(state.map) });
  small.setLooks([unlabelled()], new Uint16Array(points.x.length), new Uint8Array(points.x.length).fill(1));
}

function pickOthers() {
  const n = state.map?.points.x.length ?? 0;
  byId("pick-panel").hidden = n === 0;
  const chosen = new Set();
  while (chosen.size < Math.min(N_PICKS, n)) chosen.add(Math.floor(Math.random() * n));
  fill(byId("pick"), [...chosen].map((i) => tile(i)));
}
