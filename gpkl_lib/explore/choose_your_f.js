// "Choose your f": the divergence of one logit is the area of a rectangle under the graph of f. Where does it pull, how
// hard, and where has learning stopped?

import { dragAcross, follow, frame, hold, knob, menu, presets, put, readouts, slider } from "./kit/controls.js";
import {
  clamp,
  fixed,
  grid,
  h,
  label,
  minus,
  num,
  plot,
  py,
  rebuild,
  rich,
  round,
  same,
  set,
  stretched,
  ticks,
  uid,
  v,
  write,
} from "./kit/kit.js";
import {
  decision,
  decisionGap,
  familyCurvature,
  familyDivergence,
  familyGradient,
  rivalGradient,
} from "./maths/family.js";

const HEIGHT = 190;
const LOW = 130;
const INSET = [20, 14, 74, 40];
const BELOW = [20, 14, 26, 40];
const TRAITS = ["f", "s", "t", "temperature"];
const NAMES = {
  identity: "identity x",
  clipped: "clipped line",
  tanh: "tanh",
  sigmoid: "sigmoid",
  step: "step, x > 0",
};
const STARTS = [
  ["sigmoid, opposite opinions", { f: "sigmoid", s: -3, t: 2, temperature: 1 }],
  ["sigmoid, far apart and sure", { f: "sigmoid", s: -8, t: 8, temperature: 1 }],
  ["sigmoid, both sure of yes", { f: "sigmoid", s: 8, t: 4, temperature: 1 }],
  ["step, same decision", { f: "step", s: 0.5, t: 7, temperature: 1 }],
  ["step, opposite decisions", { f: "step", s: -0.5, t: 7, temperature: 1 }],
  ["clipped, past the corner", { f: "clipped", s: 3, t: 7, temperature: 1 }],
  ["sigmoid, T = 10: a line", { f: "sigmoid", s: -3, t: 2, temperature: 10 }],
  ["sigmoid, T = 0.1: a step", { f: "sigmoid", s: -3, t: 2, temperature: 0.1 }],
];
const three = (value) => Number(value.toPrecision(3));
const percent = (x, reach) => 50 + (50 * x) / reach;

// where to compute curves: evenly, and on both sides of every corner, with the pen lifted over a jump
function places(f, T, reach) {
  const even = Array.from({ length: 97 }, (_, i) => (reach * (i - 48)) / 48);
  const corners = { clipped: [-2 * T, 2 * T], step: [0] }[f] ?? [];
  const near = corners.filter((x) => Math.abs(x) < reach).flatMap((x) => [x - 1e-9, x + 1e-9]);
  return [...even.filter((x) => !corners.includes(x)), ...near].sort((a, b) => a - b);
}
const path = (xs, ys, reach, toY) =>
  xs
    .map((x, i) => {
      const joined = i && x - xs[i - 1] > 1e-8;
      const y = clamp(toY(ys[i]), -9999, 9999);
      return `${joined ? "L" : "M"}${percent(x, reach).toFixed(2)} ${y.toFixed(2)}`;
    })
    .join("");

function xAxis(group, reach, y) {
  rebuild(group, reach, () =>
    ticks(-reach, reach, 4).map((tick) =>
      v("text", { x: `${percent(tick, reach)}%`, y, "text-anchor": "middle", class: "gpkl-tick" }, minus(String(tick))),
    ),
  );
}

// a handle that is dragged left and right along its row, and moved by the keys as any slider
function sideways(svg, { name, shape, tone, y, get, move, reach }) {
  const shapes = {
    circle: () => v("circle", { r: 8 }),
    diamond: () => v("path", { d: "M0-10.5 10.5 0 0 10.5-10.5 0Z" }),
  };
  const node = knob(shapes[shape](), { name, tone, width: 44, height: 26 });
  set(node, { transform: `translate(0 ${y})` });
  node.style.cursor = "ew-resize";
  const holder = v("svg", { class: "gpkl-column" }, node);
  svg.append(holder);
  let from = { x: 0, value: 0, unit: 1 };
  hold(
    node,
    (event) => move(from.value + (event.clientX - from.x) / from.unit),
    (event) => {
      from = { x: event.clientX, value: get(), unit: svg.getBoundingClientRect().width / (2 * reach()) };
    },
  );
  node.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 0.1, ArrowRight: 0.1, ArrowDown: -0.1, ArrowLeft: -0.1, PageUp: 1, PageDown: -1 }[event.key];
    if (by) move(get() + by);
    else if (event.key === "Home") move(-reach());
    else if (event.key === "End") move(reach());
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return () => {
    set(holder, { x: `${percent(get(), reach())}%` });
    set(node, {
      "aria-valuemin": -reach(),
      "aria-valuemax": reach(),
      "aria-valuenow": get(),
      "aria-valuetext": fixed(get(), 1),
    });
  };
}

