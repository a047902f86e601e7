// The map drawn on two canvases: points below; words, names and what is in focus above, so that
// following the pointer does not draw 10,000 points again.

import { calm } from "./dom.js";
import { drawLasso, drawRing, drawWords } from "./marks.js";
import { rgb, token } from "./palette.js";
import { makeMarker, Splats } from "./splat.js";

const FIT = 0.9;  // share of the canvas that the points fill at first
const MOVE_MS = 900;
const MAX_PICTURES = 60;  // that few points in view are shown as their images

export class Scatter {
  /** @param points, marks the two canvases, of the same place and size */
  constructor(points, marks, { pictures = null } = {}) {
    this.points = points;
    this.marks = marks;
    this.pictures = pictures;  // index → address of an image, where images may be drawn
    this.pictureOf = new Map();
    this.view = { x: 0, y: 0, scale: 1 };
    this.words = [];
    this.n = 0;
    this.focus = -1;
    this.pin = null;
    this.lasso = null;
    this.chosen = null;
    this.labelPlaces = new Map();
    this.frame = 0;
    new ResizeObserver(() => this.resize()).observe(marks);
  }

  /**
   * Give points and words; positions move smoothly from where they were.
   *
   * @param data { x, y, words: [{ name, x, y, kind, fill }] }
   */
  setData({ x, y, words }) {
    const extent = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const [x0, x1] = extent([...extent(x), ...words.map((w) => w.x)]);
    const [y0, y1] = extent([...extent(y), ...words.map((w) => w.y)]);
    const half = Math.max(x1 - x0, y1 - y0, 1e-9) / 2;
    this.toUnit = (a, b) => [(a - (x0 + x1) / 2) / half, (b - (y0 + y1) / 2) / half];
    this.box = [(x1 - x0) / 2 / half, (y1 - y0) / 2 / half];
    const unit = new Float32Array(2 * x.length);
    for (let i = 0; i < x.length; i++) [unit[2 * i], unit[2 * i + 1]] = this.toUnit(x[i], y[i]);
    const placed = words.map((word) => {
      const [ux, uy] = this.toUnit(word.x, word.y);
      return { ...word, ux, uy };
    });
    const moves = this.n === x.length && this.n > 0 && !calm();
    const oldWords = new Map(this.words.map((word) => [word.name, word]));
    this.move = moves && {
      start: performance.now(),
      from: this.at.slice(),
      to: unit,
      words: placed.map((word) => {
        const old = oldWords.get(word.name) ?? word;
        return [old.ux, old.uy, word.ux, word.uy];
      }),
    };
    this.at = moves ? this.move.from.slice() : unit;
    if (this.n !== x.length) this.order = shuffled(x.length);
    this.n = x.length;
    this.words = placed;
    this.labelPlaces.clear();
    this.draw();
  }

  /**
   * Give every point its look.
   *
   * @param looks [{ fill, shape, hollow }]; @param style index into looks, by point
   * @param visible 0 or 1, by point
   */
  setLooks(looks, style, visible) {
    Object.assign(this, { looks, style, visible });
    this.markers = this.splats = null;  // the theme may have changed
    this.draw();
  }

  /** Mark some points; the others step back. Null marks none. */
  choose(indices) {
    this.chosen = indices && indices.length ? new Uint8Array(this.n) : null;
    for (const i of indices ?? []) this.chosen[i] = 1;
    this.draw();
  }

