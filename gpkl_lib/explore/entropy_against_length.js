// "Entropy against length": does a softmax over more scores spread out, and does a scale of kappa log n stop it?

import { choice, dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import { captionOf, clamp, fixed, grid, h, label, num, plot, py, rich, set, stretched, v, write } from "./kit/kit.js";
import { countsOf, decay, entropyOf, gapOf, invariantScale, score, sumsOf } from "./maths/scale.js";

const POWERS = Array.from({ length: 11 }, (_, i) => i + 4);
const LENGTHS = POWERS.map((power) => 2 ** power);
const ROWS = 16;
const REFERENCE = 512;
const HEIGHT = 230;
const BARS = 120;
const SHOWN = 20;
const TOP = 10;
const TRAITS = ["length", "scale", "scores"];
const toX = (power) => (100 * (power - 4)) / 10;
const toY = (nats) => (HEIGHT * (TOP - nats)) / TOP;
const spread = (values) => Math.max(...values) - Math.min(...values);

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

// ROWS rows of scores of each length as counts, drawn once for each kind, and the mean of max - mean over the rows
const drawn = {};
function sample(kind) {
  if (drawn[kind]) return drawn[kind];
  const scores = Float64Array.from({ length: ROWS * LENGTHS.at(-1) }, (_, i) => score(kind, i));
  drawn[kind] = LENGTHS.map((n) => {
    const rows = Array.from({ length: ROWS }, (_, row) => countsOf(scores, row * n, n));
    return { rows, gap: mean(rows.map(gapOf)), size: Math.max(...rows.map((counts) => counts.length)) };
  });
  return drawn[kind];
}

// over the lengths, at the scale lambda(n): the mean entropy of the rows
function entropies(data, lambda) {
  return LENGTHS.map((n, at) => {
    const scale = lambda(n);
    const weights = decay(scale, data[at].size);
    const each = data[at].rows.map((counts) => {
      const [z, moment] = sumsOf(counts, scale, weights);
      return entropyOf(z, moment);
    });
    return mean(each);
  });
}
// the largest probabilities of the first row
function leaders(counts, lambda) {
  const [z] = sumsOf(counts, lambda);
  const shares = [];
  for (let k = 0; shares.length < SHOWN && k < counts.length; k += 1) {
    const share = Math.exp((-lambda * k) / 64) / z;
    for (let c = counts[counts.length - 1 - k]; c > 0 && shares.length < SHOWN; c -= 1) shares.push(share);
  }
  return shares;
}

// both entropies over n, between 0 and log n; drag across for n
function lengthPlot(parent, model) {
  const svg = plot(parent, {
    caption: "entropy in nats over the length *n*: drag across.",
    height: HEIGHT + 26,
    label: "Entropy over the length",
    wide: true,
    inset: [8, 16, 4, 30],
  });
  const keys = [
    ["◆ λ fixed", "gpkl-vermilion"],
    ["● λ = κ log *n*", "gpkl-blue"],
    ["┄ log *n*", "gpkl-grey"],
  ].map(([text, tone]) => h("span", { class: `gpkl-key ${tone}` }, rich(text)));
  captionOf(svg).append(...keys);
  const lines = v("g");
  const stage = stretched(HEIGHT);
  const limit = v("path", { class: "gpkl-curve gpkl-grey", style: "stroke-width:1.5;stroke-dasharray:4 4" });
  const curves = [
    v("path", { class: "gpkl-curve gpkl-vermilion", style: "stroke-dasharray:9 4" }),
    v("path", { class: "gpkl-curve gpkl-blue" }),
  ];
  stage.append(limit, ...curves);
  const path = (values) =>
    values.map((value, i) => `${i ? "L" : "M"}${toX(POWERS[i])} ${toY(value).toFixed(2)}`).join("");
  set(limit, { d: path(LENGTHS.map((n) => Math.log(n))) });
  grid(lines, [0, 2, 4, 6, 8, 10], toY);
  const axis = POWERS.filter((power) => power % 2 === 0).map((power) =>
    v("text", { x: `${toX(power)}%`, y: HEIGHT + 18, "text-anchor": "middle", class: "gpkl-tick" }, String(2 ** power)),
  );
  const marks = ["gpkl-vermilion", "gpkl-blue"].map((tone) =>
    LENGTHS.map(() => v("path", { class: `gpkl-dot ${tone}` })),
  );
  const cursor = v("line", { y1: -2, y2: HEIGHT, class: "gpkl-cursor" });
  const agree = label("", { x: `${toX(9)}%`, y: HEIGHT - 8, "text-anchor": "middle", class: "gpkl-text gpkl-grey" });
  write(agree, "equal here");
  svg.append(
    v("rect", { width: "100%", height: HEIGHT + 26, class: "gpkl-ground" }),
    lines,
    v("line", { x1: `${toX(9)}%`, x2: `${toX(9)}%`, y1: 0, y2: HEIGHT, class: "gpkl-grid" }),
    agree,
    stage,
    cursor,
    ...axis,
    ...marks.flatMap((row) => row.map((mark, i) => v("svg", { x: `${toX(POWERS[i])}%`, class: "gpkl-column" }, mark))),
  );
  dragAcross(svg, (share) => put(model, { length: 2 ** Math.round(4 + 10 * clamp(share, 0, 1)) }));
  let last = null;
  return (pair, power) => {
    if (pair !== last) pair.forEach((values, k) => set(curves[k], { d: path(values) })); // they do not depend on n
    last = pair;
    set(cursor, { x1: `${toX(power)}%`, x2: `${toX(power)}%` });
    const shape = (k, r) =>
      k
        ? `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1${-r} 0Z`
        : `M0${-1.2 * r} ${1.2 * r} 0 0 ${1.2 * r} ${-1.2 * r} 0Z`;
    pair.forEach((values, k) =>
      values.forEach((value, i) =>
        set(marks[k][i], {
          transform: `translate(0 ${toY(value).toFixed(2)})`,
          d: shape(k, POWERS[i] === power ? 6.5 : 3.5),
        }),
      ),
    );
  };
}

// the largest probabilities of the first row under one scale
function barsPlot(parent, { caption, tone, name }) {
  const svg = plot(parent, { caption, height: BARS + 8, label: name, inset: [14, 4, 4, 34] });
  const lines = v("g");
  const bars = v("path", { class: `gpkl-bar ${tone}` });
  grid(lines, [0, 0.5, 1], (share) => BARS * (1 - share), { digits: 1 });
  svg.append(
    lines,
    v("svg", { width: "100%", height: BARS, viewBox: `0 0 ${SHOWN} ${BARS}`, preserveAspectRatio: "none" }, bars),
  );
  return (shares) =>
    set(bars, { d: shares.map((share, i) => `M${i + 0.15} ${BARS}v${-BARS * share}h.7v${BARS * share}z`).join("") });
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "entropy-against-length",
    title: "Entropy against length",
    onReset: () => put(model, first),
  });
  const curves = lengthPlot(ui.plots, model);
  const bars = [
    barsPlot(ui.plots, {
      caption: `the ${SHOWN} largest of *n* probabilities, λ fixed`,
      tone: "gpkl-vermilion",
      name: "Largest probabilities, fixed scale",
    }),
    barsPlot(ui.plots, {
      caption: "the same with λ = κ log *n*",
      tone: "gpkl-blue",
      name: "Largest probabilities, scale kappa log n",
    }),
  ];
  const show = readouts(ui.readouts, {
    plain: "*H*, λ fixed",
    invariant: "*H*, λ = κ log *n*",
    factor: "κ log *n*",
    estimate: "log *n* + λ(mean − max)",
    plain_spread: "drift, λ fixed",
    invariant_spread: "drift, κ log *n*",
  });
  const length = slider(ui.controls, {
    caption: "length *n*",
    min: 4,
    max: 14,
    step: 1,
    fromValue: Math.log2,
    toValue: (power) => 2 ** power,
    show: String,
    put: (value) => put(model, { length: value }),
  });
  const scale = slider(ui.controls, {
    caption: `scale λ at *n* = ${REFERENCE}`,
    min: 0.1,
    max: 8,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => put(model, { scale: value }),
  });
  const kind = choice(ui.controls, {
    caption: "scores",
    options: ["normal", "uniform"],
    put: (value) => put(model, { scores: value }),
  });
  let known = "";
  let pair = null;

  return follow(model, TRAITS, () => {
    const n = model.get("length");
    const lambda = model.get("scale");
    const scores = model.get("scores");
    const data = sample(scores);
    const kappa = lambda / Math.log(REFERENCE);
    const factor = invariantScale(n, kappa);
    const at = LENGTHS.indexOf(n);
    if (known !== `${scores} ${lambda}`) {
      pair = [entropies(data, () => lambda), entropies(data, (m) => invariantScale(m, kappa))];
    }
    known = `${scores} ${lambda}`;
    curves(pair, Math.log2(n));
    [lambda, factor].forEach((by, k) => bars[k](leaders(data[at].rows[0], by)));
    show.plain(pair[0][at]);
    show.invariant(pair[1][at]);
    show.factor(factor);
    show.estimate(Math.log(n) - factor * data[at].gap);
    show.plain_spread(spread(pair[0]));
    show.invariant_spread(spread(pair[1]));
    length(n);
    scale(lambda);
    kind(scores);
    write(
      ui.code,
      `from gpkl_lib import entropy; from gpkl_lib.smoothing import entropy_invariant_scale; ` +
        `from gpkl_lib.explore.entropy_against_length import random_scores; ` +
        `print(entropy(entropy_invariant_scale(${n}, ${py(kappa)}) * random_scores(${n}, "${scores}")).mean().item())`,
    );
    ui.say(`${n} scores: entropy ${num(pair[0][at], 2)} with a fixed scale, ${num(pair[1][at], 2)} with kappa log n.`);
  });
}
export default { render };
