// "Softmax and logsumexp": how far is the smooth maximum above the hard one, how far the smooth argmax from the
// one-hot?

import { follow, frame, handle, presets, put, readouts, slider } from "./kit/controls.js";
import {
  columns,
  fixed,
  grid,
  label,
  minus,
  num,
  pattern,
  plot,
  pool,
  py,
  pyTensor,
  same,
  set,
  sub,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { entropy, hardmax, logsumexp, logsumexpBounds, max, smoothGap, softmax } from "./maths/core.js";

const HEIGHT = 200;
const INSET = [22, 34, 44, 30];
const TRAITS = ["logits", "temperature", "scale"];
const STARTS = [
  ["1, 2, 3, 4", { logits: [1, 2, 3, 4], temperature: 1, scale: 1 }],
  ["… times ten", { logits: [1, 2, 3, 4], temperature: 1, scale: 10 }],
  ["… times a tenth", { logits: [1, 2, 3, 4], temperature: 1, scale: 0.1 }],
  ["two tie at the top", { logits: [-1, 3, 0.5, 3], temperature: 1, scale: 1 }],
  ["all the same", { logits: [1, 1, 1, 1], temperature: 1, scale: 1 }],
];
const three = (value) => Number(value.toPrecision(3));

// handles over a common axis, and how high the largest stands
function logitsPlot(parent, model) {
  const svg = plot(parent, { caption: "logits *x*: drag them", height: HEIGHT, label: "Logits", inset: INSET });
  const lines = v("g");
  const top = v("line", { x1: "0%", x2: "100%", class: "gpkl-hard" });
  const topLabel = label("max", { x: "100%", dx: 5, class: "gpkl-text gpkl-vermilion" });
  const stage = v("g");
  svg.append(lines, top, topLabel, stage);
  let reach = 5;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const put1 = (i) => (value) => put(model, { logits: model.get("logits").map((old, j) => (j === i ? value : old)) });
  const column = (group, i) => {
    const stem = v("line", { class: "gpkl-stem gpkl-blue" });
    const text = label("", { "text-anchor": "middle" });
    group.append(stem, text, label(`*x*${sub(i + 1)}`, { y: HEIGHT + 18, "text-anchor": "middle" }));
    const move = handle(group, {
      name: `logit x${sub(i + 1)}`,
      shape: "circle",
      tone: "blue",
      width: 44,
      put: put1(i),
      get: () => model.get("logits")[i],
      spec: () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) }),
    });
    return { stem, text, move };
  };
  const draw = (x) => {
    reach = Math.max(reach, Math.ceil(max(x.map(Math.abs))));
    grid(lines, ticks(-reach, reach, 5), toY);
    if (parts.length !== x.length) parts = columns(stage, x.length, column);
    set(top, { y1: toY(max(x)), y2: toY(max(x)) });
    set(topLabel, { y: toY(max(x)), dy: "0.32em" });
    parts.forEach(({ stem, text, move }, i) => {
      set(stem, { y1: toY(0), y2: toY(x[i]) });
      set(text, { y: toY(Math.max(x[i], 0)) - (x[i] < 0 ? 8 : 15) });
      write(text, fixed(x[i], 1));
      move(toY(x[i]));
    });
  };
  return { draw, reach: () => reach };
}

