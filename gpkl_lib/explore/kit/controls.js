// What the reader takes hold of: the frame around a picture with its buttons, handles to drag, native controls,
// readouts; and the thread between them and the state that the kernel or the page keeps.
import { clamp, fixed, h, KEYS, num, rebuild, rich, round, set, uid, v, write } from "./kit.js";

/** @typedef {import("./kit.js").Child} Child */
/** @typedef {Record<string, any>} State values of traits by name */
/**
 * @typedef {object} Model what anywidget or the page's host gives
 * @property {(trait: string) => any} get
 * @property {(trait: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, listener: () => void) => void} on
 * @property {(event: string, listener: () => void) => void} off
 */

// Runs `draw` once a frame however many changes came; `soon` asks for it, `now` does it.
/** @type {(draw: () => void) => { now: () => void, soon: () => void, stop: () => void }} */
function scheduler(draw) {
  let asked = 0;
  const now = () => {
    cancelAnimationFrame(asked);
    asked = 0;
    draw();
  };
  const soon = () => {
    asked ||= requestAnimationFrame(now);
  };
  return { now, soon, stop: () => cancelAnimationFrame(asked) };
}

// The frame: title and reset, plots, controls, readouts, the line of Python, and what a screen reader is told. `style`
// are the explorable's own rules, which all begin with a class that no other has.
/** @typedef {(text: string, pause?: number) => void} Say */
/**
 * @type {(el: Element, options: { kind: string, title: string, onReset: () => void, style?: string }) =>
 *   { plots: HTMLElement, readouts: HTMLElement, controls: HTMLElement, code: HTMLElement, say: Say }}
 */
export function frame(el, { kind, title, onReset, style = "" }) {
  /** @type {(name: string, attrs?: import("./kit.js").Attributes) => HTMLElement} */
  const part = (name, attrs = {}) => h("div", { class: `gpkl-${name}`, ...attrs });
  const reset = h("button", { type: "button", class: "gpkl-button", ...KEYS }, "Reset");
  reset.addEventListener("click", onReset);
  const heading = uid("title");
  const code = h("code");
  const copy = h("button", { type: "button", class: "gpkl-button", ...KEYS }, "Copy");
  copy.setAttribute("aria-label", "Copy the line of Python");
  const status = part("status", { role: "status", "aria-live": "polite" });
  const say = announcer(status);
  copy.addEventListener("click", async () => {
    const done = await copyText(code);
    write(copy, done ? "Copied" : "Selected");
    say(done ? "Copied" : "Selected: copy it with the keyboard", 0);
    setTimeout(() => write(copy, "Copy"), 1600);
  });
  const plots = part("plots");
  const readouts = part("readouts");
  const controls = part("controls");
  el.append(
    h(
      "div",
      { class: `gpkl gpkl-${kind}`, role: "group", "aria-labelledby": heading },
      h(
        "div",
        { class: "gpkl-body" },
        h("div", { class: "gpkl-head" }, h("span", { id: heading, class: "gpkl-title" }, title), reset),
        plots,
        controls,
        readouts,
        h("div", { class: "gpkl-python" }, h("span", { class: "gpkl-label" }, "In Python"), code, copy),
        status,
      ),
    ),
  );
  if (style) el.append(h("style", {}, style));
  return { plots, readouts, controls, code, say };
}

/** @type {(node: Element) => Promise<boolean>} */
async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(node);
    return false;
  }
}

// Text for screen readers, at most one a pause: dragging does not flood them.
/** @type {(node: Element) => Say} */
function announcer(node) {
  let timer = 0;
  return (text, pause = 700) => {
    clearTimeout(timer);
    timer = setTimeout(() => write(node, text), pause);
  };
}

/** @type {(value: number) => string} */
const oneDecimal = (value) => fixed(value, 1);

// by key, how many steps a slider moves
/** @type {Record<string, number>} */
const ARROWS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 };
/** @type {Record<string, number>} */
const STEPS = { ...ARROWS, PageUp: 10, PageDown: -10 };
const SHAPES = {
  circle: () => v("circle", { r: 8 }),
  diamond: () => v("path", { d: "M0-10.5 10.5 0 0 10.5-10.5 0Z" }),
};

// What is taken hold of, by mouse, finger and keys: a shape with room for a finger and a ring for the focus.
/**
 * @type {(
 *   shape: SVGElement, options: { name: string, tone: string, width?: number, height?: number }
 * ) => SVGElement}
 */
