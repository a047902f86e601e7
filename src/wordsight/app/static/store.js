// What the page knows, and who wants to hear of changes.

import { api } from "./api.js";

export const state = {
  session: null,
  map: null,
  gate: null,
  /** Indices of the images that are selected on the map. */
  selection: [],
};

const listeners = new Map();

/** Call `f` when something of this name changes: session, map, gate, selection, theme. */
export function on(name, f) {
  listeners.set(name, [...(listeners.get(name) ?? []), f]);
}

export function tell(name, ...values) {
  for (const f of listeners.get(name) ?? []) f(...values);
}

/** Take over a session that the server sent, and fetch again what depends on classes. */
export async function setSession(session, { force = false } = {}) {
  const changed = force || (state.session !== null && state.session.revision !== session.revision);
  state.session = session;
  tell("session");
  if (changed && session.data) await Promise.all([reloadMap(), state.gate ? reloadGate() : null]);
}

async function reloadMap() {
  state.map = await api.map();
  tell("map");
  refine();
}

/** The first map is drawn at once; a finer layout is fetched when the server has it. */
let refining = 0;
export function refine(wait = 1000) {
  clearTimeout(refining);
  if (!state.map?.layout.refining) return;
  refining = setTimeout(async () => {
    try {
      const finer = await api.map(state.map.layout.kind);
      if (finer) {
        state.map = finer;
        tell("map");
      }
    } catch {
      // the banner tells of a silent server; the map that is there stays good
    }
    refine(Math.min(5000, wait * 1.2));
  }, wait);
}

export async function reloadGate() {
  state.gate = await api.gate();
  tell("gate");
}

export function select(indices) {
  state.selection = indices;
  tell("selection");
}
