// What the explorables draw with: elements, typography of symbols, numbers as text, plots. No maths here.
// Plots have no viewBox: x is in per cent of the width, y in CSS pixels, so that text keeps its size at every width.

/** @typedef {Record<string, string | number | undefined>} Attributes */
/** @typedef {Node | string} Child */
/** @typedef {HTMLElementTagNameMap} OfHtml */
/** @typedef {SVGElementTagNameMap} OfSvg */
/** @typedef {(tag: any, attrs?: Attributes, ...children: (Child | Child[])[]) => Element} Maker what `h` and `v` are */

const SVG = "http://www.w3.org/2000/svg";
// JupyterLab keeps the arrow keys for itself unless the focused element says this.
export const KEYS = { "data-lm-suppress-shortcuts": "true" };
// Each module brings its own copy of this file, so a count alone would give two elements of a page the same id.
const COPY = Math.random().toString(36).slice(2, 8);
let serial = 0;
/** @type {(stem: string) => string} */
export function uid(stem) {
  serial += 1;
  return `gpkl-${stem}-${COPY}-${serial}`;
}

/** @type {<E extends Element>(node: E, attrs: Attributes, children: (Child | Child[])[]) => E} */
function build(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs)) if (value !== undefined) node.setAttribute(name, String(value));
  node.append(...children.flat());
  return node;
}

// An element of HTML, and one of SVG.
/** @type {<K extends keyof OfHtml>(tag: K, attrs?: Attributes, ...children: (Child | Child[])[]) => OfHtml[K]} */
export const h = (tag, attrs = {}, ...children) => build(document.createElement(tag), attrs, children);
/** @type {<K extends keyof OfSvg>(tag: K, attrs?: Attributes, ...children: (Child | Child[])[]) => OfSvg[K]} */
export const v = (tag, attrs = {}, ...children) => build(document.createElementNS(SVG, tag), attrs, children);

// Only what has changed is written, against a memory of what was: asking the page costs as much as telling it.
/** @type {WeakMap<Node, Record<string | symbol, unknown>>} */
const WRITTEN = new WeakMap();
const TEXT = Symbol("text");
const KEY = Symbol("key");

/** @type {(node: Node, what: string | symbol, value: unknown) => boolean} */
function changed(node, what, value) {
  let last = WRITTEN.get(node);
  if (!last) {
    last = {};
    WRITTEN.set(node, last);
  }
  if (last[what] === value) return false;
  last[what] = value;
  return true;
}

/** @type {(node: Element, attrs: Attributes) => void} */
export function set(node, attrs) {
  for (const name in attrs) if (changed(node, name, attrs[name])) node.setAttribute(name, String(attrs[name]));
}

/** @type {(node: Element, text: string) => void} */
export function write(node, text) {
  if (!changed(node, TEXT, text)) return;
  if (node.firstChild instanceof Text) node.firstChild.data = text;
  else node.textContent = text;
}

// Rebuild the children of a node only when `key`, which they depend on alone, is a new one.
/** @type {(node: Element, key: unknown, children: () => Child[]) => void} */
export function rebuild(node, key, children) {
  if (changed(node, KEY, JSON.stringify(key))) node.replaceChildren(...children());
}

// As many children of a node as there are values, made once and moved: `make()` an element, `place(element, value)` it.
/**
 * @type {<T>(node: Element, values: T[], make: () => Node,
 *   place: (child: Element, value: T, i: number) => void) => void}
 */
export function pool(node, values, make, place) {
  while (node.childElementCount < values.length) node.append(make());
  values.forEach((value, i) => place(node.children[i], value, i));
  for (let i = values.length; i < node.childElementCount; i += 1) set(node.children[i], { visibility: "hidden" });
}

// "*T* log *n*" as nodes, what stands between stars in italics and between backticks as code
/** @type {(text: string, make?: Maker) => Child[]} */
export function rich(text, make = h) {
  return text
    .split(/(\*[^*]+\*|`[^`]+`)/)
    .filter(Boolean)
    .map((part) => {
      if (part.length > 2 && part[0] === "*")
        return make(make === v ? "tspan" : "i", { class: "gpkl-var" }, part.slice(1, -1));
      if (part.length > 2 && part[0] === "`") return make(make === v ? "tspan" : "code", {}, part.slice(1, -1));
      return part;
    });
}
const SUB = "₀₁₂₃₄₅₆₇₈₉";
const SUP = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** @type {(i: number) => string} */
export const sub = (i) => SUB[i];
/** @type {(text: string) => string} */
export const minus = (text) => text.replace("-", "−");

// fixed decimals, for labels in a picture, where there is no room for more
/** @type {(value: number, digits: number) => string} */
export const fixed = (value, digits) => minus(Number(value.toFixed(digits)).toFixed(digits));

// a number as a reader wants it: fixed decimals, powers of ten where those would show only zeros
/** @type {(value: number, digits?: number) => string} */
export function num(value, digits = 4) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.5 * 10 ** -digits || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    const power = [...exponent].map((c) => (c === "-" ? "⁻" : c === "+" ? "" : SUP[Number(c)])).join("");
    return minus(`${mantissa}·10${power}`);
  }
  return fixed(value, digits);
}

/** @type {(a: unknown, b: unknown) => boolean} */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
/** @type {(value: number, step: number) => number} */
export const round = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));