export const knob = (shape, { name, tone, width = 48, height = 48 }) =>
  v(
    "g",
    { class: `gpkl-handle gpkl-${tone}`, role: "slider", tabindex: 0, "aria-label": name, ...KEYS },
    v("rect", { class: "gpkl-hit", x: -width / 2, y: -height / 2, width, height }),
    v("circle", { class: "gpkl-focus", r: 14 }),
    shape,
  );

// While `node` is held, `move` gets every move of the pointer; before them `take` gets the press.
/** @type {(node: SVGElement, move: (event: PointerEvent) => void, take?: (event: PointerEvent) => void) => void} */
export function hold(node, move, take = () => {}) {
  // where touch-action is not known in SVG
  node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    take(event);
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    event.preventDefault();
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && move(event));
}

/**
 * @typedef {object} HandleOptions
 * @property {string} name what a screen reader calls it
 * @property {"circle" | "diamond"} shape
 * @property {string} tone
 * @property {number} width of what a finger may hit, in pixels
 * @property {() => number} get the present value, in its own units
 * @property {(value: number) => void} put
 * @property {() => { min: number, max: number, step: number, pixels: number }} spec its range, and the way of one unit
 * @property {(value: number) => string} [speak] what a screen reader says of it
 * @property {boolean} [sideways] dragged to the right and left, not up and down
 */

