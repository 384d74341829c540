// "Balance": one positive, ten thousand negatives. Who pulls how hard on the one bias that all scores share, and where
// does it rest?

import { dragAcross, follow, frame, handle, presets, put, readout, slider } from "./kit/controls.js";
import {
  captionOf,
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
import {
  binaryForces,
  binaryLoss,
  binaryRest,
  multilabelForces,
  multilabelLoss,
  multilabelRest,
  pull,
  push,
  tilt,
} from "./maths/balance.js";
import { sum } from "./maths/core.js";

const HEIGHT = 208;
const INSET = [22, 8, 56, 40];
const CURVE = 132;
const LOW = -12;
const HIGH = 6;
const TRAITS = ["positives", "rival", "crowd", "negatives", "shift"];
const STARTS = [
  ["one positive, all scores 0", { positives: [0], rival: 0, crowd: 0, negatives: 9999, shift: 0 }],
  ["the same, binary at rest", { positives: [0], rival: 0, crowd: 0, negatives: 9999, shift: -9.2 }],
  ["three, one left behind", { positives: [4, 3, -1], rival: 1, crowd: -4, negatives: 9997, shift: 0 }],
  ["all right, by far", { positives: [5, 5], rival: -5, crowd: -12, negatives: 9998, shift: 0 }],
  ["few negatives", { positives: [2, -0.5], rival: 1, crowd: -1, negatives: 4, shift: 0 }],
];
const KINDS = [
  {
    name: "multilabel",
    title: "multi-label",
    tone: "gpkl-green",
    loss: multilabelLoss,
    forces: multilabelForces,
    rest: multilabelRest,
  },
  {
    name: "binary",
    title: "*n* binary",
    tone: "gpkl-purple",
    loss: binaryLoss,
    forces: binaryForces,
    rest: binaryRest,
  },
];
const many = (count) => count.toLocaleString("en-US");
const toX = (c) => (100 * (c - LOW)) / (HIGH - LOW);
const at = (scores, c) => scores.map((s) => s + c);
const text = (value) =>
  value !== 0 && Math.abs(value) < 1e-3 ? num(value, 3) : value >= 100 ? many(Math.round(value)) : num(value, 3);

// one handle a positive, one for the rival, one for the crowd, which moves as one; a tick or a cross for each decision
function scoresPlot(parent, model) {
  const svg = plot(parent, { caption: "scores *s* + *c*: drag them", height: HEIGHT, label: "Scores", inset: INSET });
  const lines = v("g");
  const zone = v("rect", { x: "0%", width: "100%", y: 0, height: HEIGHT / 2, class: "gpkl-zone" });
  const threshold = label("above 0: decoded", { x: "100%", dx: -6, y: 15, class: "gpkl-text gpkl-vermilion gpkl-end" });
  const stage = v("g");
  svg.append(zone, lines, threshold, stage);
  let reach = 6;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const change = (i, value) => {
    const positives = model.get("positives");
    const score = round(clamp(value - model.get("shift"), -50, 50), 1e-9);
    if (i < positives.length) put(model, { positives: positives.map((old, j) => (j === i ? score : old)) });
    else put(model, { [i === positives.length ? "rival" : "crowd"]: score });
  };
  const score = (i) => [...model.get("positives"), model.get("rival"), model.get("crowd")][i];
  const column = (group, i, n) => {
    const stem = v("line", { class: "gpkl-link" });
    const mark = label("", { y: HEIGHT + 42, "text-anchor": "middle" });
    const name = i < n - 2 ? `*s*${sub(i + 1)}` : i === n - 2 ? "rival" : "crowd";
    group.append(stem, label(name, { y: HEIGHT + 22, "text-anchor": "middle" }), mark);
    const move = handle(group, {
      name: i < n - 2 ? `positive s${sub(i + 1)} + c` : i === n - 2 ? "rival negative + c" : "crowd of negatives + c",
      shape: i < n - 2 ? "circle" : "diamond",
      tone: i < n - 2 ? "blue" : "vermilion",
      width: 40,
      get: () => round(score(i) + model.get("shift"), 1e-9),
      put: (value) => change(i, value),
      spec: () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) }),
    });
    return { stem, mark, move };
  };
  return (positives, negatives, counts) => {
    const scores = [...positives, ...negatives];
    reach = Math.max(reach, Math.ceil(Math.max(...scores.map(Math.abs))));
    grid(lines, ticks(-reach, reach, 6), toY);
    if (parts.length !== scores.length) parts = columns(stage, scores.length, column);
    parts.forEach(({ stem, mark, move }, i) => {
      const right = scores[i] > 0 === i < positives.length;
      const more = i === scores.length - 1 ? ` ×${many(counts[1])}` : "";
      set(stem, { y1: toY(0), y2: toY(scores[i]) });
      write(mark, (right ? "✓" : "✗") + more);
      set(mark, { class: `gpkl-text ${right ? "gpkl-green" : "gpkl-vermilion"}` });
      move(toY(scores[i]));
    });
  };
}

