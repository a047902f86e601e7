// Images of the data as buttons: each opens the reasons for what the model makes of it.

import { api } from "./api.js";
import { count, h } from "./dom.js";
import { state, tell } from "./store.js";

/** What an image is called: by its class where it is labelled. */
function nameOf(i) {
  const label = state.map?.points.label[i] ?? -1;
  return label >= 0 ? `${state.map.class_names[label]}, image ${i}` : `image ${i}`;
}

/** One image; `text` is written below it. */
export function tile(i, text = "") {
  return h("button", { type: "button", class: "tile", "aria-label": text ? `${nameOf(i)}, ${text}` : nameOf(i),
    title: `${nameOf(i)}: why?`, onclick: () => tell("explain", i) },
  h("img", { src: api.imageAddress(i), alt: "", loading: "lazy", width: 64, height: 64 }),
  text ? h("span", {}, text) : null);
}

/** Some images, and a button for more of them. */
export function tiles(indices, { first = 48, text = () => "" } = {}) {
  const list = h("div", { class: "tiles" });
  let shown = 0;
  const more = h("button", { type: "button", class: "link", onclick: () => grow() });
  const grow = () => {
    const before = shown;
    list.append(...indices.slice(shown, shown + first).map((i) => tile(i, text(i))));
    shown = Math.min(indices.length, shown + first);
    if (document.activeElement === more) list.children[before].focus();
    more.hidden = shown === indices.length;
    more.textContent = `show more (${count(indices.length - shown)} left)`;
  };
  grow();
  return h("div", {}, list, more);
}
