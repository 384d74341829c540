// "Two views": how far apart are two sets of logits, and would anyone decide differently? One shift c tells two
// divergences apart.

import { choice, dragAcross, follow, frame, handle, presets, put, readout, slider } from "./kit/controls.js";
import {
  captionOf,
  ceiling,
  clamp,
  columns,
  fixed,
  grid,
  h,
  label,
  minus,
  num,
  pattern,
  plot,
  py,
  pyTensor,
  rebuild,
  rich,
  round,
  same,
  set,
  stretched,
  sub,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { decode, klTerms, max, sum, symmetricKl } from "./maths/core.js";

const HEIGHT = 216;
const INSET = [22, 8, 74, 46];
const CURVE = 132;
const REACH = 4;
const TRAITS = ["s", "t", "shift", "activation"];
const STARTS = [
  ["two dropout views", { s: [2.4, 0.6, -1.2, -2.6], t: [1.7, 1.1, -1.8, -1.9], shift: 0 }],
  ["the same twice", { s: [2.4, 0.6, -1.2, -2.6], t: [2.4, 0.6, -1.2, -2.6], shift: 0 }],
  ["the same, shifted by 3", { s: [2.4, 0.6, -1.2, -2.6], t: [2.4, 0.6, -1.2, -2.6], shift: 3 }],
  ["opposite", { s: [3, 1, -1, -3], t: [-3, -1, 1, 3], shift: 0 }],
];
const shifted = (t, c) => t.map((value) => value + c);
const named = (indices) => (indices.length ? `{${indices.map((i) => i + 1).join(", ")}}` : "∅");
// t + c rounds in the last digit, which leaves a D of 1e-31 where the truth is 0
const nats = (value) => num(value < 1e-24 ? 0 : value);
const toX = (c) => (50 * (c + REACH)) / REACH;
const differ = (s, t) => s.filter((a, i) => a > 0 !== t[i] > 0).length;

// two handles a class, the threshold, and below them what each view decides
function logitsPlot(parent, model) {
  const svg = plot(parent, {
    caption: "logits *s* ● and *t* + *c* ◆: drag them",
    height: HEIGHT,
    label: "Logits of both views",
    inset: INSET,
  });
  const lines = v("g");
  const zone = v("rect", { x: "0%", width: "100%", y: 0, height: HEIGHT / 2, class: "gpkl-zone" });
  const threshold = label("above 0: decided", { x: "100%", dx: -6, y: 17, class: "gpkl-text gpkl-vermilion gpkl-end" });
  const rows = [
    ["*s*", "gpkl-blue"],
    ["*t* + *c*", "gpkl-vermilion"],
  ].map(([text, tone], k) =>
    label(text, { x: 0, dx: -8, y: HEIGHT + 44 + 22 * k, class: `gpkl-text gpkl-end ${tone}` }),
  );
  const stage = v("g");
  svg.append(zone, lines, threshold, ...rows, stage);
  let reach = 6;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const change = (name, i, value) => put(model, { [name]: model.get(name).map((old, j) => (j === i ? value : old)) });
  const column = (group, i) => {
    const link = v("line", { class: "gpkl-link" });
    group.append(link, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    const spec = () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) });
    const at = (x, make) => {
      const holder = v("svg", { x, class: "gpkl-column" });
      group.append(holder);
      return make(holder);
    };
    const s = at(-13, (holder) =>
      handle(holder, {
        name: `s${sub(i + 1)}`,
        shape: "circle",
        tone: "blue",
        width: 26,
        spec,
        get: () => model.get("s")[i],
        put: (value) => change("s", i, value),
      }),
    );
    const t = at(13, (holder) =>
      handle(holder, {
        name: `t${sub(i + 1)} + c`,
        shape: "diamond",
        tone: "vermilion",
        width: 26,
        spec,
        get: () => round(model.get("t")[i] + model.get("shift"), 1e-9),
        put: (value) => change("t", i, round(value - model.get("shift"), 1e-9)),
      }),
    );
    const marks = [
      ["circle", "blue"],
      ["diamond", "vermilion"],
    ].map(([shape, tone], k) => {
      const mark = v(
        "g",
        { class: `gpkl-mark gpkl-${tone}`, transform: `translate(0 ${HEIGHT + 40 + 22 * k})` },
        shape === "circle" ? v("circle", { r: 6 }) : v("path", { d: "M0-7.5 7.5 0 0 7.5-7.5 0Z" }),
      );
      group.append(mark);
      return mark;
    });
    const unequal = v("rect", { x: -15, y: HEIGHT + 28, width: 30, height: 46, rx: 6, class: "gpkl-unequal" });
    group.prepend(unequal);
    return { link, s, t, marks, unequal };
  };
  const draw = (s, t, decided, activation) => {
    reach = Math.max(reach, Math.ceil(max([...s, ...t].map(Math.abs))));
    grid(lines, ticks(-reach, reach, 6), toY);
    for (const node of [zone, threshold]) set(node, { visibility: activation === "sigmoid" ? "visible" : "hidden" });
    if (parts.length !== s.length) parts = columns(stage, s.length, column);
    parts.forEach((part, i) => {
      set(part.link, { x1: -13, x2: 13, y1: toY(s[i]), y2: toY(t[i]) });
      part.s(toY(s[i]));
      part.t(toY(t[i]));
      part.marks.forEach((mark, k) => mark.classList.toggle("gpkl-off", !decided[k].includes(i)));
      set(part.unequal, { visibility: decided[0].includes(i) === decided[1].includes(i) ? "hidden" : "visible" });
    });
  };
  return draw;
}

