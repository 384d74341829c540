// What the reader takes hold of: the frame around a picture with its buttons, handles to drag, native controls, readouts;
// and the thread between them and the state that the kernel or the page keeps.
import { KEYS, clamp, fixed, h, num, rich, round, set, uid, v, write } from "./kit.js";

// Runs `draw` once a frame however many changes came; `soon` asks for it, `now` does it.
function scheduler(draw) {
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
  const plots = part("plots"), readouts = part("readouts"), controls = part("controls");
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

const SHAPES = {
  circle: () => v("circle", { r: 8 }),
  diamond: () => v("path", { d: "M0-10.5 10.5 0 0 10.5-10.5 0Z" }),
};
// A handle that is dragged up and down, and moved by the keys as any slider. `get` and `put` speak the value's own units;
// `spec()` gives the present {min, max, step, pixels} with `pixels` the height of one unit.
export function handle(parent, { name, shape, tone, width, get, put, spec, speak = (value) => fixed(value, 1) }) {
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
    set(node, { transform: `translate(0 ${y})`, "aria-valuemin": min, "aria-valuemax": max, "aria-valuenow": value, "aria-valuetext": speak(value) });
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
  parent.append(h("div", { class: "gpkl-readout" }, h("div", { class: "gpkl-label" }, mark, rich(caption)), h("div", { class: "gpkl-number" }, data)));
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
