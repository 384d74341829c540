// What the explorables share on the page: elements, typography of symbols, handles to drag, native controls, the frame
// around a picture. No maths here. Plots have no viewBox: x is in per cent of the width, y in CSS pixels, so that text
// keeps its size at every width.

const SVG = "http://www.w3.org/2000/svg";
// JupyterLab keeps the arrow keys for itself unless the focused element says this.
export const KEYS = { "data-lm-suppress-shortcuts": "true" };
// Each module brings its own copy of this file, so a count alone would give two elements of a page the same id.
const COPY = Math.random().toString(36).slice(2, 8);
let serial = 0;
export const uid = (stem) => `gpkl-${stem}-${COPY}-${(serial += 1)}`;

function build(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs)) if (value !== undefined) node.setAttribute(name, value);
  node.append(...children.flat());
  return node;
}
export const h = (tag, attrs = {}, ...children) => build(document.createElement(tag), attrs, children);
export const v = (tag, attrs = {}, ...children) => build(document.createElementNS(SVG, tag), attrs, children);
// Only what has changed is written, against a memory of what was: asking the page costs as much as telling it.
const LAST = Symbol("last written"), TEXT = Symbol("text"), KEY = Symbol("key");
export function set(node, attrs) {
  const last = (node[LAST] ??= {});
  for (const name in attrs) {
    if (last[name] === attrs[name]) continue;
    last[name] = attrs[name];
    node.setAttribute(name, attrs[name]);
  }
}
export function write(node, text) {
  const last = (node[LAST] ??= {});
  if (last[TEXT] === text) return;
  last[TEXT] = text;
  if (node.firstChild) node.firstChild.data = text;
  else node.textContent = text;
}
// Rebuild the children of a node only when `key`, which they depend on alone, is a new one.
export function rebuild(node, key, children) {
  const last = (node[LAST] ??= {}), text = JSON.stringify(key);
  if (last[KEY] === text) return;
  last[KEY] = text;
  node.replaceChildren(...children());
}
// As many children of a node as there are values, made once and moved: `make()` an element, `place(element, value)` it.
export function pool(node, values, make, place) {
  while (node.childElementCount < values.length) node.append(make());
  values.forEach((value, i) => place(node.children[i], value, i));
  for (let i = values.length; i < node.childElementCount; i += 1) set(node.children[i], { visibility: "hidden" });
}

