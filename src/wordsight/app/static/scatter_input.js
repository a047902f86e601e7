// Pointer, wheel, fingers and keys on the map.

import { inside } from "./scatter.js";

const STEP = 60;  // pixels that an arrow key moves the map
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Make a scatter answer to its user.
 *
 * @param handlers { hover(i), pick(i), ask(word), step(i), explain(i), select(indices),
 *   selectInView(), release(), lassoMode(): bool }
 */
export function listenTo(scatter, handlers) {
  const canvas = scatter.marks;
  const fingers = new Map();
  let travelled = 0;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    travelled = 0;
    if (fingers.size === 1 && (handlers.lassoMode() || event.shiftKey)) scatter.lasso = [at(event)];
    else scatter.lasso = null;
  });

  canvas.addEventListener("pointermove", (event) => {
    const place = at(event);
    const before = fingers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "touch") return;
      const onWord = Boolean(scatter.wordAt(...place));
      canvas.classList.toggle("on-word", onWord);
      handlers.hover(onWord ? -1 : scatter.nearest(...place));
      return;
    }
    travelled += Math.hypot(place[0] - before[0], place[1] - before[1]);
    if (scatter.lasso) {
      scatter.lasso.push(place);
      scatter.drawMarks();
    } else if (fingers.size === 1) scatter.pan(place[0] - before[0], place[1] - before[1]);
    else if (fingers.size === 2) pinch(event.pointerId, before, place);
    fingers.set(event.pointerId, place);
  });

  function pinch(id, before, place) {
    const [, other] = [...fingers].find(([key]) => key !== id);
    const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    scatter.zoom(apart(place) / Math.max(1, apart(before)), ...middle);
    scatter.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
  }

  canvas.addEventListener("pointerup", (event) => {
    if (!fingers.delete(event.pointerId)) return;
    const { lasso } = scatter;
    scatter.lasso = null;
    if (lasso && lasso.length > 2 && travelled > 12) {
      handlers.select(scatter.where((x, y) => inside(lasso, x, y)));
    } else if (travelled < 5) {
      const word = scatter.wordAt(...at(event));
      if (word) handlers.ask(word.name);
      else handlers.pick(scatter.nearest(...at(event), event.pointerType === "touch" ? 22 : 12));
    }
    scatter.drawMarks();
  });
  canvas.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    scatter.lasso = null;
    scatter.drawMarks();
  });
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") handlers.hover(-1);
  });

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    const strength = event.ctrlKey ? 0.01 : 0.0016;  // with ctrl it is a pinch on a touchpad
    scatter.zoom(Math.exp(-event.deltaY * lines * strength), ...at(event));
  }, { passive: false });

  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) handlers.step(nextInDirection(scatter, ...arrow));
    else if (arrow) scatter.pan(-arrow[0] * STEP, -arrow[1] * STEP);
    else if (event.key === "+" || event.key === "=") scatter.zoom(1.3);
    else if (event.key === "-" || event.key === "_") scatter.zoom(1 / 1.3);
    else if (event.key === "0" || event.key === "Home") scatter.fit();
    else if (event.key === "Enter" && scatter.focus >= 0) handlers.explain(scatter.focus);
    else if (event.key === "s" || event.key === "S") handlers.selectInView();
    else if (event.key === "Escape") handlers.release();
    else return;
    event.preventDefault();
  });
}

/** The image to step to: the nearest one within 45° of a direction, from the one in focus. */
function nextInDirection(scatter, dx, dy) {
  if (scatter.focus < 0) return scatter.nearest(scatter.width / 2, scatter.height / 2, Infinity);
  const [x, y] = scatter.screenOf(scatter.focus);
  const found = scatter.nearest(x, y, Infinity, (sx, sy, i) => {
    const along = (sx - x) * dx + (sy - y) * dy, aside = Math.abs((sx - x) * dy) + Math.abs((sy - y) * dx);
    return i !== scatter.focus && along > 2 && aside <= along;
  });
  return found < 0 ? scatter.focus : found;
}
