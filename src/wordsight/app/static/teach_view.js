// Teach: a class by its name, what it would change, and the way back.

import { api } from "./api.js";
import { lookOf } from "./classes.js";
import { alertIn, bar, byId, fill, h, listed, percent, plural, score } from "./dom.js";
import { swatch } from "./palette.js";
import { on, select, setSession, state, tell } from "./store.js";
import { tiles } from "./tiles.js";

export function startTeach() {
  byId("teach-form").addEventListener("submit", (event) => {
    event.preventDefault();
    preview();
  });
  byId("save-form").addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  byId("teach-undo").addEventListener("click", () => change(api.undo, () => "The last change is undone."));
  on("session", showClasses);
  on("theme", showClasses);
}

const described = () => byId("teach-description").value.trim() || undefined;

async function preview() {
  const name = byId("teach-name").value.trim();
  const place = byId("teach-preview");
  alertIn(byId("teach-error"), "");
  if (!name) return;
  place.setAttribute("aria-busy", "true");
  try {
    showPreview(await api.preview(name, described()));
  } catch (error) {
    fill(place);
    alertIn(byId("teach-error"), error.message);
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Where the vector of a class comes from, in words. */
function sourceOf({ name, source, parts }) {
  if (source === "description") return "Its vector is that of its description.";
  if (source === "composed") return `“${name}” has no vector of its own: it is the mean of ${listed(parts)}.`;
  return `“${name}” has a word vector of its own.`;
}

function showPreview(found) {
  const { name } = found;
  const description = described();
  const most = Math.max(1, ...found.taken_from.map((one) => one.count));
  const accept = h("button", { type: "button", class: "primary", disabled: found.already, onclick: () =>
    change(() => api.teach(name, description), () => `${name} is a class now.`, () => {
      fill(byId("teach-preview"), added(name));
      byId("teach-undo").focus();
    }) },
  `Add ${name}`);
  fill(byId("teach-preview"), h("div", { class: "panel" },
    h("h3", {}, name),
    h("p", {}, sourceOf(found), found.already ? " It is a class already." : ""),
    h("h4", {}, "Neighbours"),
    h("ul", { class: "chips" }, found.neighbours.map((one) => h("li", {},
      h("button", { type: "button", class: "chip", onclick: () => tell("ask", one.word) }, one.word, h("span", { class: "note" }, ` ${score(one.similarity)}`))))),
    state.session.data ? takes(found, most) : null,
    h("p", { class: "actions" }, accept, h("button", { type: "button", onclick: () => {
      fill(byId("teach-preview"));
      byId("teach-name").focus();
    } }, "Never mind"))));
}

function takes(found, most) {
  if (!found.n_taken) return h("h4", {}, "It would take no image from another class");
  return h("div", {},
    h("h4", {}, `It would take ${plural(found.n_taken, "image", "images")}`),
    h("ul", { class: "bars" }, found.taken_from.map((one) =>
      bar([swatch(lookOf(one.name), 12), ` from ${one.name}`], one.count / most, `${one.count} (${percent(one.count / found.n_taken)})`))),
    tiles(found.examples, { first: 24 }),
    h("button", { type: "button", class: "link", onclick: () => { select(found.examples); tell("open", "map"); } }, "show these on the map"));
}

const added = (name) => h("p", { class: "placeholder" }, `${name} is a class now. See what it takes on the `,
  h("button", { type: "button", class: "link", onclick: () => tell("open", "map") }, "map"), ", or undo it.");

async function change(request, sentence, then = () => {}) {
  alertIn(byId("teach-error"), "");
  try {
    await setSession(await request());
    byId("teach-live").textContent = sentence();
    then();
  } catch (error) {
    alertIn(byId("teach-error"), error.message);
  }
}

function showClasses() {
  const { classes, can_undo: canUndo, model } = state.session;
  byId("teach-described").hidden = !(model.has_text_model || model.describes);
  byId("teach-undo").disabled = !canUndo;
  const chip = (one) => h("li", { class: "chip" }, swatch(lookOf(one.name), 12), one.name,
    one.added ? h("span", { class: "tag" }, "new") : null,
    one.kind === "unseen" ? h("button", { type: "button", class: "forget", "aria-label": `Forget ${one.name}`, title: `Forget ${one.name}`,
      onclick: () => change(() => api.forget(one.name), () => `${one.name} is forgotten.`, () => byId("teach-undo").focus()) }, "×") : null);
  const of = (kind) => classes.filter((one) => one.kind === kind).map(chip);
  const none = h("li", { class: "note" }, "none yet");
  fill(byId("teach-unseen"), of("unseen").length ? of("unseen") : none);
  fill(byId("teach-seen"), of("seen"));
}

async function save() {
  const name = byId("save-name").value.trim();
  alertIn(byId("save-error"), "");
  if (!name) return;
  try {
    const { path } = await api.save(name);
    byId("save-result").textContent = `Saved in ${path}`;
  } catch (error) {
    alertIn(byId("save-error"), error.message);
  }
}
