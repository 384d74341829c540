// "Two views": how far apart are two sets of logits, and would anyone decide differently? One shift c tells two divergences apart.
import { decode, klDivergence, klTerms, max, sum, symmetricKl } from "./math.js";
import { ceiling, choice, clamp, columns, follow, frame, grid, handle, label, num, pattern, plot, presets, put, py, pyTensor, readout, round, same, set, slider, sub, ticks, v } from "./kit.js";

const HEIGHT = 216, INSET = [22, 8, 74, 46], CURVE = 132;
const TRAITS = ["s", "t", "shift", "activation"];
const STARTS = [
  ["two dropout views", { s: [2.4, 0.6, -1.2, -2.6], t: [1.7, 1.1, -1.8, -1.9], shift: 0 }],
  ["the same twice", { s: [2.4, 0.6, -1.2, -2.6], t: [2.4, 0.6, -1.2, -2.6], shift: 0 }],
  ["the same, shifted by 3", { s: [2.4, 0.6, -1.2, -2.6], t: [2.4, 0.6, -1.2, -2.6], shift: 3 }],
  ["opposite", { s: [3, 1, -1, -3], t: [-3, -1, 1, 3], shift: 0 }],
];
const shifted = (t, c) => t.map((value) => value + c);
const named = (indices) => (indices.length ? `{${indices.map((i) => i + 1).join(", ")}}` : "∅");
const differ = (s, t) => s.filter((a, i) => a > 0 !== t[i] > 0).length;

