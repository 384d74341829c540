// "Code length": what does it cost to write p in a code that was made for q? Areas are nats or bits; infinity has its
// sign.

import { choice, follow, frame, handle, presets, put, readout, slider } from "./kit/controls.js";
import {
  captionOf,
  clamp,
  columns,
  fixed,
  grid,
  h,
  label,
  num,
  pattern,
  plot,
  pool,
  py,
  same,
  set,
  sub,
  v,
  write,
} from "./kit/kit.js";
import {
  crossEntropyOf,
  entropyOf,
  jeffreysOf,
  jensenShannonOf,
  klOf,
  moveMass,
  smoothed,
  surprise,
} from "./maths/distributions.js";

const HEIGHT = 216;
const INSET = [36, 8, 30, 40];
const LN2 = Math.log(2);
const LONGEST = 8;
const TRAITS = ["p", "q", "smoothing", "unit"];
const STARTS = [
  ["halves against a flat code", { p: [0.5, 0.25, 0.125, 0.125], q: [0.25, 0.25, 0.25, 0.25], smoothing: 0 }],
  ["the same twice", { p: [0.5, 0.25, 0.125, 0.125], q: [0.5, 0.25, 0.125, 0.125], smoothing: 0 }],
  ["q nearly misses a symbol", { p: [0.4, 0.3, 0.2, 0.1], q: [0.45, 0.35, 0.199, 0.001], smoothing: 0 }],
  ["q misses a symbol", { p: [0.4, 0.3, 0.2, 0.1], q: [0.5, 0.3, 0.2, 0], smoothing: 0 }],
  ["nothing in common", { p: [0.5, 0.5, 0, 0], q: [0, 0, 0.5, 0.5], smoothing: 0 }],
  ["two coins", { p: [0.5, 0.5], q: [0.9, 0.1], smoothing: 0 }],
];
const show = (value) => (value === Infinity ? "∞" : num(value));
const list = (values) => `[${values.map(py).join(", ")}]`;