// one stack a class: its part of KL(p||q) and of KL(q||p), together its part of D
function partsPlot(parent) {
  const svg = plot(parent, {
    caption: "what each class adds to *D*",
    height: HEIGHT,
    label: "Parts of the divergence",
    inset: INSET,
  });
  const hatch = pattern(svg, "gpkl-vermilion");
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  let parts = [];
  const column = (group, i, n) => {
    const box = (attrs) => v("rect", { x: `${-28 / n}%`, width: `${56 / n}%`, ...attrs });
    const forward = box({ class: "gpkl-bar gpkl-blue" });
    const backward = box({ class: "gpkl-stack gpkl-vermilion", fill: hatch });
    const text = label("", { "text-anchor": "middle" });
    group.append(forward, backward, text, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    return { forward, backward, text };
  };
  return (forward, backward) => {
    const totals = forward.map((value, i) => value + backward[i]);
    const top = ceiling(Math.max(max(totals), 0.1));
    const scale = HEIGHT / top;
    grid(lines, [0, top / 2, top], (value) => HEIGHT - value * scale, { digits: top < 0.2 ? 2 : top < 10 ? 1 : 0 });
    if (parts.length !== totals.length) parts = columns(stage, totals.length, column);
    parts.forEach((part, i) => {
      set(part.forward, { y: HEIGHT - forward[i] * scale, height: forward[i] * scale });
      set(part.backward, { y: HEIGHT - totals[i] * scale, height: backward[i] * scale });
      set(part.text, { y: HEIGHT - totals[i] * scale - 6 });
      write(part.text, fixed(totals[i], 2));
    });
  };
}

// D as the shift c runs: flat for softmax, a valley for sigmoid; below it how many decisions "> 0" differ
function shiftPlot(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: CURVE + 84,
    label: "Divergence against the shift",
    wide: true,
    inset: [28, 12, 0, 46],
  });
  const lines = v("g");
  const strip = v("g");
  const cursor = v("line", { y1: -6, y2: CURVE + 76, class: "gpkl-cursor" });
  const place = label("", { y: -10, "text-anchor": "middle" });
  const stage = stretched(CURVE);
  const caption = captionOf(svg);
  caption.append(...rich("*D* as *t* moves by *c*: "));
  const kinds = ["softmax", "sigmoid"].map((name, k) => {
    const tone = k ? "gpkl-purple" : "gpkl-green";
    const curve = v("path", { class: `gpkl-curve ${tone}` });
    const dot = k
      ? v("rect", { x: -5, width: 10, height: 10, class: `gpkl-dot ${tone}` })
      : v("circle", { r: 5.5, class: `gpkl-dot ${tone}` });
    const value = h("data", { "data-key": name });
    caption.append(h("span", { class: `gpkl-key ${tone}` }, `${k ? "■" : "●"} ${name} `, value));
    stage.append(curve);
    return { name, curve, dot, value, key: value.parentElement, holder: v("svg", { class: "gpkl-column" }, dot) };
  });
  const axis = ticks(-REACH, REACH, 4).map((tick) =>
    v("text", { x: `${toX(tick)}%`, y: CURVE + 18, "text-anchor": "middle", class: "gpkl-tick" }, minus(String(tick))),
  );
  svg.append(
    v("rect", { width: "100%", height: CURVE + 84, class: "gpkl-ground" }),
    lines,
    strip,
    stage,
    cursor,
    place,
    ...axis,
    label("how many decisions “> 0” then differ", { x: 0, y: CURVE + 46, class: "gpkl-tick gpkl-under" }),
    ...kinds.map((kind) => kind.holder),
  );
  dragAcross(svg, (share) => put(model, { shift: round(clamp(REACH * (2 * share - 1), -REACH, REACH), 0.1) }));
  const cs = Array.from({ length: 41 }, (_, i) => (REACH * (i - 20)) / 20);
  let drawn = "";
  let toY = null;
  const drawCurves = (s, t) => {
    const curves = kinds.map(({ name }) => cs.map((value) => symmetricKl(s, shifted(t, value), name)));
    const top = ceiling(Math.max(...curves.flat(), 0.1));
    toY = (value) => CURVE * (1 - value / top);
    grid(lines, [0, top / 2, top], toY, { digits: top < 10 ? 1 : 0 });
    kinds.forEach(({ curve }, k) =>
      set(curve, {
        d: curves[k].map((y, i) => `${i ? "L" : "M"}${toX(cs[i]).toFixed(2)} ${toY(y).toFixed(2)}`).join(""),
      }),
    );
    drawStrip(strip, s, t);
  };
  return (s, t, c, activation) => {
    const key = JSON.stringify([s, t]);
    if (key !== drawn) drawCurves(s, t); // the curves do not depend on c: moving it costs little
    drawn = key;
    set(cursor, { x1: `${toX(c)}%`, x2: `${toX(c)}%` });
    set(place, { x: `${toX(c)}%` });
    rebuild(place, c, () => rich(`*c* = ${fixed(c, 1)}`, v));
    kinds.forEach(({ name, dot, value, key, holder }, k) => {
      const now = symmetricKl(s, shifted(t, c), name);
      set(holder, { x: `${toX(c)}%` });
      set(dot, k ? { y: toY(now) - 5 } : { cy: toY(now) });
      key.classList.toggle("gpkl-chosen", name === activation);
      set(value, { value: now });
      write(value, nats(now));
    });
  };
}