// two handles a class, the threshold, and below them what each view decides
function logitsPlot(parent, model) {
  const svg = plot(parent, { caption: "logits *s* (circles) and *t* + *c* (diamonds): drag them", height: HEIGHT, label: "Logits of both views", inset: INSET });
  const lines = v("g"), zone = v("rect", { x: "0%", width: "100%", y: 0, height: HEIGHT / 2, class: "gpkl-zone" });
  const threshold = label("> 0", { x: "100%", dx: -4, y: HEIGHT / 2 - 6, class: "gpkl-text gpkl-vermilion gpkl-end" });
  const rows = [["*s*", "gpkl-blue"], ["*t* + *c*", "gpkl-vermilion"]].map(([text, tone], k) =>
    label(text, { x: 0, dx: -8, y: HEIGHT + 44 + 22 * k, class: `gpkl-text gpkl-end ${tone}` }));
  const stage = v("g");
  svg.append(zone, lines, threshold, ...rows, stage);
  let reach = 4, parts = [];
  const toY = (value) => (HEIGHT * (2 * reach - value)) / (4 * reach);
  const change = (name, i, value) => put(model, { [name]: model.get(name).map((old, j) => (j === i ? value : old)) });
  const column = (group, i) => {
    const link = v("line", { class: "gpkl-link" });
    group.append(link, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    const spec = (c) => () => ({ min: round(c() - reach, 0.1), max: round(c() + reach, 0.1), step: 0.1, pixels: HEIGHT / (4 * reach) });
    const at = (x, make) => {
      const holder = v("svg", { x, class: "gpkl-column" });
      group.append(holder);
      return make(holder);
    };
    const s = at(-13, (holder) => handle(holder, {
      name: `s${sub(i + 1)}`, shape: "circle", tone: "blue", width: 26, spec: spec(() => 0),
      get: () => model.get("s")[i], put: (value) => change("s", i, value),
    }));
    const t = at(13, (holder) => handle(holder, {
      name: `t${sub(i + 1)} + c`, shape: "diamond", tone: "vermilion", width: 26, spec: spec(() => model.get("shift")),
      get: () => model.get("t")[i] + model.get("shift"), put: (value) => change("t", i, round(value - model.get("shift"), 0.1)),
    }));
    const marks = [["circle", "blue"], ["diamond", "vermilion"]].map(([shape, tone], k) => {
      const mark = v("g", { class: `gpkl-mark gpkl-${tone}`, transform: `translate(0 ${HEIGHT + 40 + 22 * k})` },
        shape === "circle" ? v("circle", { r: 6 }) : v("path", { d: "M0-7.5 7.5 0 0 7.5-7.5 0Z" }));
      group.append(mark);
      return mark;
    });
    const unequal = v("rect", { x: -15, y: HEIGHT + 28, width: 30, height: 46, rx: 6, class: "gpkl-unequal" });
    group.prepend(unequal);
    return { link, s, t, marks, unequal };
  };
  const draw = (s, t, decided, activation) => {
    reach = Math.max(reach, Math.ceil(max([...s, ...model.get("t"), model.get("shift")].map(Math.abs))));
    grid(lines, ticks(-2 * reach, 2 * reach, 5), toY);
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
  return { draw, reach: () => reach };
}

// one stack a class: its part of KL(p||q) and of KL(q||p), together its part of D
function partsPlot(parent) {
  const svg = plot(parent, { caption: "what each class adds to *D*", height: HEIGHT, label: "Parts of the divergence", inset: INSET });
  const hatch = pattern(svg, "gpkl-vermilion"), lines = v("g"), stage = v("g");
  svg.append(lines, stage);
  let parts = [];
  const column = (group, i, n) => {
    const box = (attrs) => v("rect", { x: `${-28 / n}%`, width: `${56 / n}%`, ...attrs });
    const forward = box({ class: "gpkl-bar gpkl-blue" }), backward = box({ class: "gpkl-stack gpkl-vermilion", fill: hatch });
    const text = label("", { "text-anchor": "middle" });
    group.append(forward, backward, text, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    return { forward, backward, text };
  };
  return (forward, backward) => {
    const totals = forward.map((value, i) => value + backward[i]);
    const top = ceiling(Math.max(max(totals), 0.1)), scale = HEIGHT / top;
    grid(lines, [0, top / 2, top], (value) => HEIGHT - value * scale, { digits: top < 0.2 ? 2 : top < 10 ? 1 : 0 });
    if (parts.length !== totals.length) parts = columns(stage, totals.length, column);
    parts.forEach((part, i) => {
      set(part.forward, { y: HEIGHT - forward[i] * scale, height: forward[i] * scale });
      set(part.backward, { y: HEIGHT - totals[i] * scale, height: backward[i] * scale });
      set(part.text, { y: HEIGHT - totals[i] * scale - 6 });
      part.text.textContent = num(totals[i], 2);
    });
  };
}

// D as the shift c runs: flat for softmax, a valley for sigmoid; below it how many decisions "> 0" differ
function shiftPlot(parent, model) {
  const svg = plot(parent, { caption: "the same logits, *t* shifted by *c*: *D* with softmax, *D* with sigmoid", height: CURVE + 46, label: "Divergence against the shift", wide: true, inset: [14, 12, 22, 46] });
  const lines = v("g"), strip = v("g"), axis = v("g"), cursor = v("line", { y1: 0, y2: CURVE + 32, class: "gpkl-cursor" });
  const stage = v("svg", { width: "100%", height: CURVE, viewBox: `0 0 100 ${CURVE}`, preserveAspectRatio: "none", class: "gpkl-column" });
  const kinds = ["softmax", "sigmoid"].map((name, k) => {
    const tone = k ? "gpkl-purple" : "gpkl-green";
    const curve = v("path", { class: `gpkl-curve ${tone}` });
    const dot = k ? v("rect", { x: -5, width: 10, height: 10, class: `gpkl-dot ${tone}` }) : v("circle", { r: 5.5, class: `gpkl-dot ${tone}` });
    const text = label("", { class: `gpkl-text ${tone}` });
    stage.append(curve);
    return { name, curve, dot, holder: v("svg", { class: "gpkl-column" }, dot), text };
  });
  svg.append(lines, strip, axis, label("differ", { x: 0, dx: -6, y: CURVE + 26, class: "gpkl-tick gpkl-end" }), stage, cursor,
    ...kinds.flatMap((kind) => [kind.holder, kind.text]));
  return (s, t, c, reach) => {
    const grain = reach / 30, cs = Array.from({ length: 61 }, (_, i) => round((i - 30) * grain, 1e-9));
    const curves = kinds.map(({ name }) => cs.map((value) => symmetricKl(s, shifted(t, value), name)));
    const top = ceiling(Math.max(...curves.flat(), 0.1));
    const toX = (value) => (50 * (value + reach)) / reach, toY = (value) => CURVE * (1 - value / top);
    grid(lines, [0, top / 2, top], toY, { digits: top < 10 ? 1 : 0 });
    axis.replaceChildren(...ticks(-reach, reach, 4).map((tick) =>
      v("text", { x: `${toX(tick)}%`, y: CURVE + 58, "text-anchor": "middle", class: "gpkl-tick" }, tick === 0 ? "c = 0" : String(tick).replace("-", "−"))));
    set(cursor, { x1: `${toX(c)}%`, x2: `${toX(c)}%` });
    const now = kinds.map(({ name }) => symmetricKl(s, shifted(t, c), name));
    kinds.forEach(({ curve, dot, holder, text, name }, k) => {
      set(curve, { d: curves[k].map((value, i) => `${i ? "L" : "M"}${toX(cs[i]).toFixed(2)} ${toY(value).toFixed(2)}`).join("") });
      set(holder, { x: `${toX(c)}%` });
      set(dot, k ? { y: toY(now[k]) - 5 } : { cy: toY(now[k]) });
      const above = now[k] >= now[1 - k] && (k || now[0] !== now[1]);
      set(text, { x: `${toX(c)}%`, dx: c > 0 ? -10 : 10, "text-anchor": c > 0 ? "end" : "start", y: clamp(toY(now[k]) + (above ? -8 : 18), 10, CURVE - 6) });
      text.textContent = `${name} ${num(now[k], 3)}`;
    });
    drawStrip(strip, s, t, reach, toX);
  };
}

// c cut where some t_i + c crosses 0, each piece with the number of decisions that differ
function drawStrip(strip, s, t, reach, toX) {
  const cuts = [-reach, ...t.map((value) => -value).filter((c) => Math.abs(c) < reach).sort((a, b) => a - b), reach];
  strip.replaceChildren(...cuts.slice(1).flatMap((right, i) => {
    const left = cuts[i], count = differ(s, shifted(t, (left + right) / 2)), width = toX(right) - toX(left);
    if (width <= 0) return [];
    const cell = v("rect", { x: `${toX(left)}%`, width: `${width}%`, y: CURVE + 14, height: 18, class: "gpkl-cell", "fill-opacity": (0.7 * count) / s.length });
    const text = v("text", { x: `${toX((left + right) / 2)}%`, y: CURVE + 27, "text-anchor": "middle", class: "gpkl-tick gpkl-count" }, String(count));
    return width > 4 ? [cell, text] : [cell];
  }));
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "two-views", title: "Two views", onReset: () => put(model, first) });
  const logits = logitsPlot(ui.plots, model), parts = partsPlot(ui.plots), curves = shiftPlot(ui.plots, model);
  const show = {
    forward: readout(ui.readouts, "forward", "KL(*p* ‖ *q*)", "gpkl-fill-blue"),
    backward: readout(ui.readouts, "backward", "KL(*q* ‖ *p*)", "gpkl-fill-vermilion"),
    total: readout(ui.readouts, "total", "*D*(*s*, *t* + *c*), their sum"),
    decided: readout(ui.readouts, "decided", "decided: *s* | *t* + *c*"),
  };
  const f = choice(ui.controls, { caption: "*f* =", options: ["softmax", "sigmoid"], put: (value) => put(model, { activation: value }) });
  const c = slider(ui.controls, { caption: "shift *c* of *t*", min: -4, max: 4, step: 0.1, show: (value) => num(value, 1), put: (value) => put(model, { shift: value }) });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const s = model.get("s"), t0 = model.get("t"), shift = model.get("shift"), activation = model.get("activation");
    if (s.length !== t0.length) return;
    const t = shifted(t0, shift), decided = [decode(s, activation), decode(t, activation)];
    const forward = klTerms(s, t, activation), backward = klTerms(t, s, activation), total = symmetricKl(s, t, activation);
    logits.draw(s, t, decided, activation);
    parts(forward, backward);
    curves(s, t0, shift, logits.reach());
    show.forward(sum(forward));
    show.backward(sum(backward));
    show.total(total);
    const changed = s.filter((_, i) => decided[0].includes(i) !== decided[1].includes(i)).length;
    show.decided(changed, decided.map(named).join(" | "));
    f(activation);
    c(shift);
    start((state) => ["s", "t", "shift"].every((name) => same(state[name], model.get(name))));
    ui.code.textContent = `import torch; from gpkl_lib import symmetric_kl; print(symmetric_kl(${pyTensor(s)}, ` +
      `${pyTensor(t0)} + ${py(shift)}, activation="${activation}").item())`;
    ui.say(`${activation}: D ${num(total)} nats. Decided from s: ${named(decided[0])}, from t plus c: ${named(decided[1])}.`);
  });
}
export default { render };
