// The explorer's page: what is open, what is shown when the server is silent, and in which theme.

import { api, Gone, listen } from "./api.js";
import { startAsk } from "./ask_view.js";
import { startClassify } from "./classify_view.js";
import { byId, count, h, svg } from "./dom.js";
import { openGate, startGate } from "./gate_view.js";
import { startMap } from "./map_view.js";
import { on, refine, setSession, state, tell } from "./store.js";
import { startTeach } from "./teach_view.js";

const VIEWS = ["map", "gate", "classify", "teach", "ask"];
const RETRY_MS = 3000;

// Views

function open(view, { focus = false } = {}) {
  for (const name of VIEWS) {
    const tab = byId(`tab-${name}`), chosen = name === view;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    byId(`view-${name}`).hidden = !chosen;
  }
  if (location.hash !== `#${view}`) history.replaceState(null, "", `#${view}`);
  document.body.dataset.view = view;
  if (focus) byId(`tab-${view}`).focus();
  else if (document.activeElement.closest("[role=tabpanel]")?.hidden) {
    // what had the focus is hidden now: go on where the new view begins
    byId(`view-${view}`).querySelector("h2[tabindex], #map-marks").focus({ preventScroll: true });
  }
  if (view === "gate" && state.session) openGate();
}

function startTabs() {
  for (const name of VIEWS) byId(`tab-${name}`).addEventListener("click", () => open(name));
  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const now = VIEWS.findIndex((name) => byId(`tab-${name}`) === document.activeElement);
    const next = { ArrowRight: (now + 1) % VIEWS.length, ArrowLeft: (now + VIEWS.length - 1) % VIEWS.length, Home: 0, End: VIEWS.length - 1 }[event.key];
    if (next === undefined || now < 0) return;
    event.preventDefault();
    open(VIEWS[next], { focus: true });
  });
  const fromHash = () => (VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "map");
  addEventListener("hashchange", () => open(fromHash()));
  on("open", (view) => open(view));
  open(fromHash());
}

// Theme: as the system, light, dark

const THEMES = [null, "light", "dark"];
const ICONS = {
  light: "M12 4V2M12 22v-2M4 12H2M22 12h-2M6.300 6.300 5 5M19 19l-1.300-1.300M6.300 17.700 5 19M19 5l-1.300 1.300M12 7.500a4.500 4.500 0 1 0 0 9a4.500 4.500 0 0 0 0-9",
  dark: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500Z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
};

function startTheme() {
  const button = byId("theme");
  const show = () => {
    const chosen = document.documentElement.dataset.theme ?? "system";
    button.setAttribute("aria-label", `Theme: ${chosen === "system" ? "as the system" : chosen}`);
    button.title = button.getAttribute("aria-label");
    button.replaceChildren(svg("svg", { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", class: "icon" }, svg("path", { d: ICONS[chosen] })));
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? null) + 1) % THEMES.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem("wordsight-theme", next ?? "system");
    } catch {
      // without storage the choice lasts until the page is closed
    }
    show();
    if (state.session) tell("theme");
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.session && tell("theme"));
  show();
}

// The session, and a server that may go away

let retrying = 0;

function banner(sentence) {
  byId("banner").hidden = !sentence;
  byId("banner-text").textContent = sentence ?? "";
}

function silent() {
  if (retrying) return;
  banner("The explorer’s server does not answer. Was it stopped? Start it again in the terminal: wordsight explore.");
  retrying = setInterval(retry, RETRY_MS);
}

async function retry() {
  try {
    await api.health();
  } catch {
    return;
  }
  clearInterval(retrying);
  retrying = 0;
  banner(null);
  await load();
}

async function load() {
  try {
    const [session, map] = await Promise.all([api.session(), api.map().catch((error) => error)]);
    state.session = session;
    tell("session");
    if (!session.data) showNoData();
    else if (map instanceof Error) throw map;
    else {
      state.map = map;
      tell("map");
      refine();
    }
    if (document.body.dataset.view === "gate") openGate();
  } catch (error) {
    if (!(error instanceof Gone)) banner(error.message);
  }
}

function showWhat() {
  const { model, data } = state.session;
  byId("what").textContent = data ? `${model.name} on ${data.name}, ${count(data.n)} images` : model.name;
  byId("what").title = `${model.detector} gate, ${model.map}, trained on ${model.trained_on}`;
  document.title = `${model.name} · Wordsight explorer`;
}

/** Without a data set there is no map and no gate to look at; a picture can still be classified. */
function showNoData() {
  const hint = () => [h("p", {}, "No data set is open. With one, this view shows its images as the model sees them:"),
    h("p", {}, h("code", {}, "wordsight explore MODEL DATA"))];
  byId("map-empty").hidden = false;
  byId("map-empty").replaceChildren(...hint());
  byId("gate-error").hidden = false;
  byId("gate-error").replaceChildren(...hint());
  byId("pick-panel").hidden = true;
  document.documentElement.dataset.ready = "map";
}

/** Another window, or a restart, changed the classes: take over what is true now. */
let refreshing = false;
async function otherRevision(revision) {
  await new Promise((resolve) => setTimeout(resolve));  // whoever asked takes its answer over first
  if (!state.session || revision === state.session.revision || refreshing) return;
  refreshing = true;
  try {
    await setSession(await api.session());
  } catch {
    // the next answer tells of it again
  } finally {
    refreshing = false;
  }
}

listen({ silence: silent, revision: otherRevision });
byId("banner-retry").addEventListener("click", () => (retrying ? retry() : load()));
on("session", showWhat);
startTheme();
startMap();
startGate();
startClassify();
startTeach();
startAsk();
startTabs();
load();
