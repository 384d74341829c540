// "Variance along the way": the symmetric divergence of two softmaxes is the mean, along the straight way between their
// logits, of the variance of the difference.

import { dragAcross, follow, frame, handle, presets, put, readouts, slider } from "./kit/controls.js";
import {
  ceiling,
  clamp,
  columns,
  fixed,
  grid,
  label,
  num,
  pattern,
  plot,
  py,
  pyTensor,
  same,
  set,
  stretched,
  sub,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { max, softmax, symmetricKl } from "./maths/core.js";
import { areaUpTo, logitsAt, varianceAt } from "./maths/way.js";

const HEIGHT = 200;
const LOW = 190;
const INSET = [22, 24, 30, 44];
const TRAITS = ["s", "t", "place"];
const PLACES = Array.from({ length: 101 }, (_, i) => i / 100);
const STARTS = [
  ["another winner", { s: [3, 0, -1], t: [-2, 1, 0], place: 0.5 }],
  ["close", { s: [1.2, 0.4, -1], t: [1, 0.5, -0.8], place: 0.5 }],
  ["both sure of one class", { s: [6, 0, -1], t: [5, 1, 0], place: 0.5 }],
  ["shifted by 2", { s: [2, 0, -1], t: [4, 2, 1], place: 0.5 }],
];

// handles of both views, and between them where the way has come to
function viewsPlot(parent, model) {
  const svg = plot(parent, {
    caption: "logits *s* (circles) and *t* (diamonds): drag them",
    height: HEIGHT,
    label: "Logits of both views",
    inset: INSET,
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  let reach = 6;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const column = (group, i) => {
    const way = v("line", { class: "gpkl-link" });
    const here = v("line", { x1: -14, x2: 14, class: "gpkl-rule gpkl-green" });
    group.append(way, here, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    const spec = () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) });
    const knob = (name, x, shape, tone) => {
      const holder = v("svg", { x, class: "gpkl-column" });
      group.append(holder);
      return handle(holder, {
        name: `${name}${sub(i + 1)}`,
        shape,
        tone,
        width: 26,
        spec,
        get: () => model.get(name)[i],
        put: (value) => put(model, { [name]: model.get(name).map((old, j) => (j === i ? value : old)) }),
      });
    };
    return { way, here, t: knob("t", -13, "diamond", "vermilion"), s: knob("s", 13, "circle", "blue") };
  };
  return (s, t, between) => {
    reach = Math.max(reach, Math.ceil(max([...s, ...t].map(Math.abs))));
    grid(lines, ticks(-reach, reach, 6), toY);
    if (parts.length !== s.length) parts = columns(stage, s.length, column);
    parts.forEach((part, i) => {
      set(part.way, { x1: -13, x2: 13, y1: toY(t[i]), y2: toY(s[i]) });
      set(part.here, { y1: toY(between[i]), y2: toY(between[i]) });
      part.t(toY(t[i]));
      part.s(toY(s[i]));
    });
  };
}

// the softmax at the place, and under each bar the difference whose variance it weighs
function sharesPlot(parent) {
  const svg = plot(parent, {
    caption: "*r*, the softmax between them; below, *s* − *t*",
    height: HEIGHT,
    label: "Probabilities on the way, and the differences",
    inset: [22, 24, 30, 34],
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => HEIGHT * (1 - value);
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  let parts = [];
  const column = (group, _, n) => {
    const bar = v("rect", { x: `${-25 / n}%`, width: `${50 / n}%`, class: "gpkl-bar gpkl-green" });
    const share = label("", { "text-anchor": "middle" });
    const gap = label("", { y: HEIGHT + 20, "text-anchor": "middle", class: "gpkl-text gpkl-vermilion" });
    group.append(bar, share, gap);
    return { bar, share, gap };
  };
  return (r, gaps) => {
    if (parts.length !== r.length) parts = columns(stage, r.length, column);
    parts.forEach(({ bar, share, gap }, i) => {
      set(bar, { y: toY(r[i]), height: HEIGHT * r[i] });
      set(share, { y: toY(r[i]) - 6 });
      write(share, fixed(r[i], 2));
      write(gap, fixed(gaps[i], 1));
    });
  };
}

// the variance over the whole way, filled up to the place; the dashed line is as high as the mean
function wayPlot(parent, model) {
  const svg = plot(parent, {
    caption: "variance of *s* − *t* on the way from *t* to *s*: drag across. Dashed: *D*, its mean",
    height: LOW + 24,
    label: "Variance along the way",
    wide: true,
    inset: [8, 16, 4, 44],
  });
  const lines = v("g");
  const hatch = pattern(svg, "gpkl-blue");
  const stage = stretched(LOW);
  const curve = v("path", { class: "gpkl-curve gpkl-blue" });
  stage.append(curve);
  const area = v("svg", { width: "100%", height: LOW, class: "gpkl-column" });
  const strips = PLACES.slice(1).map((to) =>
    v("rect", { x: `${100 * to - 1}%`, width: "1.05%", fill: hatch, "fill-opacity": 0.6 }),
  );
  area.append(...strips);
  const mean = v("line", { x1: "0%", x2: "100%", class: "gpkl-hard" });
  const cursor = v("line", { y1: 0, y2: LOW, class: "gpkl-cursor" });
  svg.append(
    v("rect", { width: "100%", height: LOW + 24, class: "gpkl-ground" }),
    lines,
    area,
    stage,
    mean,
    cursor,
    label("*t*", { x: "0%", y: LOW + 18, "text-anchor": "middle" }),
    label("*s*", { x: "100%", y: LOW + 18, "text-anchor": "middle" }),
  );
  dragAcross(svg, (share) => put(model, { place: clamp(Math.round(100 * share) / 100, 0, 1) }));
  return (heights, place, d) => {
    const top = ceiling(Math.max(max(heights), d, 1e-300));
    const toY = (value) => LOW * (1 - value / top);
    grid(lines, [0, top / 2, top], toY, { digits: top < 10 ? 2 : 0 });
    set(curve, { d: heights.map((value, i) => `${i ? "L" : "M"}${i} ${toY(value).toFixed(2)}`).join("") });
    strips.forEach((strip, i) => {
      const height = LOW - toY((heights[i] + heights[i + 1]) / 2);
      set(strip, { y: LOW - height, height, visibility: i + 1 <= 100 * place + 1e-9 ? "visible" : "hidden" });
    });
    set(mean, { y1: toY(d), y2: toY(d) });
    set(cursor, { x1: `${100 * place}%`, x2: `${100 * place}%` });
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "variance-along-the-way",
    title: "Variance along the way",
    onReset: () => put(model, first),
  });
  const way = wayPlot(ui.plots, model);
  const views = viewsPlot(ui.plots, model);
  const shares = sharesPlot(ui.plots);
  const show = readouts(ui.readouts, {
    variance: "variance here",
    area: "added up from *t*",
    d: "*D*(*s*, *t*), nats",
  });
  const place = slider(ui.controls, {
    caption: "place, from *t* to *s*",
    min: 0,
    max: 1,
    step: 0.01,
    put: (value) => put(model, { place: value }),
    show: (value) => fixed(value, 2),
  });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const [s, t, at] = TRAITS.map((name) => model.get(name));
    const between = logitsAt(s, t, at);
    const d = symmetricKl(s, t, "softmax");
    const variance = varianceAt(s, t, at);
    const area = areaUpTo(s, t, at);
    way(
      PLACES.map((one) => varianceAt(s, t, one)),
      at,
      d,
    );
    views(s, t, between);
    shares(
      softmax(between),
      s.map((to, i) => to - t[i]),
    );
    show.variance(variance);
    show.area(area);
    show.d(d);
    place(at);
    start((state) => TRAITS.every((name) => same(state[name], model.get(name))));
    write(
      ui.code,
      `import torch; from gpkl_lib import softmax; s, t = ${pyTensor(s)}, ${pyTensor(t)}; ` +
        `r = softmax(t + ${py(at)} * (s - t)); print((r * (s - t - (r * (s - t)).sum()) ** 2).sum().item())`,
    );
    ui.say(`Variance ${num(variance)} at ${fixed(at, 2)} of the way; its mean over the way is D = ${num(d)} nats.`);
  });
}
export default { render };
