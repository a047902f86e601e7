// The map: what lies where, what an image is, and choosing images by hand or by class.

import { api } from "./api.js";
import { allNames, wordsOf } from "./classes.js";
import { byId, count, debounced, fill, h, percent, plural } from "./dom.js";
import { look, novelLook, ordinaryLook, swatch, unlabelled } from "./palette.js";
import { Scatter } from "./scatter.js";
import { listenTo } from "./scatter_input.js";
import { on, select, state, tell } from "./store.js";
import { tiles } from "./tiles.js";

const NO_LABEL = "unlabelled";
let scatter = null;
let mode = "truth";
let groups = [];  // of the legend: { name, look, n, hidden }
const hidden = { truth: new Set(), predicted: new Set(), novel: new Set() };
const abouts = new Map();

export function startMap() {
  scatter = new Scatter(byId("map-points"), byId("map-marks"), { pictures: api.imageAddress });
  scatter.onDrawn = drawn;
  listenTo(scatter, {
    lassoMode: () => byId("map-lasso").getAttribute("aria-pressed") === "true",
    hover: (i) => { if (!pinned) show(i); },
    pick: (i) => show(i, { pin: i >= 0 }),
    step: (i) => { scatter.reveal(i); show(i, { pin: true, aloud: true }); },
    explain: (i) => tell("explain", i),
    ask: (word) => tell("ask", word),
    select: (indices) => select(indices),
    selectInView,
    release: () => { show(-1); select([]); },
  });
  byId("map-lasso").addEventListener("click", (event) => {
    const now = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(now));
    byId("map-stage").classList.toggle("lassoing", now);
  });
  byId("map-inside").addEventListener("click", selectInView);
  byId("map-in").addEventListener("click", () => scatter.zoom(1.4));
  byId("map-out").addEventListener("click", () => scatter.zoom(1 / 1.4));
  byId("map-fit").addEventListener("click", () => scatter.fit());
  byId("map-colour").addEventListener("change", (event) => {
    mode = event.target.value;
    draw();
  });
  byId("legend-all").addEventListener("click", () => hideAll(false));
  byId("legend-none").addEventListener("click", () => hideAll(true));
  on("map", takeMap);
  on("theme", () => state.map && takeMap());
  on("selection", showSelection);
}

/** The scatter of the map, for tests and for marking a picture. */
export const mapScatter = () => scatter;

function selectInView() {
  select(scatter.inView());
}

let taken = false;
function takeMap() {
  abouts.clear();
  const { points } = state.map;
  scatter.setData({ x: points.x, y: points.y, words: wordsOf(state.map) });
  if (!taken) mode = state.session.data.labelled ? "truth" : "predicted";
  taken = true;
  for (const input of byId("map-colour").querySelectorAll("input")) {
    input.checked = input.value === mode;
    input.disabled = input.value === "truth" && !state.session.data.labelled;
  }
  draw();
  showStatus();
  const kept = pinned && scatter.focus < points.x.length;
  show(kept ? scatter.focus : -1, { pin: kept });
}

function showStatus() {
  const { layout, points } = state.map;
  const name = { pca: "principal axes", tsne: "t-SNE", umap: "UMAP" }[layout.kind] ?? layout.kind;
  const { data } = state.session;
  const broken = data.n_broken ? ` · ${plural(data.n_broken, "file", "files")} could not be read` : "";
  const share = layout.progress ? ` (${percent(layout.progress)})` : "";
  const busy = layout.refining ? ` · a finer layout is on its way${share}` : "";
  byId("map-status").textContent = `${plural(points.x.length, "image", "images")} · ${name}${busy}${broken}`;
}

/** Name of the group that a point belongs to in this mode. */
function groupOf() {
  const { points, class_names: names } = state.map;
  const { classes } = state.session;
  if (mode === "truth") return (i) => (points.label[i] < 0 ? NO_LABEL : names[points.label[i]]);
  if (mode === "predicted") return (i) => classes[points.predicted[i]]?.name ?? NO_LABEL;
  return (i) => (points.novel[i] ? "novel" : "ordinary");
}

function makeGroups() {
  const candidates = mode === "novel"
    ? [["ordinary", ordinaryLook()], ["novel", { ...novelLook(), hollow: true }]]
    : [...allNames().map((name, k) => [name, look(k)]), [NO_LABEL, unlabelled()]];
  const found = candidates.map(([name, its]) => ({ name, look: its, n: 0 }));
  const byName = new Map(found.map((group, k) => [group.name, k]));
  const which = groupOf();
  const of = Uint16Array.from(state.map.points.x, (_, i) => byName.get(which(i)));
  for (const k of of) found[k].n += 1;
  return { found, of };
}

/** Colour the points, and list the classes beside them. */
function draw() {
  const { found, of } = makeGroups();
  groups = found.filter((group) => group.n > 0);
  const { novel } = state.map.points;
  const looks = found.flatMap((group) => [group.look, { ...group.look, hollow: true }]);
  const gone = hidden[mode];
  const goneAt = found.map((group) => gone.has(group.name));
  scatter.setLooks(
    looks,
    Uint16Array.from(of, (k, i) => 2 * k + (novel[i] ? 1 : 0)),
    Uint8Array.from(of, (k) => (goneAt[k] ? 0 : 1)),
  );
  showLegend();
}