// c cut where some t_i + c crosses 0, each piece with the number of decisions that differ
function drawStrip(strip, s, t) {
  const cuts = [
    -REACH,
    ...t
      .map((value) => -value)
      .filter((c) => Math.abs(c) < REACH)
      .sort((a, b) => a - b),
    REACH,
  ];
  const pieces = cuts
    .slice(1)
    .map((right, i) => ({ left: cuts[i], right, count: differ(s, shifted(t, (cuts[i] + right) / 2)) }));
  strip.replaceChildren(
    ...pieces
      .filter(({ left, right }) => right > left)
      .flatMap(({ left, right, count }) => {
        const width = toX(right) - toX(left);
        const cell = v("rect", {
          x: `${toX(left)}%`,
          width: `${width}%`,
          y: CURVE + 54,
          height: 20,
          class: "gpkl-cell",
          "fill-opacity": (0.7 * count) / s.length,
        });
        const text = v(
          "text",
          { x: `${toX((left + right) / 2)}%`, y: CURVE + 68, "text-anchor": "middle", class: "gpkl-tick" },
          String(count),
        );
        return width > 4 ? [cell, text] : [cell];
      }),
  );
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "two-views", title: "Two views", onReset: () => put(model, first) });
  const logits = logitsPlot(ui.plots, model);
  const parts = partsPlot(ui.plots);
  const curves = shiftPlot(ui.plots, model);
  const show = {
    forward: readout(ui.readouts, "forward", "KL(*p* ‖ *q*)", "gpkl-fill-blue"),
    backward: readout(ui.readouts, "backward", "KL(*q* ‖ *p*)", "gpkl-fill-vermilion"),
    total: readout(ui.readouts, "total", "*D*(*s*, *t* + *c*), their sum"),
    decided: readout(ui.readouts, "decided", "decided by *s* | by *t* + *c*"),
  };
  const f = choice(ui.controls, {
    caption: "decision *f*",
    options: ["softmax", "sigmoid"],
    put: (value) => put(model, { activation: value }),
  });
  const c = slider(ui.controls, {
    caption: "shift *c* of *t*",
    min: -REACH,
    max: REACH,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => put(model, { shift: value }),
  });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const s = model.get("s");
    const t0 = model.get("t");
    const shift = model.get("shift");
    const activation = model.get("activation");
    if (s.length !== t0.length) return;
    const t = shifted(t0, shift);
    const decided = [decode(s, activation), decode(t, activation)];
    const forward = klTerms(s, t, activation);
    const backward = klTerms(t, s, activation);
    const total = symmetricKl(s, t, activation);
    logits(s, t, decided, activation);
    parts(forward, backward);
    curves(s, t0, shift, activation);
    show.forward(sum(forward), nats(sum(forward)));
    show.backward(sum(backward), nats(sum(backward)));
    show.total(total, nats(total));
    const changed = s.filter((_, i) => decided[0].includes(i) !== decided[1].includes(i)).length;
    show.decided(changed, decided.map(named).join(" | "));
    f(activation);
    c(shift);
    start((state) => ["s", "t", "shift"].every((name) => same(state[name], model.get(name))));
    write(
      ui.code,
      `import torch; from gpkl_lib import symmetric_kl; print(symmetric_kl(${pyTensor(s)}, ` +
        `${pyTensor(t0)} + ${py(shift)}, activation="${activation}").item())`,
    );
    ui.say(
      `${activation}: D ${nats(total)} nats. Decided from s: ${named(decided[0])}, from t plus c: ` +
        `${named(decided[1])}.`,
    );
  });
}
export default { render };