// the graph of f, the rectangle between its two points, and a row for each logit to drag
function graph(parent, model, reach) {
  const svg = plot(parent, {
    caption: "*f*(*x*/*T*): the rectangle's area is *D*. Drag *s* ● and *t* ◆",
    height: HEIGHT,
    label: "Graph of f",
    inset: INSET,
  });
  const lines = v("g");
  const axis = v("g");
  const stage = stretched(HEIGHT);
  const curve = v("path", { class: "gpkl-curve gpkl-ink" });
  const area = v("rect", { class: "gpkl-bar gpkl-green", "fill-opacity": 0.3 });
  const drops = ["blue", "vermilion"].map((tone) =>
    v("line", { class: `gpkl-rule gpkl-${tone}`, "stroke-dasharray": "3 3" }),
  );
  const points = [
    v("circle", { r: 5, class: "gpkl-dot gpkl-blue" }),
    v("path", { d: "M0-7 7 0 0 7-7 0Z", class: "gpkl-dot gpkl-vermilion" }),
  ];
  const holders = points.map((point) => v("svg", { class: "gpkl-column" }, point));
  const name = label("", { "text-anchor": "middle", class: "gpkl-text gpkl-green" });
  stage.append(curve);
  svg.append(lines, area, stage, axis, ...drops, ...holders, name);
  const rows = ["s", "t"].map((trait, k) => {
    const y = HEIGHT + 36 + 27 * k;
    const shape = k ? "diamond" : "circle";
    const tone = k ? "vermilion" : "blue";
    svg.append(
      v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: "gpkl-grid" }),
      label(`*${trait}*`, { x: 0, dx: -12, y, dy: "0.32em", class: `gpkl-text gpkl-end gpkl-${tone}` }),
    );
    return sideways(svg, {
      name: `logit ${trait}`,
      shape,
      tone,
      y,
      reach,
      get: () => model.get(trait),
      move: (value) => put(model, { [trait]: round(clamp(value, -reach(), reach()), 0.1) }),
    });
  });
  return (f, s, t, T) => {
    const R = reach();
    const xs = places(f, T, R);
    const ys = xs.map((x) => decision(f, x, T));
    const low = Math.min(...ys);
    const high = Math.max(...ys);
    const toY = (value) => (HEIGHT * (high - value)) / (high - low || 1);
    const round = f === "identity" ? ticks(low, high, 4) : f === "tanh" ? [-1, 0, 1] : [0, 0.5, 1];
    const values = round.filter((value) => low <= value && value <= high);
    grid(lines, values, toY, { strong: NaN, digits: values.every(Number.isInteger) ? 0 : 1 });
    xAxis(axis, R, HEIGHT + 17);
    set(curve, { d: path(xs, ys, R, toY) });
    const at = [s, t].map((x) => [percent(x, R), toY(decision(f, x, T))]);
    const left = Math.min(at[0][0], at[1][0]);
    const top = Math.min(at[0][1], at[1][1]);
    const width = Math.abs(at[0][0] - at[1][0]);
    const height = Math.abs(at[0][1] - at[1][1]);
    set(area, { x: `${left}%`, width: `${width}%`, y: top, height });
    set(name, {
      x: `${left + width / 2}%`,
      y: top + height / 2 + 5,
      visibility: height > 20 && width > 6 ? "visible" : "hidden",
    });
    rebuild(name, 0, () => rich("*D*", v));
    at.forEach(([x, y], k) => {
      set(drops[k], { x1: `${x}%`, x2: `${x}%`, y1: y, y2: HEIGHT + 36 + 27 * k });
      set(holders[k], { x: `${x}%` });
      set(points[k], { transform: `translate(0 ${y})` });
    });
    rows.forEach((draw) => draw());
  };
}

// a quantity against s with t held, its rival dashed, and a dot at the present s
function curvePlot(parent, model, reach, { caption, name, of, rival = null, height = LOW }) {
  const svg = plot(parent, { caption, height, label: name, inset: BELOW });
  const lines = v("g");
  const axis = v("g");
  const stage = stretched(height);
  const clip = uid("clip");
  const curves = [v("path", { class: "gpkl-curve gpkl-green" }), v("path", { class: "gpkl-curve gpkl-purple" })];
  const cursor = v("line", { y1: 0, y2: height, class: "gpkl-cursor" });
  const dot = v("circle", { r: 5.5, class: "gpkl-dot gpkl-green" });
  stage.append(
    v("defs", {}, v("clipPath", { id: clip }, v("rect", { width: 100, y: -2, height: height + 4 }))),
    v("g", { "clip-path": `url(#${clip})` }, curves),
  );
  const holder = v("svg", { class: "gpkl-column" }, dot);
  svg.append(v("rect", { width: "100%", height, class: "gpkl-ground" }), lines, stage, axis, cursor, holder);
  dragAcross(svg, (share) => put(model, { s: round(clamp(reach() * (2 * share - 1), -reach(), reach()), 0.1) }));
  let drawn = "";
  let toY = null;
  return (f, s, t, T) => {
    const R = reach();
    const key = JSON.stringify([f, t, T, R]);
    if (key !== drawn) {
      // the curves do not depend on s: moving it costs little
      const xs = places(f, T, R);
      const all = [of, rival].filter(Boolean).map((q) => xs.map((x) => q(f, x, t, T)));
      const least = Math.min(...all[0], 0);
      const most = Math.max(...all[0], 0) || (least ? 0 : 1);
      const room = (most - least) / 20;
      const top = most + room;
      const bottom = least && least - room;
      toY = (value) => (height * (top - value)) / (top - bottom);
      const values = ticks(bottom, top, 4);
      const digits = Math.max(0, -Math.floor(Math.log10(values[1] - values[0]) + 1e-9));
      grid(lines, values, toY, { digits });
      xAxis(axis, R, height + 17);
      all.forEach((ys, k) => set(curves[k], { d: path(xs, ys, R, toY) }));
    }
    drawn = key;
    set(cursor, { x1: `${percent(s, R)}%`, x2: `${percent(s, R)}%` });
    set(holder, { x: `${percent(s, R)}%` });
    set(dot, { cy: clamp(toY(of(f, s, t, T)), -4, height + 4) });
  };
}

