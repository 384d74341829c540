// "Bounds of logsumexp": which bound is tight at which temperature, and which p makes a lower bound exact?

import { choice, dragAcross, follow, frame, handle, presets, put, readout, slider } from "./kit/controls.js";
import {
  clamp,
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
  round,
  same,
  set,
  stretched,
  sub,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { boundsOf, chosen, price, shannon, slacks, withShare } from "./maths/bounds.js";
import { logsumexp, max, softmax } from "./maths/core.js";

const HEIGHT = 160;
const INSET = [22, 8, 26, 34];
const ROW = 34;
const CURVE = 130;
const LOW = -2;
const HIGH = 2;
const TRAITS = ["logits", "temperature", "choice", "weights"];
const CHOICES = ["argmax", "softmax", "uniform", "yours"];
const STARTS = [
  ["1, 2, 3, 4", { logits: [1, 2, 3, 4], temperature: 1 }],
  ["… hot, T = 10", { logits: [1, 2, 3, 4], temperature: 10 }],
  ["… cold, T = 0.1", { logits: [1, 2, 3, 4], temperature: 0.1 }],
  ["two tie at the top", { logits: [-1, 3, 0.5, 3], temperature: 1 }],
  ["all the same", { logits: [2, 2, 2, 2], temperature: 1 }],
];
// in the order of `boundsOf`: key, symbols, colour, and what tells them apart without colour
const BOUNDS = [
  ["upper", "max + *T* log *n*", "gpkl-vermilion", "9 4"],
  ["max", "max", "gpkl-blue", undefined],
  ["mean", "mean + *T* log *n*", "gpkl-green", "2 3"],
  ["entropy", "⟨*p*, *x*⟩ + *T* *H*(*p*)", "gpkl-purple", "9 3 2 3"],
  ["cauchy", "⟨*p*, *x*⟩ − *T* log Σ*p*²", "gpkl-grey", "4 3"],
];
const three = (value) => Number(value.toPrecision(3));
const toX = (T) => (100 * (Math.log10(T) - LOW)) / (HIGH - LOW);
const signed = (value) => (value > 0 ? `+${num(value)}` : num(value));

// a handle for each logit; p has the same columns beside it
function logitsPlot(parent, model) {
  const svg = plot(parent, { caption: "logits *x*: drag them", height: HEIGHT, label: "Logits", inset: INSET });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  let reach = 5;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const column = (group, i) => {
    const stem = v("line", { class: "gpkl-stem gpkl-blue" });
    const text = label("", { "text-anchor": "middle" });
    group.append(stem, text, label(`*x*${sub(i + 1)}`, { y: HEIGHT + 18, "text-anchor": "middle" }));
    const move = handle(group, {
      name: `logit x${sub(i + 1)}`,
      shape: "circle",
      tone: "blue",
      width: 40,
      get: () => model.get("logits")[i],
      put: (value) => put(model, { logits: model.get("logits").map((old, j) => (j === i ? value : old)) }),
      spec: () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) }),
    });
    return { stem, text, move };
  };
  return (x) => {
    reach = Math.max(reach, Math.ceil(max(x.map(Math.abs))));
    grid(lines, ticks(-reach, reach, 5), toY);
    if (parts.length !== x.length) parts = columns(stage, x.length, column);
    parts.forEach(({ stem, text, move }, i) => {
      set(stem, { y1: toY(0), y2: toY(x[i]) });
      set(text, { y: toY(Math.max(x[i], 0)) - (x[i] < 0 ? 8 : 15) });
      write(text, fixed(x[i], 1));
      move(toY(x[i]));
    });
  };
}