// two bars a class, up or down: its force as a share of all the force in that loss
function forcesPlot(parent) {
  const svg = plot(parent, {
    caption: "force −∂*L*/∂*s* on each, as a share of all",
    height: HEIGHT,
    label: "Forces",
    inset: INSET,
  });
  const hatch = pattern(svg, "gpkl-purple");
  const lines = v("g");
  const stage = v("g");
  svg.append(
    lines,
    stage,
    label("↑ pulled up", { x: 0, dx: 4, y: 13, class: "gpkl-tick" }),
    label("↓ pushed down", { x: 0, dx: 4, y: HEIGHT - 5, class: "gpkl-tick" }),
  );
  const toY = (share) => (HEIGHT * (1 - share)) / 2;
  grid(lines, [-1, -0.5, 0, 0.5, 1], toY, { digits: 1 });
  let parts = [];
  const column = (group, i, n) => {
    const name = i < n - 2 ? `*s*${sub(i + 1)}` : i === n - 2 ? "rival" : "crowd";
    group.append(label(name, { y: HEIGHT + 22, "text-anchor": "middle" }));
    return KINDS.map(({ tone }, k) => {
      const bar = v("rect", {
        x: `${(k ? 3 : -37) / n}%`,
        width: `${34 / n}%`,
        class: k ? `gpkl-stack ${tone}` : `gpkl-bar ${tone}`,
        fill: k ? hatch : undefined,
      });
      group.append(bar);
      return bar;
    });
  };
  return (shares) => {
    const n = shares[0].length;
    if (parts.length !== n) parts = columns(stage, n, column);
    parts.forEach((bars, i) =>
      bars.forEach((bar, k) =>
        set(bar, { y: toY(Math.max(shares[k][i], 0)), height: (HEIGHT * Math.abs(shares[k][i])) / 2 }),
      ),
    );
  };
}

// which way the shared bias tips, for every c; where each curve crosses 0 it rests; below, how many decisions are wrong
// there
function tiltPlot(parent, model) {
  const svg = plot(parent, {
    caption: "which way *c* is driven: ",
    height: CURVE + 78,
    label: "Balance against the bias",
    wide: true,
    inset: [26, 12, 0, 46],
  });
  const lines = v("g");
  const strip = v("g");
  const cursor = v("line", { y1: -6, y2: CURVE + 72, class: "gpkl-cursor" });
  const place = label("", { y: -10, "text-anchor": "middle" });
  const stage = stretched(CURVE);
  const toY = (value) => (CURVE * (1 - value)) / 2;
  const marks = KINDS.map(({ title, tone }, k) => {
    captionOf(svg).append(h("span", { class: `gpkl-key ${tone}` }, k ? "■ " : "● ", rich(title)));
    const curve = v("path", { class: `gpkl-curve ${tone}` });
    const dot = k
      ? v("rect", { x: -5, y: toY(0) - 5, width: 10, height: 10, class: `gpkl-dot ${tone}` })
      : v("circle", { cy: toY(0), r: 5.5, class: `gpkl-dot ${tone}` });
    const holder = v("svg", { class: "gpkl-column" }, dot);
    stage.append(curve);
    return { curve, holder };
  });
  const axis = ticks(LOW, HIGH, 6).map((tick) =>
    v("text", { x: `${toX(tick)}%`, y: CURVE + 16, "text-anchor": "middle", class: "gpkl-tick" }, minus(String(tick))),
  );
  grid(lines, [-1, 0, 1], toY);
  svg.append(
    v("rect", { width: "100%", height: CURVE + 78, class: "gpkl-ground" }),
    lines,
    strip,
    stage,
    cursor,
    place,
    ...axis,
    label("wrong decisions at this *c*", { x: 0, y: CURVE + 42, class: "gpkl-tick" }),
    ...marks.map(({ holder }) => holder),
  );
  dragAcross(svg, (share) => put(model, { shift: round(clamp(LOW + share * (HIGH - LOW), LOW, HIGH), 0.1) }));
  const cs = Array.from({ length: 73 }, (_, i) => LOW + ((HIGH - LOW) * i) / 72);
  return (positives, negatives, counts, c, rests) => {
    rebuild(strip, [positives, negatives, counts], () => pieces(positives, negatives, counts));
    KINDS.forEach(({ forces }, k) => {
      const path = cs
        .map((x, i) => {
          const y = toY(tilt(forces(at(positives, x), at(negatives, x), counts)));
          return `${i ? "L" : "M"}${toX(x).toFixed(2)} ${y.toFixed(2)}`;
        })
        .join("");
      set(marks[k].curve, { d: path });
      set(marks[k].holder, {
        x: `${toX(rests[k])}%`,
        visibility: rests[k] < LOW || rests[k] > HIGH ? "hidden" : "visible",
      });
    });
    set(cursor, { x1: `${toX(c)}%`, x2: `${toX(c)}%` });
    set(place, { x: `${toX(c)}%` });
    rebuild(place, c, () => rich(`*c* = ${fixed(c, 1)}`, v));
  };
}