// a number as Python reads it
/** @type {(value: number) => string} */
export const py = (value) => (Number.isInteger(value) ? `${value}.0` : String(value));
/** @type {(values: number[]) => string} */
export const pyTensor = (values) => `torch.tensor([${values.map(py).join(", ")}], dtype=torch.float64)`;

// the least of 1, 2, 5, 10 times the power that is not below `value`
/** @type {(value: number, power: number) => number} */
const stepAbove = (value, power) => power * ([1, 2, 5].find((m) => m * power >= value) ?? 10);
/** @type {(value: number) => number} */
const powerBelow = (value) => 10 ** Math.floor(Math.log10(value));

// about `count` round numbers between low and high
/** @type {(low: number, high: number, count: number) => number[]} */
export function ticks(low, high, count) {
  const raw = (high - low) / count;
  const step = stepAbove(raw, powerBelow(raw));
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    round((first + i) * step, step / 10),
  );
}

// the least of 1, 2, 5 times a power of ten that is not below `value`
/** @type {(value: number) => number} */
export function ceiling(value) {
  const power = powerBelow(value);
  return round(stepAbove(value * (1 - 1e-9), power), power / 10);
}

// A plot: caption above, an svg of fixed height below. `inset` leaves room around it for ticks, in pixels.
/** @typedef {{ caption: string, height: number, label: string, wide?: boolean, inset?: number[] }} PlotOptions */
/** @type {(parent: Element, options: PlotOptions) => SVGSVGElement} */
export function plot(parent, { caption, height, label, wide = false, inset = [8, 8, 24, 28] }) {
  const [top, right, bottom, left] = inset;
  const svg = v("svg", { class: "gpkl-plot", role: "group", "aria-label": label, height });
  svg.style.cssText = `margin:${top}px ${right}px ${bottom}px ${left}px;width:calc(100% - ${left + right}px)`;
  parent.append(
    h(
      "div",
      { class: wide ? "gpkl-panel gpkl-wide" : "gpkl-panel" },
      h("div", { class: "gpkl-label" }, rich(caption)),
      svg,
    ),
  );
  return svg;
}

// The line above a plot, for a caption with keys in it.
/** @type {(svg: Element) => Element} */
export const captionOf = (svg) => /** @type {Element} */ (svg.previousElementSibling);

// Where the pointer is in a square picture of `size` pixels that is in the middle of its plot and shrinks with it: from
// the middle to the right and up, in pixels of the picture.
/** @type {(svg: SVGElement, size: number, event: PointerEvent) => number[]} */
export const fromMiddle = (svg, size, event) => {
  const box = svg.getBoundingClientRect();
  const scale = Math.min(box.width, size) / size;
  return [(event.clientX - box.left - box.width / 2) / scale, (box.top + box.height / 2 - event.clientY) / scale];
};

// A part of a plot in which x goes from 0 to 100, whatever its width in pixels: for paths.
/** @type {(height: number, attrs?: Attributes, ...children: (Child | Child[])[]) => SVGSVGElement} */
export const stretched = (height, attrs = {}, ...children) => {
  const box = { width: "100%", height, viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none" };
  return v("svg", { ...box, class: "gpkl-column", ...attrs }, ...children);
};

// Text in a plot, symbols between stars in italics.
/** @type {(text: string, attrs?: Attributes) => SVGTextElement} */
export const label = (text, attrs = {}) => v("text", { class: "gpkl-text", ...attrs }, rich(text, v));

// n groups side by side, each with its own origin in the middle of its column; `make(group, i, n)` fills them.
/** @type {<C>(stage: Element, n: number, make: (group: SVGSVGElement, i: number, n: number) => C) => C[]} */
export function columns(stage, n, make) {
  const groups = Array.from({ length: n }, (_, i) =>
    v("svg", { x: `${(100 * (i + 0.5)) / n}%`, class: "gpkl-column" }),
  );
  stage.replaceChildren(...groups);
  return groups.map((group, i) => make(group, i, n));
}

// Diagonal strokes as a fill, for what must not rest on colour alone; returns the paint.
/** @type {(svg: Element, tone: string) => string} */
export function pattern(svg, tone) {
  const id = uid("hatch");
  svg.append(
    v(
      "defs",
      {},
      v(
        "pattern",
        { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        v("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: `gpkl-hatch ${tone}` }),
      ),
    ),
  );
  return `url(#${id})`;
}

// fixed decimals where there is room for them beside a plot, else a power of ten
/** @type {(value: number, digits: number) => string} */
function tick(value, digits) {
  if (Math.abs(value) < 1e5) return fixed(value, digits);
  return num(value).replace(".00·", "·").replace("1·", "");
}

// Horizontal grid lines with their numbers left of the plot; the line at `strong` is drawn heavier.
/**
 * @type {(group: Element, values: number[], toY: (value: number) => number,
 *   options?: { strong?: number, digits?: number }) => void}
 */
export function grid(group, values, toY, { strong = 0, digits = 0 } = {}) {
  rebuild(group, [values, values.map(toY)], () =>
    values.map((value) => {
      const y = toY(value);
      return v(
        "g",
        {},
        v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: value === strong ? "gpkl-axis" : "gpkl-grid" }),
        v("text", { x: 0, dx: -6, y, dy: "0.32em", class: "gpkl-tick gpkl-end" }, tick(value, digits)),
      );
    }),
  );
}
