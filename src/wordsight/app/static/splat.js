// Small markers set into a picture's bytes directly. Ten thousand of them take a few milliseconds
// on any machine; drawing them one by one on a canvas takes a hundred where no GPU helps.

import { trace } from "./palette.js";

const OPAQUE = 250;

/** A picture of one colour that markers are set into. */
export class Splats {
  constructor(width, height, ground) {
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.bytes = this.image.data;
    this.ground = ground;
  }

  clear() {
    const [r, g, b] = this.ground;
    this.pixels.fill((255 << 24) | (b << 16) | (g << 8) | r);
  }

  /** Set a marker's middle at a pixel; `alpha` from 0 to 1 fades the whole of it. */
  set(marker, x, y, alpha) {
    const { width, height } = this.image;
    const { dx, dy, rgba, packed, reach } = marker;
    const within = x >= reach && y >= reach && x < width - reach && y < height - reach;
    for (let k = 0; k < dx.length; k++) {
      const px = x + dx[k], py = y + dy[k];
      if (!within && (px < 0 || py < 0 || px >= width || py >= height)) continue;
      const at = py * width + px;
      const a = rgba[4 * k + 3] * alpha;
      if (a >= OPAQUE) {
        this.pixels[at] = packed[k];
        continue;
      }
      const share = a / 255, byte = 4 * at;
      for (let channel = 0; channel < 3; channel++) {
        const old = this.bytes[byte + channel];
        this.bytes[byte + channel] = old + (rgba[4 * k + channel] - old) * share;
      }
    }
  }
}

/** Draw a marker once, and keep the pixels that are not empty. */
export function makeMarker({ fill, shape, hollow = false }, radius, edge) {
  const half = Math.ceil(radius + 1.5), side = 2 * half + 1;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const line = hollow ? Math.max(1.1, radius * 0.42) : 0.5;
  trace(context, shape, half + 0.5, half + 0.5, hollow ? radius - line / 3 : radius);
  if (!hollow) {
    context.fillStyle = fill;
    context.fill();
  }
  context.strokeStyle = hollow ? fill : edge;
  context.lineWidth = line;
  context.stroke();
  const { data } = context.getImageData(0, 0, side, side);
  const used = [];
  for (let k = 0; k < side * side; k++) if (data[4 * k + 3] > 6) used.push(k);
  const rgba = new Uint8Array(4 * used.length);
  used.forEach((k, j) => rgba.set(data.subarray(4 * k, 4 * k + 4), 4 * j));
  return {
    dx: Int8Array.from(used, (k) => (k % side) - half),
    dy: Int8Array.from(used, (k) => Math.floor(k / side) - half),
    rgba,
    packed: Uint32Array.from(used, (_, j) => (255 << 24) | (rgba[4 * j + 2] << 16) | (rgba[4 * j + 1] << 8) | rgba[4 * j]),
    reach: half,
  };
}