// two handles a symbol, ● its share in the text and ◆ in what the code was made for
function sharesPlot(parent, model) {
  const svg = plot(parent, {
    caption: "probabilities *p* ● and *q* ◆: drag them",
    height: HEIGHT,
    label: "Probabilities",
    inset: INSET,
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => HEIGHT * (1 - value);
  grid(lines, [0, 0.25, 0.5, 0.75, 1], toY, { digits: 2 });
  let parts = [];
  const column = (group, i, n) => {
    const side = n > 4 ? 12 : 14;
    const one = (name, x, shape, tone) => {
      const epsilon = () => (name === "q" ? model.get("smoothing") : 0);
      const least = () => epsilon() / n;
      const holder = v("svg", { x, class: "gpkl-column" });
      const stem = v("line", { class: `gpkl-stem gpkl-${tone}`, y1: HEIGHT });
      holder.append(stem);
      group.append(holder);
      const move = handle(holder, {
        name: `${name}${sub(i + 1)}`,
        shape,
        tone,
        width: 2 * side,
        speak: (value) => fixed(value, 3),
        spec: () => ({ min: least(), max: 1 - epsilon() + least(), step: 0.01, pixels: HEIGHT }),
        get: () => smoothed(model.get(name), epsilon())[i],
        put: (value) =>
          put(model, { [name]: moveMass(model.get(name), i, clamp((value - least()) / (1 - epsilon()), 0, 1)) }),
      });
      return (value) => {
        set(stem, { y2: toY(value) });
        move(toY(value));
      };
    };
    const draw = [one("p", -side, "circle", "blue"), one("q", side, "diamond", "vermilion")];
    group.append(label(String(i + 1), { y: HEIGHT + 24, "text-anchor": "middle" }));
    return draw;
  };
  return (p, q) => {
    if (parts.length !== p.length) parts = columns(stage, p.length, column);
    parts.forEach(([first, second], i) => {
      first(p[i]);
      second(q[i]);
    });
  };
}

// as many decimals of a code length as a column of this share has room for on a phone
const lengthIn = ({ share, other }) => (share < 0.12 ? "" : fixed(other, share < 0.18 ? 1 : 2));

// a symbol's column is as wide as its share p_i and as high as its code word: filled -log p_i, outlined -log q_i
function areasPlot(parent) {
  const svg = plot(parent, { caption: "", height: HEIGHT, label: "Code lengths over shares", inset: INSET });
  const unitName = h("span");
  captionOf(svg).append(
    unitName,
    ...[
      ["blue", "■ best"],
      ["vermilion", "▨ waste"],
      ["green", "▨ saved"],
    ].map(([tone, text]) => h("span", { class: `gpkl-key gpkl-${tone}` }, text)),
  );
  const over = pattern(svg, "gpkl-vermilion");
  const saved = pattern(svg, "gpkl-green");
  const lines = v("g");
  const fills = v("g");
  const extras = v("g");
  const outlines = v("g");
  const texts = v("g");
  svg.append(lines, fills, extras, outlines, texts);
  const box = (attrs) => () => v("rect", attrs);
  const across = (node, { left, share }, y, height) =>
    set(node, { x: `${100 * left}%`, width: `${100 * share}%`, y, height: Math.max(height, 0), visibility: "visible" });
  return (p, q, unit) => {
    const scale = unit === "bits" ? 1 / LN2 : 1;
    const cap = LONGEST * (unit === "bits" ? 1 : LN2);
    let left = 0;
    const cells = p
      .map((share, i) => {
        const cell = { i, left, share, own: scale * surprise(share), other: scale * surprise(q[i]) };
        left += share;
        return cell;
      })
      .filter(({ share }) => share > 0);
    const finite = cells.flatMap(({ own, other }) => [own, other]).filter((length) => length < cap);
    const top = Math.max(2, Math.ceil(Math.max(...finite, 0) + (cells.some(({ other }) => other >= cap) ? 1 : 0)));
    const toY = (length) => HEIGHT * (1 - Math.min(length, top * 1.06) / top);
    write(unitName, `length, ${unit}`);
    grid(
      lines,
      Array.from({ length: top + 1 }, (_, k) => k).filter((k) => top < 6 || k % 2 === 0),
      toY,
    );
    pool(fills, cells, box({ class: "gpkl-bar gpkl-blue", "fill-opacity": 0.55 }), (node, cell) =>
      across(node, cell, toY(cell.own), HEIGHT - toY(cell.own)),
    );
    pool(extras, cells, box({ class: "gpkl-stack" }), (node, cell) => {
      const longer = cell.other > cell.own;
      const y = toY(Math.max(cell.own, cell.other));
      across(node, cell, y, toY(Math.min(cell.own, cell.other)) - y);
      set(node, { fill: longer ? over : saved, class: `gpkl-stack ${longer ? "gpkl-vermilion" : "gpkl-green"}` });
    });
    pool(outlines, cells, box({ class: "gpkl-hard" }), (node, cell) =>
      across(node, cell, toY(cell.other), HEIGHT - toY(cell.other)),
    );
    const wide = cells.filter(({ share, other }) => share >= 0.04 || other > top);
    pool(
      texts,
      wide,
      () =>
        v(
          "g",
          {},
          label("", { y: HEIGHT + 24, "text-anchor": "middle" }),
          label("", { "text-anchor": "middle", class: "gpkl-text gpkl-vermilion" }),
        ),
      (node, cell) => {
        const x = `${100 * (cell.left + cell.share / 2)}%`;
        set(node, { visibility: "visible" });
        set(node.firstElementChild, { x });
        write(node.firstElementChild, String(cell.i + 1));
        set(node.lastElementChild, {
          x,
          y: cell.other > top ? -18 : toY(cell.other) + (cell.other < cell.own ? 15 : -6),
        });
        set(node.lastElementChild, { style: cell.other > top ? "font-size:17px;font-weight:700" : "" });
        write(node.lastElementChild, cell.other === Infinity ? "∞" : cell.other > top ? "↑" : lengthIn(cell));
      },
    );
  };
}

// three rows on one scale: H(p) and what q adds to it, H(q) and what p adds to it, Jensen-Shannon and its bound log 2
function sumsPlot(parent) {
  const ROW = 42;
  const svg = plot(parent, {
    caption: "",
    height: 3 * ROW + 4,
    label: "Entropies and divergences",
    wide: true,
    inset: [4, 26, 0, 4],
  });
  const heading = captionOf(svg);
  const hatch = pattern(svg, "gpkl-vermilion");
  const marks = v("g");
  svg.append(marks);
  const rows = [
    "*H*(*p*) + KL(*p* ‖ *q*) = CE(*p*, *q*)",
    "*H*(*q*) + KL(*q* ‖ *p*) = CE(*q*, *p*)",
    "Jensen-Shannon, and its bound log 2",
  ].map((text, k) => {
    const y = k * ROW + 20;
    const first = v("rect", { x: "0%", y, height: 14, class: k < 2 ? "gpkl-bar gpkl-blue" : "gpkl-bar gpkl-purple" });
    const second = v("rect", {
      y,
      height: 14,
      class: "gpkl-stack gpkl-vermilion",
      fill: hatch,
      visibility: k < 2 ? "visible" : "hidden",
    });
    const bound = v("line", { y1: y - 3, y2: y + 17, class: "gpkl-hard", visibility: k < 2 ? "hidden" : "visible" });
    const end = label("", { x: "100%", dx: 6, y: y + 12, class: "gpkl-text gpkl-vermilion" });
    svg.append(first, second, bound, label(text, { x: 0, y: y - 5 }), end);
    return { first, second, bound, end };
  });
  return (entropies, divergences, js, unit) => {
    const scale = unit === "bits" ? 1 / LN2 : 1;
    const ends = entropies.map((value, k) => scale * (value + divergences[k]));
    const top = Math.max(2, Math.ceil(2 * Math.max(...ends.filter((value) => value < 12), scale * LN2)) / 2);
    const percent = (nats) => Math.min((100 * scale * nats) / top, 100);
    write(heading, `in ${unit}; the whole width is ${top}`);
    rows.forEach(({ first, second, bound, end }, k) => {
      const start = percent(k < 2 ? entropies[k] : js);
      const stop = k < 2 ? percent(entropies[k] + divergences[k]) : start;
      set(first, { width: `${start}%` });
      set(second, { x: `${start}%`, width: `${stop - start}%` });
      set(bound, { x1: `${percent(LN2)}%`, x2: `${percent(LN2)}%` });
      write(end, k < 2 && ends[k] > top ? (ends[k] === Infinity ? "∞" : "→") : "");
    });
  };
}

// a readout in nats with the same number in bits beside it, under the keys `key` and `key_bits`
function both(parent, key, caption, swatch) {
  const nats = readout(parent, key, caption, swatch);
  const bits = h("data", { "data-key": `${key}_bits` });
  /** @type {HTMLElement} */
  const number = parent.lastElementChild.lastElementChild;
  number.append(" nats · ", bits, " bits");
  number.style.fontSize = "0.9375rem";
  return (value) => {
    nats(value, show(value));
    set(bits, { value: value / LN2 });
    write(bits, show(value / LN2));
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "code-length", title: "Code length", onReset: () => put(model, first) });
  const shares = sharesPlot(ui.plots, model);
  const areas = areasPlot(ui.plots);
  const sums = sumsPlot(ui.plots);
  ui.readouts.style.gridTemplateColumns = "repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr))";
  const tell = {
    entropy: both(ui.readouts, "entropy", "*H*(*p*)", "gpkl-fill-blue"),
    cross: both(ui.readouts, "cross", "CE(*p*, *q*)"),
    forward: both(ui.readouts, "forward", "KL(*p* ‖ *q*)", "gpkl-fill-vermilion"),
    backward: both(ui.readouts, "backward", "KL(*q* ‖ *p*)"),
    jeffreys: both(ui.readouts, "jeffreys", "Jeffreys, their sum"),
    js: both(ui.readouts, "js", "Jensen-Shannon ≤ log 2"),
  };
  const units = choice(ui.controls, {
    caption: "unit of the pictures",
    options: ["bits", "nats"],
    put: (unit) => put(model, { unit }),
  });
  const epsilon = slider(ui.controls, {
    caption: "spread evenly in *q*: *ε*",
    min: 0,
    max: 0.5,
    step: 0.005,
    show: (value) => fixed(value, 3),
    put: (value) => put(model, { smoothing: value }),
  });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const p = model.get("p");
    const raw = model.get("q");
    const share = model.get("smoothing");
    const unit = model.get("unit");
    if (p.length !== raw.length) return;
    const q = smoothed(raw, share);
    const forward = klOf(p, q);
    const backward = klOf(q, p);
    const js = jensenShannonOf(p, q);
    shares(p, q);
    areas(p, q, unit);
    sums([entropyOf(p), entropyOf(q)], [forward, backward], js, unit);
    tell.entropy(entropyOf(p));
    tell.cross(crossEntropyOf(p, q));
    tell.forward(forward);
    tell.backward(backward);
    tell.jeffreys(jeffreysOf(p, q));
    tell.js(js);
    units(unit);
    epsilon(share);
    start((state) => ["p", "q", "smoothing"].every((name) => same(state[name], model.get(name))));
    write(
      ui.code,
      `from gpkl_lib.explore.code_length import kl, smooth; print(kl(${list(p)}, smooth(${list(raw)}, ${py(share)})))`,
    );
    const spoken = (value) => (value === Infinity ? "infinite" : `${num(value)} nats`);
    ui.say(
      `Entropy of p ${spoken(entropyOf(p))}, cross-entropy ${spoken(crossEntropyOf(p, q))}. KL of p from q ` +
        `${spoken(forward)}, ` +
        `of q from p ${spoken(backward)}. Jensen-Shannon ${spoken(js)}.`,
    );
  });
}
export default { render };
