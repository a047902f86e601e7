// Which colour and shape a class has: the same on every view, whatever is added later.

import { look } from "./palette.js";
import { state } from "./store.js";

/** All names that occur, in an order that a class added later does not change. */
export function allNames() {
  const { classes, data } = state.session;
  const seen = classes.filter((one) => one.kind === "seen").map((one) => one.name);
  const unseen = classes.filter((one) => one.kind === "unseen").map((one) => one.name);
  return [...new Set([...seen, ...(data?.class_names ?? []), ...unseen])];
}

export function lookOf(name) {
  const k = allNames().indexOf(name);
  return look(Math.max(0, k));
}

/** The words of a map for a `Scatter`, in the colours of their classes. */
export function wordsOf(map) {
  const names = allNames();
  return map.words.map((word) => ({ ...word, fill: look(Math.max(0, names.indexOf(word.name))).fill }));
}