// "*T* log *n*" as nodes, what stands between stars in italics and between backticks as code
export function rich(text, make = h) {
  return text.split(/(\*[^*]+\*|`[^`]+`)/).filter(Boolean).map((part) => {
    if (part.length > 2 && part[0] === "*") return make(make === v ? "tspan" : "i", { class: "gpkl-var" }, part.slice(1, -1));
    if (part.length > 2 && part[0] === "`") return make(make === v ? "tspan" : "code", {}, part.slice(1, -1));
    return part;
  });
}
export const plain = (text) => text.replace(/[*`]/g, "");

const SUB = "₀₁₂₃₄₅₆₇₈₉", SUP = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export const sub = (i) => SUB[i];
const minus = (text) => text.replace("-", "−");
// a number as a reader wants it: fixed decimals, powers of ten where those would show only zeros
export function num(value, digits = 4) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.5 * 10 ** -digits || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    const power = [...exponent].map((c) => (c === "-" ? "⁻" : c === "+" ? "" : SUP[c])).join("");
    return minus(`${mantissa}·10${power}`);
  }
  return minus(Math.abs(value).toFixed(digits) === (0).toFixed(digits) ? (0).toFixed(digits) : value.toFixed(digits));
}
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const round = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));
// a number as Python reads it
export const py = (value) => (Number.isInteger(value) ? `${value}.0` : String(value));
export const pyTensor = (values) => `torch.tensor([${values.map(py).join(", ")}], dtype=torch.float64)`;

// about `count` round numbers between low and high
export function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => round((first + i) * step, step / 10));
}
// the least of 1, 2, 5 times a power of ten that is not below `value`
export function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return round([1, 2, 5, 10].find((m) => m * power >= value * (1 - 1e-9)) * power, power / 10);
}

// Runs `draw` once a frame however many changes came; `soon` asks for it, `now` does it.
export function scheduler(draw) {
  let asked = 0;
  const now = () => {
    cancelAnimationFrame(asked);
    asked = 0;
    draw();
  };
  return { now, soon: () => (asked ||= requestAnimationFrame(now)), stop: () => cancelAnimationFrame(asked) };
}

// The frame: title and reset, plots, controls, readouts, the line of Python, and what a screen reader is told.
export function frame(el, { kind, title, onReset }) {
  const part = (name, tag = "div", attrs = {}) => h(tag, { class: `gpkl-${name}`, ...attrs });
  const reset = h("button", { type: "button", class: "gpkl-button", ...KEYS }, "Reset");
  reset.addEventListener("click", onReset);
  const heading = uid("title");
  const code = h("code"), copy = h("button", { type: "button", class: "gpkl-button", ...KEYS }, "Copy");
  copy.setAttribute("aria-label", "Copy the line of Python");
  const status = part("status", "div", { role: "status", "aria-live": "polite" });
  const say = announcer(status);
  copy.addEventListener("click", async () => {
    const done = await copyText(code);
    copy.textContent = done ? "Copied" : "Selected";
    say(done ? "Copied" : "Selected: copy it with the keyboard", 0);
    setTimeout(() => (copy.textContent = "Copy"), 1600);
  });
  const plots = part("plots"), readouts = part("readouts", "dl"), controls = part("controls");
  el.append(h(
    "div",
    { class: `gpkl gpkl-${kind}`, role: "group", "aria-labelledby": heading },
    h("div", { class: "gpkl-body" },
      h("div", { class: "gpkl-head" }, h("span", { id: heading, class: "gpkl-title" }, title), reset),
      plots, controls, readouts,
      h("div", { class: "gpkl-python" }, h("span", { class: "gpkl-label" }, "In Python"), code, copy),
      status),
  ));
  return { plots, readouts, controls, code, say };
}

async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return false;
  }
}

// Text for screen readers, at most one a pause: dragging does not flood them.
function announcer(node) {
  let timer = 0;
  return (text, pause = 700) => {
    clearTimeout(timer);
    timer = setTimeout(() => (node.textContent = text), pause);
  };
}

// A plot: caption above, an svg of fixed height below. `inset` leaves room around it for ticks, in pixels.
export function plot(parent, { caption, height, label, wide = false, inset = [8, 8, 24, 28] }) {
  const [top, right, bottom, left] = inset;
  const svg = v("svg", { class: "gpkl-plot", role: "group", "aria-label": label, height });
  svg.style.cssText = `margin:${top}px ${right}px ${bottom}px ${left}px;width:calc(100% - ${left + right}px)`;
  parent.append(
    h("figure", { class: wide ? "gpkl-panel gpkl-wide" : "gpkl-panel" }, h("figcaption", { class: "gpkl-label" }, rich(caption)), svg),
  );
  return svg;
}

// Text in a plot, symbols between stars in italics.
export const label = (text, attrs = {}) => v("text", { class: "gpkl-text", ...attrs }, rich(text, v));

// n groups side by side, each with its own origin in the middle of its column; `make(group, i, n)` fills them.
export function columns(stage, n, make) {
  const groups = Array.from({ length: n }, (_, i) => v("svg", { x: `${(100 * (i + 0.5)) / n}%`, class: "gpkl-column" }));
  stage.replaceChildren(...groups);
  return groups.map((group, i) => make(group, i, n));
}

// Diagonal strokes as a fill, for what must not rest on colour alone; returns the paint.
export function pattern(svg, tone) {
  const id = uid("hatch");
  svg.append(v("defs", {}, v("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    v("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: `gpkl-hatch ${tone}` }))));
  return `url(#${id})`;
}

// Horizontal grid lines with their numbers left of the plot; the line at `strong` is drawn heavier.
export function grid(group, values, toY, { strong = 0, digits = 0 } = {}) {
  rebuild(group, [values, values.map(toY)], () =>
    values.map((value) => {
      const y = toY(value);
      return v("g", {},
        v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: value === strong ? "gpkl-axis" : "gpkl-grid" }),
        v("text", { x: 0, dx: -6, y, dy: "0.32em", class: "gpkl-tick gpkl-end" }, minus(value.toFixed(digits))));
    }),
  );
}