  setFocus(i) {
    if (i === this.focus) return;
    this.focus = i;
    this.drawMarks();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.marks;
    if (!width || !height) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const first = !this.width;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.points, this.marks]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.markers = this.splats = null;
    if (first || this.fitted) this.fit();
    this.drawNow();
  }

  /** Pixels per unit at which everything is in view. */
  fitScale() {
    const [w, h] = this.box ?? [1, 1];
    return FIT * Math.min(this.width / 2 / Math.max(w, 1e-3), this.height / 2 / Math.max(h, 1e-3));
  }

  fit() {
    if (!this.width) return;
    this.view = { x: 0, y: 0, scale: this.fitScale() };
    this.fitted = true;
    this.draw();
  }

  toScreen(ux, uy) {
    const { x, y, scale } = this.view;
    return [(ux - x) * scale + this.width / 2, (y - uy) * scale + this.height / 2];
  }

  pan(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y += dy / this.view.scale;
    this.fitted = false;
    this.draw();
  }

  /** Zoom by a factor, keeping what is under (px, py) where it is. */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const least = this.fitScale() * 0.4;
    const scale = Math.min(least * 1000, Math.max(least, this.view.scale * factor));
    const ux = (px - this.width / 2) / this.view.scale, uy = (py - this.height / 2) / this.view.scale;
    this.view.x += ux - (px - this.width / 2) / scale;
    this.view.y -= uy - (py - this.height / 2) / scale;
    this.view.scale = scale;
    this.fitted = false;
    this.draw();
  }

  /** Bring a point into view, near the middle if it is outside. */
  reveal(i) {
    const [sx, sy] = this.screenOf(i);
    if (sx < 20 || sy < 20 || sx > this.width - 20 || sy > this.height - 20) {
      [this.view.x, this.view.y] = [this.at[2 * i], this.at[2 * i + 1]];
      this.fitted = false;
      this.draw();
    }
  }

  screenOf(i) {
    return this.toScreen(this.at[2 * i], this.at[2 * i + 1]);
  }

  /** The visible point nearest to a place on the screen, or -1 where none is within `reach`. */
  nearest(px, py, reach = 12, accept = () => true) {
    let best = -1, least = reach * reach;
    for (let i = 0; i < this.n; i++) {
      if (!this.visible[i]) continue;
      const [sx, sy] = this.screenOf(i);
      const square = (sx - px) ** 2 + (sy - py) ** 2;
      if (square < least && accept(sx, sy, i)) [best, least] = [i, square];
    }
    return best;
  }

  /** The word whose marker is at a place on the screen, if one is. */
  wordAt(px, py, reach = 9) {
    return this.words.find((word) => {
      const [sx, sy] = this.toScreen(word.ux, word.uy);
      return Math.hypot(sx - px, sy - py) <= reach;
    });
  }

  /** Visible points that `accept(sx, sy)` takes. */
  where(accept) {
    const found = [];
    for (let i = 0; i < this.n; i++) if (this.visible[i] && accept(...this.screenOf(i))) found.push(i);
    return found;
  }

  inView() {
    return this.where((x, y) => x >= 0 && y >= 0 && x <= this.width && y <= this.height);
  }

  /** Draw with the next frame, once, however often it is asked for. */
  draw() {
    this.frame ||= requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.width || !this.looks || !this.at) return;
    const start = performance.now();
    if (this.move) this.step(start);
    this.drawPoints();
    this.drawMarks();
    this.lastDrawMs = performance.now() - start;
    if (this.move) this.draw();
    this.onDrawn?.();
  }

  step(now) {
    const { start, from, to, words } = this.move;
    const t = Math.min(1, (now - start) / MOVE_MS);
    const eased = t < 0.5 ? 4 * t ** 3 : 1 - (-2 * t + 2) ** 3 / 2;
    for (let k = 0; k < to.length; k++) this.at[k] = from[k] + (to[k] - from[k]) * eased;
    this.words.forEach((word, k) => {
      const [x0, y0, x1, y1] = words[k];
      word.ux = x0 + (x1 - x0) * eased;
      word.uy = y0 + (y1 - y0) * eased;
    });
    if (t === 1) this.move = null;
  }

  /** Radius of a point in CSS pixels: smaller where there are many, larger when zoomed in. */
  radius() {
    const crowd = Math.max(2.2, Math.min(5, 220 / Math.sqrt(this.n + 1)));
    return Math.min(7, crowd * Math.sqrt(Math.max(1, Math.min(6, this.view.scale / this.fitScale()))));
  }

  drawPoints() {
    const radius = this.radius();
    if (!this.markers || Math.abs(radius - this.markerRadius) > 0.15) {
      const edge = token("--map-edge");
      this.markers = this.looks.map((its) => makeMarker(its, radius * this.ratio, edge));
      this.markerRadius = radius;
    }
    const { width, height } = this.points;
    if (!this.splats) this.splats = new Splats(width, height, rgb(token("--ground")));
    this.splats.clear();
    const inView = [];
    if (this.chosen) this.drawPass(0, 0.13, []);
    this.drawPass(this.chosen ? 1 : null, this.chosen ? 1 : 0.85, inView);
    const context = this.points.getContext("2d");
    context.putImageData(this.splats.image, 0, 0);
    if (this.pictures && !this.move && inView.length <= MAX_PICTURES) this.drawPictures(context, inView);
  }

  /** Set the markers of all visible points, or of those that are chosen or not. */
  drawPass(which, alpha, inView) {
    const { at, order, visible, style, markers, splats, ratio, chosen, view } = this;
    const { width, height } = this.points;
    const scale = view.scale * ratio, left = width / 2 - view.x * scale, top = height / 2 + view.y * scale;
    const reach = markers.length ? markers[0].reach : 0;
    for (let k = 0; k < order.length; k++) {
      const i = order[k];
      if (!visible[i] || (which !== null && chosen[i] !== which)) continue;
      const sx = Math.round(at[2 * i] * scale + left), sy = Math.round(top - at[2 * i + 1] * scale);
      if (sx < -reach || sy < -reach || sx >= width + reach || sy >= height + reach) continue;
      splats.set(markers[style[i]], sx, sy, alpha);
      if (inView.length <= MAX_PICTURES) inView.push(i);
    }
  }

  drawPictures(context, indices) {
    const side = (indices.length > 30 ? 30 : indices.length > 12 ? 42 : 58) * this.ratio;
    context.imageSmoothingEnabled = false;
    for (const i of indices) {
      const picture = this.picture(i);
      if (!picture) continue;
      const [sx, sy] = this.screenOf(i);
      const [x, y] = [sx * this.ratio - side / 2, sy * this.ratio - side / 2];
      context.drawImage(picture, x, y, side, side);
      context.lineWidth = 2 * this.ratio;
      context.strokeStyle = this.looks[this.style[i]].fill;
      context.setLineDash(this.looks[this.style[i]].hollow ? [4 * this.ratio, 3 * this.ratio] : []);
      context.strokeRect(x, y, side, side);
    }
    context.setLineDash([]);
  }

  picture(i) {
    let picture = this.pictureOf.get(i);
    if (!picture) {
      picture = new Image();
      picture.onload = () => this.draw();
      picture.src = this.pictures(i);
      this.pictureOf.set(i, picture);
      if (this.pictureOf.size > 600) this.pictureOf.delete(this.pictureOf.keys().next().value);
    }
    return picture.complete && picture.naturalWidth ? picture : null;
  }

  drawMarks() {
    if (!this.width || !this.at) return;
    const context = this.marks.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    drawWords(context, this);
    if (this.pin) drawRing(context, ...this.toScreen(...this.toUnit(this.pin.x, this.pin.y)), true);
    if (this.focus >= 0 && this.focus < this.n) drawRing(context, ...this.screenOf(this.focus), false);
    if (this.lasso) drawLasso(context, this.lasso);
  }

  /** What is ringed: the picture's place, and the image in focus. */
  rings() {
    const found = [];
    if (this.pin) found.push(this.toScreen(...this.toUnit(this.pin.x, this.pin.y)));
    if (this.focus >= 0 && this.focus < this.n) found.push(this.screenOf(this.focus));
    return found.map(([x, y]) => ({ x, y, width: 30, height: 30 }));
  }
}

/** Points in an order that favours no class, the same every time. */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, k) => k);
  let state = 12345;
  for (let k = n - 1; k > 0; k--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = state % (k + 1);
    [order[k], order[other]] = [order[other], order[k]];
  }
  return order;
}

/** Whether a point lies within a polygon: the even-odd rule. */
export function inside(polygon, px, py) {
  let odd = false;
  for (let k = 0, j = polygon.length - 1; k < polygon.length; j = k++) {
    const [x0, y0] = polygon[k], [x1, y1] = polygon[j];
    if (y0 > py !== y1 > py && px < ((x1 - x0) * (py - y0)) / (y1 - y0) + x0) odd = !odd;
  }
  return odd;
}