// the reader's p as bars with handles, and softmax(x/T) as the outlines that they fit where the bound is exact
function chosenPlot(parent, model, present) {
  const svg = plot(parent, {
    caption: "*p*: drag it; dashed: softmax(*x*/*T*)",
    height: HEIGHT,
    label: "The chosen p",
    inset: INSET,
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => HEIGHT * (1 - value);
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  let parts = [];
  const column = (group, i, n) => {
    const box = (share, attrs) => v("rect", { x: `${-share / 2 / n}%`, width: `${share / n}%`, ...attrs });
    const bar = box(44, { class: "gpkl-bar gpkl-purple", "fill-opacity": 0.55 });
    const outline = box(66, { class: "gpkl-unequal", "stroke-dasharray": "5 4" });
    const text = label("", { "text-anchor": "middle" });
    group.append(bar, outline, text, label(`*p*${sub(i + 1)}`, { y: HEIGHT + 18, "text-anchor": "middle" }));
    const move = handle(group, {
      name: `p${sub(i + 1)}`,
      shape: "diamond",
      tone: "purple",
      width: 40,
      speak: (value) => fixed(value, 2),
      get: () => round(present()[i], 0.001),
      put: (value) =>
        put(model, { choice: "yours", weights: withShare(present(), i, value).map((one) => round(one, 1e-4)) }),
      spec: () => ({ min: 0, max: 1, step: 0.01, pixels: HEIGHT }),
    });
    return { bar, outline, text, move };
  };
  return (p, best) => {
    if (parts.length !== p.length) parts = columns(stage, p.length, column);
    parts.forEach(({ bar, outline, text, move }, i) => {
      set(bar, { y: toY(p[i]), height: HEIGHT * p[i] });
      set(outline, { y: toY(best[i]), height: HEIGHT * best[i] });
      set(text, { y: toY(Math.max(p[i], best[i])) - 16 });
      write(text, fixed(p[i], 2));
      move(toY(p[i]));
    });
  };
}

// one row a bound: its name, its distance from F, and a bar from F to it
function barsPlot(parent) {
  const height = ROW * BOUNDS.length;
  const svg = plot(parent, {
    caption: "bound less *F*, in nats: each bar begins at the true value",
    height: height + 22,
    label: "Bounds around the true value",
    wide: true,
    inset: [4, 12, 6, 12],
  });
  const marks = v("g");
  const hatch = pattern(svg, "gpkl-vermilion");
  const rows = BOUNDS.map(([key, name, tone, dash], k) => {
    // where F is, in each row
    const zero = v("line", { y1: ROW * k + 17, y2: ROW * k + 35, class: "gpkl-stem gpkl-ink" });
    const sample = v("line", {
      x1: 0,
      x2: 26,
      y1: ROW * k + 10,
      y2: ROW * k + 10,
      class: `gpkl-curve ${tone}`,
      style: `stroke-dasharray:${dash ?? "none"}`,
    });
    const bar = v("rect", {
      y: ROW * k + 21,
      height: 11,
      class: key === "upper" ? `gpkl-stack ${tone}` : `gpkl-bar ${tone}`,
    });
    if (key === "upper") bar.setAttribute("fill", hatch);
    const text = label(name, { x: 33, y: ROW * k + 14, class: `gpkl-text ${tone}` });
    const value = label("", { x: "100%", y: ROW * k + 14, class: `gpkl-text gpkl-end ${tone}` });
    return { zero, sample, bar, text, value };
  });
  svg.append(marks, ...rows.flatMap(({ zero, sample, bar, text, value }) => [bar, zero, sample, text, value]));
  const tick = () =>
    v(
      "svg",
      { class: "gpkl-column" },
      v("line", { y1: 0, y2: height + 4, class: "gpkl-grid" }),
      v("text", { y: height + 18, "text-anchor": "middle", class: "gpkl-tick" }),
    );
  return (distances) => {
    const most = max(distances.map(Math.abs));
    const below = Math.max(-Math.min(...distances), most / 20, 1e-12);
    const above = Math.max(max(distances), most / 20, 1e-12);
    const percent = (value) => 2 + (96 * (value + below)) / (below + above);
    pool(marks, ticks(-below, above, 5), tick, (mark, value) => {
      set(mark, { x: `${percent(value)}%`, visibility: "visible" });
      write(mark.lastElementChild, minus(String(value)));
    });
    rows.forEach(({ zero, bar, value }, k) => {
      set(zero, { x1: `${percent(0)}%`, x2: `${percent(0)}%` });
      set(bar, {
        x: `${percent(Math.min(distances[k], 0))}%`,
        width: `${(96 * Math.abs(distances[k])) / (below + above)}%`,
      });
      write(value, signed(distances[k]));
    });
  };
}

// the same over T, as a share of T log n: the strip between max and max + T log n is always one high
function temperaturePlot(parent, model) {
  const svg = plot(parent, {
    caption: "the same over *T*, as shares of *T* log *n*",
    height: CURVE + 26,
    label: "Bounds over the temperature",
    wide: true,
    inset: [14, 12, 4, 34],
  });
  const lines = v("g");
  const cursor = v("line", { y1: -4, y2: CURVE + 4, class: "gpkl-cursor" });
  const dots = v("g");
  const stage = stretched(CURVE, { style: "overflow:hidden" });
  const toY = (share) => (CURVE * (1.1 - share)) / 2.5;
  const curves = BOUNDS.map(([, , tone, dash]) =>
    v("path", { class: `gpkl-curve ${tone}`, style: `stroke-dasharray:${dash ?? "none"}` }),
  );
  stage.append(...curves);
  grid(lines, [-1, 0, 1], toY);
  const axis = [0.01, 0.1, 1, 10, 100].map((T) =>
    v("text", { x: `${toX(T)}%`, y: CURVE + 18, "text-anchor": "middle", class: "gpkl-tick" }, String(T)),
  );
  svg.append(
    v("rect", { width: "100%", height: CURVE + 26, class: "gpkl-ground" }),
    lines,
    stage,
    cursor,
    ...axis,
    dots,
  );
  dragAcross(svg, (share) => put(model, { temperature: three(10 ** (LOW + (HIGH - LOW) * clamp(share, 0, 1))) }));
  const Ts = Array.from({ length: 61 }, (_, i) => 10 ** (LOW + ((HIGH - LOW) * i) / 60));
  let drawn = "";
  return (x, T, name, weights, distances) => {
    const room = Math.log(x.length);
    const key = JSON.stringify([x, name, weights]);
    if (key !== drawn) {
      const shares = Ts.map((t) => slacks(x, chosen(name, x, t, weights), t).map((one) => one / (t * room)));
      curves.forEach((curve, k) =>
        set(curve, {
          d: shares
            .map((one, i) => `${i ? "L" : "M"}${toX(Ts[i]).toFixed(2)} ${toY(clamp(one[k], -9, 2)).toFixed(2)}`)
            .join(""),
        }),
      );
    }
    drawn = key; // the curves do not depend on the present T: moving it costs little
    set(cursor, { x1: `${toX(T)}%`, x2: `${toX(T)}%` });
    pool(
      dots,
      distances,
      () => v("circle", { r: 4.5 }),
      (dot, one, k) => {
        const share = one / (T * room);
        set(dot, {
          cx: `${toX(T)}%`,
          cy: toY(Math.max(share, -1.4)),
          class: `gpkl-dot ${BOUNDS[k][2]}`,
          visibility: share < -1.4 ? "hidden" : "visible",
        });
      },
    );
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "bounds-of-logsumexp", title: "Bounds of logsumexp", onReset: () => put(model, first) });
  const present = () =>
    chosen(model.get("choice"), model.get("logits"), model.get("temperature"), model.get("weights"));
  const logits = logitsPlot(ui.plots, model);
  const own = chosenPlot(ui.plots, model, present);
  const bars = barsPlot(ui.plots);
  const curves = temperaturePlot(ui.plots, model);
  const show = [
    readout(ui.readouts, "lse", "*F* = *T* logsumexp(*x*/*T*)"),
    ...BOUNDS.map(([key, caption]) => readout(ui.readouts, key, caption)),
    readout(ui.readouts, "kl", "*T* KL(*p* ‖ softmax)"),
    readout(ui.readouts, "h", "*H*(*p*)"),
  ];
  const temperature = slider(ui.controls, {
    caption: "temperature *T*",
    min: LOW,
    max: HIGH,
    step: 0.01,
    toValue: (at) => three(10 ** at),
    fromValue: Math.log10,
    show: String,
    put: (value) => put(model, { temperature: value }),
  });
  const start = presets(ui.controls, {
    caption: "start from",
    entries: STARTS,
    put: ({ logits: x, temperature: T }) =>
      put(model, {
        logits: x,
        temperature: T,
        ...(model.get("weights").length === x.length ? {} : { weights: x.map(() => 1 / x.length) }),
      }),
  });
  const whose = choice(ui.controls, {
    caption: "*p* is",
    options: CHOICES,
    put: (name) =>
      put(
        model,
        name === "yours" ? { weights: present().map((one) => round(one, 1e-4)), choice: name } : { choice: name },
      ),
  });
  /** @type {HTMLElement} */ (ui.controls.lastElementChild).style.gridColumn = "1 / -1"; // four words side by side

  return follow(model, TRAITS, () => {
    const x = model.get("logits");
    const T = model.get("temperature");
    const name = model.get("choice");
    const weights = model.get("weights");
    if (x.length !== weights.length) return;
    const p = present();
    const value = logsumexp(x, T);
    const bounds = boundsOf(x, p, T);
    const cost = price(x, p, T);
    const digits = 1e-14 * (Math.abs(value) + T); // below, a distance is the rounding of F
    const distances = slacks(x, p, T).map((one, k) => (k > 1 && Math.abs(one) < digits ? 0 : one));
    logits(x);
    own(p, softmax(x, T));
    bars(distances);
    curves(x, T, name, weights, distances);
    [value, ...bounds, cost, shannon(p)].forEach((one, k) => show[k](one, num(k === 6 && one < digits ? 0 : one)));
    temperature(T);
    whose(name);
    start((state) => same(state.logits, x) && state.temperature === T);
    const w = {
      softmax: `x / ${py(T)}`,
      argmax: "(x == x.max()).double().log()",
      uniform: "0 * x",
      yours: `${pyTensor(weights)}.log()`,
    }[name];
    write(
      ui.code,
      `import torch; from gpkl_lib import entropy, softmax; x = ${pyTensor(x)}; w = ${w}; ` +
        `print((softmax(w) @ x + ${py(T)} * entropy(w)).item())`,
    );
    ui.say(
      `F ${num(value)}. Entropy bound ${num(-distances[3])} below, maximum ${num(-distances[1])} below, upper ` +
        `bound ${num(distances[0])} above.`,
    );
  });
}
export default { render };
