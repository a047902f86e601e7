// Ask: which images lie nearest to a word, their average colour, and a prototype made of patches.

import { api } from "./api.js";
import { alertIn, bar, byId, fill, h, listed, score } from "./dom.js";
import { on, select, state, tell } from "./store.js";
import { tiles } from "./tiles.js";

const N_IMAGES = 48;
let asking = null;

export function startAsk() {
  byId("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask(byId("ask-word").value.trim());
  });
  on("ask", (word) => {
    tell("open", "ask");
    byId("ask-word").value = word;
    ask(word);
  });
}

async function ask(word) {
  if (!word) return;
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
  const place = byId("ask-answer");
  alertIn(byId("ask-error"), "");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await api.ask(word, N_IMAGES, mine.signal);
    if (mine === asking) showAnswer(answer, mine.signal);
  } catch (error) {
    if (mine !== asking || error.name === "AbortError") return;
    fill(place);
    alertIn(byId("ask-error"), error.message);
  } finally {
    if (mine === asking) place.removeAttribute("aria-busy");
  }
}

function showAnswer(answer, signal) {
  const { word, parts, images } = answer;
  const similarity = new Map(images.map((one) => [one.i, one.similarity]));
  const indices = images.map((one) => one.i);
  fill(byId("ask-answer"),
    h("div", { class: "ask-grid" },
      images.length ? colour(answer.average_colour) : null,
      prototype(word, signal),
      h("div", { class: "panel" }, h("h3", {}, "Nearest words"),
        parts.length > 1 ? h("p", { class: "note before-bars" }, `“${word}” is the mean of ${listed(parts)}.`) : null,
        h("ul", { class: "bars" }, answer.nearest_words.map((one) => bar(
          h("button", { type: "button", class: "link", onclick: () => tell("ask", one.word) }, one.word), one.similarity, score(one.similarity)))))),
    images.length ? h("div", { class: "panel" },
      h("div", { class: "side-head" }, h("h3", {}, `Images nearest to “${word}”`),
        h("button", { type: "button", class: "link", onclick: () => { select(indices); tell("open", "map"); } }, "show on the map")),
      tiles(indices, { text: (i) => score(similarity.get(i)) }))
      : h("p", { class: "placeholder" }, state.session.data ? "No image to show." : "Open the explorer with a data set to see images."));
}

function colour(rgb) {
  if (!rgb) return null;
  const hex = `#${rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;
  const block = h("div", { class: "colour", role: "img", "aria-label": `Average colour ${hex}` });
  block.style.backgroundColor = hex;
  return h("figure", { class: "panel" }, h("figcaption", {}, h("h3", {}, "Average colour")), block,
    h("p", { class: "note" }, `${hex}: the mean of these images`));
}

/** The mosaic takes a while, or is not to be had for this model: then it says so. */
function prototype(word, signal) {
  const image = h("img", { class: "prototype", alt: `Prototype of ${word}: a mosaic of patches`, hidden: true });
  const note = h("p", { class: "note", role: "status" }, "being put together …");
  api.prototype(word, signal).then((blob) => {
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    image.src = URL.createObjectURL(blob);
    image.hidden = false;
    note.textContent = "the patches that this word calls for";
  }).catch((error) => { note.textContent = error.message; });
  return h("figure", { class: "panel" }, h("figcaption", {}, h("h3", {}, "Prototype")), image, note);
}