// A handle that is dragged, and moved by the keys as any slider. The function returned places it at a height.
/** @type {(parent: Element, options: HandleOptions) => (y: number) => void} */
export function handle(parent, { name, shape, tone, width, get, put, spec, speak = oneDecimal, sideways = false }) {
  const node = knob(SHAPES[shape](), { name, tone, width });
  set(node, { "aria-orientation": sideways ? "horizontal" : "vertical" });
  if (sideways) node.style.cursor = "ew-resize";
  parent.append(node);
  /** @type {(value: number) => void} */
  const move = (value) => {
    const { min, max, step } = spec();
    put(round(clamp(value, min, max), step));
  };
  /** @type {(event: PointerEvent) => number} */
  const along = (event) => (sideways ? event.clientX : -event.clientY);
  let from = { at: 0, value: 0 };
  hold(
    node,
    (event) => move(from.value + (along(event) - from.at) / spec().pixels),
    (event) => {
      from = { at: along(event), value: get() };
    },
  );
  node.addEventListener("keydown", (event) => {
    const { min, max, step } = spec();
    const by = STEPS[event.key];
    if (by) move(get() + by * step);
    else if (event.key === "Home") move(min);
    else if (event.key === "End") move(max);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return (y) => {
    const { min, max } = spec();
    const value = get();
    set(node, {
      transform: `translate(0 ${y})`,
      "aria-valuemin": min,
      "aria-valuemax": max,
      "aria-valuenow": value,
      "aria-valuetext": speak(value),
    });
  };
}

// Dragging anywhere across a plot, for a control that has its own native slider; `move` gets the share of the width.
/** @type {(svg: SVGElement, move: (share: number) => void) => void} */
export function dragAcross(svg, move) {
  /** @type {(event: PointerEvent) => void} */
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

/** @type {(label: Child | Child[], control: Element, extra?: Child[]) => Element} */
const field = (label, control, extra = []) =>
  h("div", { class: "gpkl-field" }, h("label", { for: control.id, class: "gpkl-label" }, label), control, extra);

/** @type {(value: number) => number} */
const asItIs = (value) => value;

// A native slider; `toValue` and `fromValue` turn its position into the value and back (a logarithmic scale, say).
/**
 * @typedef {object} SliderOptions
 * @property {string} caption
 * @property {number} min of its position
 * @property {number} max
 * @property {number} step
 * @property {(position: number) => number} [toValue]
 * @property {(value: number) => number} [fromValue]
 * @property {(value: number) => void} put
 * @property {(value: number) => string} show
 */
/** @type {(parent: Element, options: SliderOptions) => (present: number) => void} */
export function slider(parent, { caption, min, max, step, toValue = asItIs, fromValue = asItIs, put, show }) {
  const id = uid("range");
  const value = h("output", { for: id, class: "gpkl-value" });
  const input = h("input", { id, type: "range", min, max, step, ...KEYS });
  input.addEventListener("input", () => put(toValue(Number(input.value))));
  // An arrow key goes on until another number is shown: a step may be finer than that.
  input.addEventListener("keydown", (event) => {
    const by = ARROWS[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const seen = show(toValue(Number(input.value)));
    let at = Number(input.value);
    do at = clamp(at + by * step, min, max);
    while (min < at && at < max && show(toValue(at)) === seen);
    input.value = String(at);
    put(toValue(Number(input.value)));
  });
  parent.append(field([h("span", {}, rich(caption)), value], input));
  return (present) => {
    const position = clamp(fromValue(present), min, max);
    if (Number(input.value) !== position) input.value = String(position);
    write(value, show(present));
    set(input, { "aria-valuetext": show(present) });
  };
}

// A menu with long names is given a row of its own where there is little room.
/** @type {(select: HTMLSelectElement) => void} */
const makeRoom = (select) => {
  const long = [...select.options].some(({ text }) => text.length > 8);
  select.parentElement?.classList.toggle("gpkl-long", long);
};

// A menu of starting points; the first entry stands for "the reader's own".
/**
 * @type {(parent: Element, options: { caption: string, entries: any[][], put: (state: any) => void }) =>
 *   (matches: (state: any) => boolean) => void}
 */
export function presets(parent, { caption, entries, put }) {
  const select = h(
    "select",
    { id: uid("preset"), class: "gpkl-select", ...KEYS },
    h("option", { value: "" }, "your own"),
    entries.map(([name], i) => h("option", { value: i }, name)),
  );
  select.addEventListener("change", () => {
    if (select.value !== "") put(entries[Number(select.value)][1]);
  });
  parent.append(field(rich(caption), select));
  makeRoom(select);
  return (matches) => {
    const found = entries.findIndex(([, state]) => matches(state));
    select.value = found < 0 ? "" : String(found);
  };
}

// A menu; what it offers, each a value and what it is called, is said with the present one.
/**
 * @type {(parent: Element, caption: string, choose: (value: string) => void) =>
 *   (options: string[][], present: string) => void}
 */
export function menu(parent, caption, choose) {
  const select = h("select", { id: uid("menu"), class: "gpkl-select", ...KEYS });
  select.addEventListener("change", () => choose(select.value));
  parent.append(field(h("span", {}, rich(caption)), select));
  return (options, present) => {
    rebuild(select, options, () => options.map(([value, text]) => h("option", { value }, text)));
    makeRoom(select);
    select.value = present;
  };
}

// One of a few, as native radio buttons side by side.
/**
 * @type {(parent: Element, options: { caption: string, options: string[], put: (value: string) => void }) =>
 *   (present: string) => void}
 */
export function choice(parent, { caption, options, put }) {
  const name = uid("choice");
  const radios = options.map((option) => h("input", { type: "radio", name, value: option, ...KEYS }));
  for (const radio of radios) radio.addEventListener("change", () => put(radio.value));
  parent.append(
    h(
      "fieldset",
      { class: "gpkl-field gpkl-choice" },
      h("legend", { class: "gpkl-label" }, rich(caption)),
      h(
        "div",
        { class: "gpkl-segments" },
        radios.map((radio, i) => h("label", {}, radio, h("span", {}, options[i]))),
      ),
    ),
  );
  return (present) => {
    for (const radio of radios) radio.checked = radio.value === present;
  };
}

// Named numbers. Each is a <data> element whose value attribute has all the digits.
/**
 * @type {(parent: Element, key: string, caption: string, swatch?: string) =>
 *   (value: number, text?: string) => void}
 */
export function readout(parent, key, caption, swatch) {
  const data = h("data", { "data-key": key });
  const mark = swatch ? [h("span", { class: `gpkl-swatch ${swatch}`, "aria-hidden": "true" })] : [];
  parent.append(
    h(
      "div",
      { class: "gpkl-readout" },
      h("div", { class: "gpkl-label" }, mark, rich(caption)),
      h("div", { class: "gpkl-number" }, data),
    ),
  );
  return (value, text = num(value)) => {
    set(data, { value });
    write(data, text);
  };
}

// Several of them, by their keys.
/**
 * @type {<Key extends string>(parent: Element, captions: Record<Key, string>) =>
 *   Record<Key, (value: number, text?: string) => void>}
 */
export function readouts(parent, captions) {
  const made = Object.entries(captions).map(([key, caption]) => [key, readout(parent, key, caption)]);
  return Object.fromEntries(made);
}

// Draw when any of the traits changes; returns what takes it all down again.
/** @type {(model: Model, traits: string[], draw: () => void) => () => void} */
export function follow(model, traits, draw) {
  const { soon, now, stop } = scheduler(draw);
  for (const trait of traits) model.on(`change:${trait}`, soon);
  now();
  return () => {
    stop();
    for (const trait of traits) model.off(`change:${trait}`, soon);
  };
}

// Change traits, and tell the kernel.
/** @type {(model: Model, changes: State) => void} */
export function put(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}