// c cut where some score + c crosses 0, each piece with the number of classes on the wrong side
function pieces(positives, negatives, counts) {
  const all = [...positives, ...negatives];
  const weights = [...positives.map(() => 1), ...counts];
  const n = sum(weights);
  const cuts = [
    LOW,
    ...all
      .map((s) => -s)
      .filter((c) => c > LOW && c < HIGH)
      .sort((a, b) => a - b),
    HIGH,
  ];
  return cuts.slice(1).flatMap((right, i) => {
    const left = cuts[i];
    const middle = (left + right) / 2;
    const width = toX(right) - toX(left);
    const wrong = sum(all.map((s, j) => (s + middle > 0 === j < positives.length ? 0 : weights[j])));
    if (width <= 0) return [];
    const cell = v("rect", {
      x: `${toX(left)}%`,
      width: `${width}%`,
      y: CURVE + 50,
      height: 20,
      class: "gpkl-cell",
      "fill-opacity": (0.6 * Math.log1p(wrong)) / Math.log1p(n),
    });
    const shown = many(wrong);
    const count = v(
      "text",
      { x: `${toX((left + right) / 2)}%`, y: CURVE + 64, "text-anchor": "middle", class: "gpkl-tick" },
      shown,
    );
    return width > 1.5 + 2.2 * shown.length ? [cell, count] : [cell];
  });
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "balance", title: "Balance", onReset: () => put(model, first) });
  const scores = scoresPlot(ui.plots, model);
  const bars = forcesPlot(ui.plots);
  const tilts = tiltPlot(ui.plots, model);
  const show = KINDS.map(({ name, title }, k) => {
    const one = (key, caption) => readout(ui.readouts, key, caption);
    return {
      loss: one(name, `${k ? "■" : "●"} ${title}: loss`),
      pull: one(`${name}-pull`, "pull of positives"),
      push: one(`${name}-push`, "push of negatives"),
      rest: one(`${name}-rest`, "rest at *c* ="),
    };
  });
  const count = slider(ui.controls, {
    caption: "negatives *n* − *P*",
    min: 0.3,
    max: 4,
    step: 0.01,
    toValue: (p) => clamp(Math.round(10 ** p), 2, 10000),
    fromValue: Math.log10,
    show: many,
    put: (value) => put(model, { negatives: value }),
  });
  const bias = slider(ui.controls, {
    caption: "bias *c* of all scores",
    min: LOW,
    max: HIGH,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => put(model, { shift: value }),
  });
  const start = presets(ui.controls, { caption: "start from", entries: STARTS, put: (state) => put(model, state) });

  return follow(model, TRAITS, () => {
    const [positives, rival, crowd, n, c] = TRAITS.map((name) => model.get(name));
    const negatives = [rival, crowd];
    const counts = [1, n - 1];
    const pulled = at(positives, c);
    const pushed = at(negatives, c);
    const rests = KINDS.map(({ rest }) => rest(positives, negatives, counts));
    const forces = KINDS.map((kind) => kind.forces(pulled, pushed, counts));
    scores(pulled, pushed, counts);
    bars(forces.map((f) => f.map((value) => value / (pull(f) + push(f)))));
    tilts(positives, negatives, counts, c, rests);
    KINDS.forEach(({ loss }, k) => {
      const value = loss(pulled, pushed, counts);
      show[k].loss(value, text(value));
      show[k].pull(pull(forces[k]), text(pull(forces[k])));
      show[k].push(push(forces[k]), text(push(forces[k])));
      show[k].rest(rests[k], fixed(rests[k], 2));
    });
    count(n);
    bias(c);
    start((state) => TRAITS.every((name) => same(state[name], model.get(name))));
    write(
      ui.code,
      `import torch; from gpkl_lib import multilabel_cross_entropy; s = ` +
        `torch.tensor([${[...positives, rival].map(py).join(", ")}] + ` +
        `${n - 1} * [${py(crowd)}], dtype=torch.float64) + ${py(c)}; print(multilabel_cross_entropy(s, ` +
        `torch.arange(len(s)) < ${positives.length}).item())`,
    );
    ui.say(
      KINDS.map(
        ({ title }, k) =>
          `${title.replaceAll("*", "")}: pull ${text(pull(forces[k]))}, push ${text(push(forces[k]))}, rest at ` +
          `c = ${fixed(rests[k], 2)}.`,
      ).join(" "),
    );
  });
}
export default { render };