// the line of Python: T times the library's divergence, which divides both factors by T
function python(f, s, t, T) {
  const activation =
    { identity: "lambda x: x", clipped: "lambda x: (x / 4 + 0.5).clamp(0, 1)", step: "lambda x: (x > 0).to(x.dtype)" }[
      f
    ] ?? `"sigmoid"`;
  const [a, b] = [s, t].map((value) => `torch.tensor(${py(value)}, dtype=torch.float64)`);
  return (
    `import torch; from gpkl_lib import symmetric_kl; print(${py(T)} * symmetric_kl(${a}, ${b}, ` +
    `activation=${activation}, ` +
    `temperature=${py(f === "tanh" ? T / 2 : T)}).item())${f === "tanh" ? "  # tanh is sigmoid at T/2" : ""}`
  );
}

function state(f, s, t, T) {
  if (s === t) return "the views agree";
  if (decisionGap(f, s, t, T) === 0) return "*f* is flat between *t* and *s*: learning has stopped";
  return `*s* is pulled ${s > t ? "down" : "up"}`;
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "choose-your-f", title: "Choose your f", onReset: () => put(model, first) });
  let reach = 8;
  const draw = [
    graph(ui.plots, model, () => reach),
    curvePlot(ui.plots, model, () => reach, {
      caption: "*D* as *s* runs, *t* held",
      name: "Divergence against s",
      of: familyDivergence,
      height: HEIGHT + 48,
    }),
    curvePlot(ui.plots, model, () => reach, {
      caption: "gradient of *D* by *s*; dashed: of (*f*(*s*) − *f*(*t*))²",
      name: "Gradient against s",
      of: familyGradient,
      rival: rivalGradient,
    }),
    curvePlot(ui.plots, model, () => reach, {
      caption: "curvature of *D* by *s*",
      name: "Curvature against s",
      of: familyCurvature,
    }),
  ];
  const show = readouts(ui.readouts, {
    divergence: "*D*",
    gradient: "its gradient by *s*",
    curvature: "its curvature",
    rival: "gradient of (*f*(*s*) − *f*(*t*))²",
  });
  const pulled = h("div", { class: "gpkl-label" });
  ui.readouts.append(pulled);
  pulled.style.gridColumn = "1 / -1";
  const f = menu(ui.controls, "function *f*", (value) => put(model, { f: value }));
  const temperature = slider(ui.controls, {
    caption: "temperature *T*",
    min: -1.3,
    max: 1.3,
    step: 0.01,
    show: String,
    toValue: (p) => clamp(three(10 ** p), 0.05, 20),
    fromValue: Math.log10,
    put: (value) => put(model, { temperature: value }),
  });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (given) => put(model, given) });

  return follow(model, TRAITS, () => {
    const [name, s, t, T] = TRAITS.map((trait) => model.get(trait));
    reach = Math.max(8, Math.ceil(Math.max(Math.abs(s), Math.abs(t))));
    for (const part of draw) part(name, s, t, T);
    const D = familyDivergence(name, s, t, T);
    const pull = familyGradient(name, s, t, T);
    show.divergence(D);
    show.gradient(pull);
    show.curvature(familyCurvature(name, s, t, T));
    show.rival(rivalGradient(name, s, t, T));
    rebuild(pulled, [name, s, t, T], () => rich(state(name, s, t, T)));
    f(Object.entries(NAMES), name);
    temperature(T);
    start((given) => TRAITS.every((trait) => same(given[trait], model.get(trait))));
    write(ui.code, python(name, s, t, T));
    ui.say(`${NAMES[name]}, T ${T}: D ${num(D)}, gradient ${num(pull)}.`);
  });
}
export default { render };