function showLegend() {
  const gone = hidden[mode];
  byId("legend-title").textContent = mode === "novel" ? "Verdict" : "Classes";
  const kinds = new Map(state.session.classes.map((one) => [one.name, one.kind]));
  const toggle = (name) => (event) => {
    event.target.checked ? gone.delete(name) : gone.add(name);
    draw();
    byId("legend").querySelector(`input[value="${CSS.escape(name)}"]`)?.focus();
  };
  fill(byId("legend"), groups.map(({ name, look: its, n }) => h("li", {
    onpointerenter: () => spotlight(name), onpointerleave: () => spotlight(null) },
    h("label", {},
      h("input", { type: "checkbox", value: name, checked: !gone.has(name), onchange: toggle(name) }),
      swatch(its),
      h("span", { class: "legend-name" }, name),
      kinds.get(name) === "unseen" ? h("span", { class: "tag" }, "unseen") : null,
      h("span", { class: "legend-count" }, count(n))))));
  const key = (shape, hollow, text) => h("span", {}, swatch({ fill: "currentColor", shape, hollow }, 12), text);
  fill(byId("map-marks-key"), key("circle", false, "ordinary image"), key("diamond", false, "seen word"),
    key("circle", true, "novel image"), key("star", false, "unseen word"));
}

/** While the pointer is on a class in the list, the others step back. */
function spotlight(name) {
  if (state.selection.length) return;
  const which = groupOf();
  const of = [];
  if (name !== null) for (let i = 0; i < state.map.points.x.length; i++) if (which(i) === name) of.push(i);
  scatter.choose(of);
}

function hideAll(all) {
  hidden[mode] = new Set(all ? groups.map((group) => group.name) : []);
  draw();
}

// The card: what an image is. It follows the pointer until an image is picked.

let pinned = false;
const fetchAbout = debounced(async (i) => {
  try {
    if (!abouts.has(i)) abouts.set(i, await api.about(i));
    if (scatter.focus === i) fillCard(i, abouts.get(i));
  } catch (error) {
    if (scatter.focus === i) fillCard(i, null, error.message);
  }
}, 70);

function show(i, { pin = false, aloud = false } = {}) {
  pinned = pin;
  scatter.setFocus(i);
  const card = byId("map-card");
  card.hidden = i < 0;
  card.classList.toggle("pinned", pin);
  if (i < 0) return;
  fillCard(i, abouts.get(i));
  placeCard(card, i);
  if (!abouts.has(i)) fetchAbout(i);
  if (aloud) byId("live").textContent = inWords(i);
}

function facts(i) {
  const { points, class_names: names } = state.map;
  return {
    truth: points.label[i] < 0 ? null : names[points.label[i]],
    predicted: state.session.classes[points.predicted[i]]?.name ?? "?",
    novel: Boolean(points.novel[i]),
    sure: points.proba[i],
  };
}

function inWords(i) {
  const { truth, predicted, novel, sure } = facts(i);
  const what = truth ? `a ${truth}` : `image ${i}`;
  return `${what}, ${novel ? "novel, " : ""}taken for ${predicted}, ${percent(sure)}`;
}

function fillCard(i, about, problem = "") {
  const { truth, predicted, novel, sure } = facts(i);
  const right = truth === null || truth === predicted;
  fill(byId("map-card"),
    h("img", { src: api.imageAddress(i), alt: "", width: 96, height: 96 }),
    h("div", { class: "card-text" },
      h("p", { class: "card-title" }, truth ?? `image ${i}`),
      h("p", {}, right && truth !== null ? "recognised" : `taken for ${predicted}`, `, ${percent(sure)}`),
      h("p", {}, about ? `P(unseen) ${percent(about.novelty_proba)}` : "P(unseen) …", novel ? h("span", { class: "tag" }, "novel") : null),
      h("p", { class: "note" }, problem || (about ? `near: ${about.nearest_words.slice(0, 4).map((w) => w.word).join(", ")}` : "…")),
      pinned ? h("button", { type: "button", class: "link", onclick: () => tell("explain", i) }, "Why?") : null));
}

function placeCard(card, i) {
  const [x, y] = scatter.screenOf(i);
  const away = x < 0 || y < 0 || x > scatter.width || y > scatter.height;
  card.classList.toggle("away", away);
  const { offsetWidth: width, offsetHeight: height } = card;
  const left = x + 18 + width < scatter.width ? x + 18 : x - 18 - width;
  card.style.left = `${Math.max(6, left)}px`;
  card.style.top = `${Math.max(6, Math.min(scatter.height - height - 6, y - height / 2))}px`;
}

// The selection, by lasso, by view, or handed over by another view

function showSelection() {
  const indices = state.selection;
  scatter.choose(indices);
  if (!indices.length) {
    fill(byId("selection"));
    return;
  }
  const counts = new Map();
  const which = groupOf();
  for (const i of indices) counts.set(which(i), (counts.get(which(i)) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]);
  const left = most.length - 8;
  fill(byId("selection"),
    h("div", { class: "side-head" },
      h("h3", {}, `${plural(indices.length, "image", "images")} selected`),
      h("button", { type: "button", class: "link", onclick: () => {
        select([]);
        byId("map-marks").focus();
      } }, "clear")),
    h("ul", { class: "counts" }, most.slice(0, 8).map(([name, n]) => h("li", {}, h("span", {}, name), h("span", {}, count(n))))),
    left > 0 ? h("p", { class: "note" }, `and ${plural(left, "other class", "other classes")}`) : null,
    tiles(indices));
}

function drawn() {
  if (pinned) placeCard(byId("map-card"), scatter.focus);  // it goes with its image
  if (document.documentElement.dataset.ready) return;
  document.documentElement.dataset.ready = "map";
  performance.mark("wordsight:ready");
}
