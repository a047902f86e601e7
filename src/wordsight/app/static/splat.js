// Small markers set into a picture's bytes directly. Ten thousand of them take a few milliseconds
// on any machine; drawing them one by one on a canvas takes a hundred where no GPU helps.

import { trace } from "./palette.js";

const OPAQUE = 0xff000000, RED_BLUE = 0x00ff00ff, GREEN = 0x0000ff00;  // bytes lie as a, b, g, r

/** A picture of one colour that markers are set into. */
export class Splats {
  constructor(width, height, ground) {
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.ground = ground;
  }

  clear() {
    const [r, g, b] = this.ground;
    this.pixels.fill((255 << 24) | (b << 16) | (g << 8) | r);
  }

  /** Set a marker's middle at a pixel; `alpha` from 0 to 1 fades the whole of it. */
  set(marker, x, y, alpha) {
    const { pixels } = this;
    const { width, height } = this.image;
    const { dx, dy, reach } = marker;
    const { redBlue, green, rest } = faded(marker, alpha);
    const within = x >= reach && y >= reach && x < width - reach && y < height - reach;
    for (let k = 0; k < dx.length; k++) {
      const px = x + dx[k], py = y + dy[k];
      if (!within && (px < 0 || py < 0 || px >= width || py >= height)) continue;
      const at = py * width + px, below = pixels[at];
      // red and blue are mixed in one number, 16 bits apart, and green in another
      pixels[at] = OPAQUE
        | (((Math.imul(below & RED_BLUE, rest[k]) + redBlue[k]) >>> 8) & RED_BLUE)
        | (((Math.imul(below & GREEN, rest[k]) + green[k]) >>> 8) & GREEN);
    }
  }
}

/** A marker's pixels times their opacity (0 to 256), and what is left for the ground below. */
function faded(marker, alpha) {
  let made = marker.faded.get(alpha);
  if (!made) {
    const { rgba, dx } = marker;
    const n = dx.length;
    made = { redBlue: new Uint32Array(n), green: new Uint32Array(n), rest: new Uint16Array(n) };
    for (let k = 0; k < n; k++) {
      const a = Math.round((rgba[4 * k + 3] / 255) * alpha * 256);
      made.redBlue[k] = Math.imul((rgba[4 * k + 2] << 16) | rgba[4 * k], a);
      made.green[k] = Math.imul(rgba[4 * k + 1] << 8, a);
      made.rest[k] = 256 - a;
    }
    marker.faded.set(alpha, made);
  }
  return made;
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
    reach: half,
    faded: new Map(),
  };
}