const SHAPES = {
  circle: () => v("circle", { r: 8 }),
  diamond: () => v("path", { d: "M0-10.5 10.5 0 0 10.5-10.5 0Z" }),
};
// A handle that is dragged up and down, and moved by the keys as any slider. `get` and `put` speak the value's own units;
// `spec()` gives the present {min, max, step, pixels} with `pixels` the height of one unit.
export function handle(parent, { name, shape, tone, width, get, put, spec, speak = (value) => num(value, 1) }) {
  const node = v("g", { class: `gpkl-handle gpkl-${tone}`, role: "slider", tabindex: 0, "aria-orientation": "vertical", "aria-label": name, ...KEYS },
    v("rect", { class: "gpkl-hit", x: -width / 2, y: -24, width, height: 48 }),
    v("circle", { class: "gpkl-focus", r: 14 }), SHAPES[shape]());
  parent.append(node);
  const move = (value) => {
    const { min, max, step } = spec();
    put(round(clamp(value, min, max), step));
  };
  let from = null;
  node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false }); // where touch-action is not known in SVG
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = { y: event.clientY, value: get() };
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    event.preventDefault();
  });
  node.addEventListener("pointermove", (event) => {
    if (from) move(from.value + (from.y - event.clientY) / spec().pixels);
  });
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => (from = null));
  node.addEventListener("keydown", (event) => {
    const { min, max, step } = spec();
    const by = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: 10 * step, PageDown: -10 * step }[event.key];
    if (by) move(get() + by);
    else if (event.key === "Home") move(min);
    else if (event.key === "End") move(max);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return (y) => {
    const { min, max } = spec(), value = get();
    set(node, { transform: `translate(0 ${y})`, "aria-valuemin": min, "aria-valuemax": max, "aria-valuenow": value, "aria-valuetext": minus(speak(value)) });
  };
}

// Dragging anywhere across a plot, for a control that has its own native slider; `move` gets the share of the width.
export function dragAcross(svg, move) {
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    move((event.clientX - box.left) / box.width);
  };
  svg.classList.add("gpkl-across");
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    svg.setPointerCapture(event.pointerId);
    at(event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => svg.hasPointerCapture(event.pointerId) && at(event));
}

const field = (label, control, extra = []) =>
  h("div", { class: "gpkl-field" }, h("label", { for: control.id, class: "gpkl-label" }, label), control, extra);

// A native slider; `toValue` and `fromValue` turn its position into the value and back (a logarithmic scale, say).
export function slider(parent, { caption, min, max, step, toValue = (p) => p, fromValue = (x) => x, put, show }) {
  const id = uid("range"), value = h("output", { for: id, class: "gpkl-value" });
  const input = h("input", { id, type: "range", min, max, step, ...KEYS });
  input.addEventListener("input", () => put(toValue(Number(input.value))));
  parent.append(field([h("span", {}, rich(caption)), value], input));
  return (present) => {
    const position = clamp(fromValue(present), min, max);
    if (Number(input.value) !== position) input.value = position;
    write(value, show(present));
    set(input, { "aria-valuetext": show(present) });
  };
}

// A menu of starting points; the first entry stands for "the reader's own".
export function presets(parent, { caption, entries, put }) {
  const select = h("select", { id: uid("preset"), class: "gpkl-select", ...KEYS },
    h("option", { value: "" }, "your own"), entries.map(([name], i) => h("option", { value: i }, name)));
  select.addEventListener("change", () => select.value !== "" && put(entries[Number(select.value)][1]));
  parent.append(field(rich(caption), select));
  return (matches) => {
    const found = entries.findIndex(([, state]) => matches(state));
    select.value = found < 0 ? "" : String(found);
  };
}

// One of a few, as native radio buttons side by side.
export function choice(parent, { caption, options, put }) {
  const name = uid("choice");
  const radios = options.map((option) => h("input", { type: "radio", name, value: option, ...KEYS }));
  radios.forEach((radio) => radio.addEventListener("change", () => put(radio.value)));
  parent.append(h("fieldset", { class: "gpkl-field gpkl-choice" }, h("legend", { class: "gpkl-label" }, rich(caption)),
    h("div", { class: "gpkl-segments" }, radios.map((radio, i) => h("label", {}, radio, h("span", {}, options[i]))))));
  return (present) => radios.forEach((radio) => (radio.checked = radio.value === present));
}

// Named numbers. Each is a <data> element whose value attribute has all the digits.
export function readout(parent, key, caption, swatch) {
  const data = h("data", { "data-key": key });
  const mark = swatch ? [h("span", { class: `gpkl-swatch ${swatch}`, "aria-hidden": "true" })] : [];
  parent.append(h("div", { class: "gpkl-readout" }, h("dt", { class: "gpkl-label" }, mark, rich(caption)), h("dd", {}, data)));
  return (value, text = num(value)) => {
    set(data, { value });
    write(data, text);
  };
}

// Draw when any of the traits changes; returns what takes it all down again.
export function follow(model, traits, draw) {
  const { soon, now, stop } = scheduler(draw);
  for (const trait of traits) model.on(`change:${trait}`, soon);
  now();
  return () => {
    stop();
    for (const trait of traits) model.off(`change:${trait}`, soon);
  };
}
export function put(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}