// bars of softmax, the one-hot (or what is left of it in a tie) as a dashed outline
function softmaxPlot(parent) {
  const svg = plot(parent, {
    caption: "softmax(*s x*/*T*), and the one-hot of argmax",
    height: HEIGHT,
    label: "Probabilities",
    inset: INSET,
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => HEIGHT * (1 - value);
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  let parts = [];
  const column = (group, i, n) => {
    const box = (share, tone) => v("rect", { x: `${-share / 2 / n}%`, width: `${share / n}%`, class: tone });
    const bar = box(50, "gpkl-bar gpkl-blue");
    const outline = box(72, "gpkl-hard");
    const text = label("", { "text-anchor": "middle" });
    const winner = label("", { y: HEIGHT + 36, "text-anchor": "middle", class: "gpkl-text gpkl-vermilion" });
    group.append(bar, outline, text, winner, label(`*p*${sub(i + 1)}`, { y: HEIGHT + 18, "text-anchor": "middle" }));
    return { bar, outline, text, winner };
  };
  return (p, hard) => {
    if (parts.length !== p.length) parts = columns(stage, p.length, column);
    parts.forEach(({ bar, outline, text, winner }, i) => {
      set(bar, { y: toY(p[i]), height: HEIGHT * p[i] });
      set(outline, { y: toY(hard[i]), height: HEIGHT * hard[i], visibility: hard[i] ? "visible" : "hidden" });
      write(winner, hard[i] === 1 ? "argmax" : hard[i] ? "tie" : "");
      set(text, { y: toY(p[i]) - 6 });
      write(text, fixed(p[i], p.length > 4 ? 2 : 3));
    });
  };
}

// a line of numbers: the logits, their maximum, the smooth one above it, and the farthest that it can be
function maximumPlot(parent) {
  const svg = plot(parent, {
    caption: "maximum and smooth maximum of *s x*",
    height: 108,
    label: "Number line",
    wide: true,
    inset: [6, 12, 6, 12],
  });
  const axis = 84;
  const marks = v("g");
  const dots = v("g");
  const hatch = pattern(svg, "gpkl-grey");
  const band = v("rect", { y: axis - 20, height: 20, class: "gpkl-band", fill: hatch });
  const gap = v("rect", { y: axis - 14, height: 8, class: "gpkl-bar gpkl-blue" });
  svg.append(marks, band, gap, v("line", { x1: "0%", x2: "100%", y1: axis, y2: axis, class: "gpkl-axis" }), dots);
  const tick = () =>
    v(
      "svg",
      { class: "gpkl-column" },
      v("line", { y1: axis, y2: axis + 5, class: "gpkl-axis" }),
      v("text", { y: axis + 19, "text-anchor": "middle", class: "gpkl-tick" }),
    );
  const pointer = (text, y, tone, line) => {
    const stroke = v("line", { y1: y - 10, y2: axis, class: line });
    const name = label(text, { y, class: `gpkl-text ${tone}` });
    const value = v("tspan");
    name.append(value);
    svg.append(stroke, name);
    return (percent, number) => {
      const right = percent < 50;
      set(stroke, { x1: `${percent}%`, x2: `${percent}%` });
      set(name, { x: `${percent}%`, dx: right ? 6 : -6, "text-anchor": right ? "start" : "end" });
      write(value, num(number));
    };
  };
  const bound = pointer("max + *T* log *n* = ", 14, "gpkl-grey", "gpkl-rule gpkl-grey");
  const hard = pointer("max = ", 54, "gpkl-vermilion", "gpkl-hard");
  const smooth = pointer("*T* logsumexp = ", 34, "gpkl-blue", "gpkl-rule gpkl-blue");
  return (z, lower, value, upper, low, high) => {
    const percent = (number) => 2 + (96 * (number - low)) / (high - low);
    pool(marks, ticks(low, high, 6), tick, (mark, number) => {
      set(mark, { x: `${percent(number)}%`, visibility: "visible" });
      write(mark.lastElementChild, minus(String(number)));
    });
    pool(
      dots,
      z,
      () => v("circle", { cy: axis, r: 4, class: "gpkl-dot gpkl-blue" }),
      (dot, number) => set(dot, { cx: `${percent(number)}%`, visibility: "visible" }),
    );
    set(band, { x: `${percent(lower)}%`, width: `${percent(upper) - percent(lower)}%` });
    set(gap, { x: `${percent(lower)}%`, width: `${percent(value) - percent(lower)}%` });
    bound(percent(upper), upper);
    smooth(percent(value), value);
    hard(percent(lower), lower);
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "softmax-logsumexp", title: "Softmax and logsumexp", onReset: () => put(model, first) });
  const logits = logitsPlot(ui.plots, model);
  const bars = softmaxPlot(ui.plots);
  const line = maximumPlot(ui.plots);
  const show = readouts(ui.readouts, {
    max: "max *s x*",
    lse: "*T* logsumexp(*s x*/*T*)",
    gap: "gap ≤ *T* log *n*",
    entropy: "*H*(*p*) ≤ log *n*",
  });
  const log = { min: -2, max: 2, step: 0.01, toValue: (p) => three(10 ** p), fromValue: Math.log10, show: String };
  const temperature = slider(ui.controls, {
    caption: "temperature *T*",
    ...log,
    put: (value) => put(model, { temperature: value }),
  });
  const scale = slider(ui.controls, { caption: "scale *s*", ...log, put: (value) => put(model, { scale: value }) });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const x = model.get("logits");
    const T = model.get("temperature");
    const s = model.get("scale");
    const n = x.length;
    const z = x.map((value) => s * value);
    const p = softmax(z, T);
    const [lower, upper] = logsumexpBounds(z, T);
    const value = logsumexp(z, T);
    const gap = smoothGap(z, T);
    logits.draw(x);
    bars(p, hardmax(x));
    line(z, lower, value, upper, -s * logits.reach(), s * logits.reach() + T * Math.log(n));
    show.max(lower);
    show.lse(value);
    show.gap(gap, `${num(gap)} ≤ ${num(upper - lower)}`);
    show.entropy(entropy(z, T), `${num(entropy(z, T))} ≤ ${num(Math.log(n))}`);
    temperature(T);
    scale(s);
    start((state) => TRAITS.every((name) => same(state[name], model.get(name))));
    write(
      ui.code,
      `import torch; from gpkl_lib import logsumexp; ` +
        `print(logsumexp(${py(s)} * ${pyTensor(x)}, temperature=${py(T)}).item())`,
    );
    ui.say(
      `Smooth maximum ${num(value)}, ${num(gap)} above the maximum ${num(lower)}. ` +
        `Largest probability ${num(max(p), 3)}. Entropy ${num(entropy(z, T))} nats.`,
    );
  });
}
export default { render };
