// Elements and numbers: the few helpers that every view needs.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: attributes by name, `on…` as listeners, `class`, then children. */
export function h(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

/** Show a sentence in an alert region, or hide the region. */
export function alertIn(element, sentence) {
  element.hidden = !sentence;
  element.textContent = sentence ?? "";
}

const whole = new Intl.NumberFormat("en-GB");
export const count = (n) => whole.format(n);
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

/** A fraction as a percentage: 0.834 → "83 %"; never 0 or 100 where it is not. */
export function percent(fraction, digits = 0) {
  if (fraction === null || fraction === undefined || Number.isNaN(fraction)) return "–";
  const smallest = 10 ** -digits;
  const hundred = fraction * 100;
  if (hundred > 0 && hundred < smallest) return `< ${smallest} %`;
  if (hundred < 100 && hundred > 100 - smallest / 2) return `> ${(100 - smallest).toFixed(digits)} %`;
  return `${hundred.toFixed(digits)} %`;
}

const list = new Intl.ListFormat("en-GB", { type: "conjunction" });
/** "polar and bear" */
export const listed = (words) => list.format(words);

/** A score with about three significant figures and a true minus sign. */
export function score(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "−∞";
  const size = Math.abs(value);
  const text = size >= 1e6 || (size > 0 && size < 1e-3) ? size.toExponential(2)
    : size >= 100 ? size.toFixed(0) : size >= 10 ? size.toFixed(1) : size.toFixed(2);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** Call `f` once things have been quiet for `ms`. */
export function debounced(f, ms) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...values), ms);
  };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A labelled bar: `share` of the whole width, and the value written beside it. */
export function bar(label, share, value, kind = "") {
  const filled = h("span", { class: "bar-fill" });
  filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h("li", { class: `bar ${kind}` },
    h("span", { class: "bar-label" }, label),
    h("span", { class: "bar-track", "aria-hidden": "true" }, filled),
    h("span", { class: "bar-value" }, value));
}
