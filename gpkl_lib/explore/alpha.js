// "Alpha": what a weight of the divergence does, recorded: the sweep with its intervals, and the training curves of one
// weight.

import { choice, dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  fixed,
  grid,
  h,
  minus,
  num,
  plot,
  rebuild,
  rich,
  round,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { differences, epochsBelow, interval, mean, meanCurve } from "./maths/alpha.js";

const HEIGHT = 210;
const LOW = 150;
const EDGE = 4; // per cent of the width left and right of the first and last weight
const TRAITS = ["runs", "seeds", "share", "alpha", "warmup", "lower"];
const TONES = { warm: "gpkl-blue", cold: "gpkl-vermilion", plain: "gpkl-grey" };
const MARKS = {
  warm: (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1${-r} 0Z`,
  cold: (r) => `M0${-1.3 * r} ${1.3 * r} 0 0 ${1.3 * r} ${-1.3 * r} 0Z`,
};
const DASHES = { warm: "none", cold: "7 4", plain: "2 3" };
const kind = (run) => (run.method === "none" ? "plain" : run.warm || !run.alpha ? "warm" : "cold");

// the record by name: one view, the weights in order (0 first), and the run of a weight
function read(runs) {
  const alphas = [...new Set(runs.filter((run) => run.method !== "none").map((run) => run.alpha))].sort(
    (a, b) => a - b,
  );
  const at = (alpha, warm) =>
    runs.find((run) => run.method !== "none" && run.alpha === alpha && run.warm === (warm && alpha > 0));
  return { plain: runs.find((run) => run.method === "none"), alphas, at };
}

// where a weight stands, in per cent: by its logarithm, and 0 left of all
function placer(alphas) {
  const [least, most] = [alphas[1], alphas.at(-1)].map(Math.log10);
  const zero = least - Math.max(0.6, 0.18 * (most - least)); // far enough for the number of its neighbour
  const logs = alphas.map((alpha) => (alpha ? Math.log10(alpha) : zero));
  const reach = logs.at(-1) - logs[0];
  return logs.map((value) => EDGE + ((100 - 2 * EDGE) * (value - logs[0])) / reach);
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

// F1 of every weight: lines through the means, bars for the intervals, a dot a seed; drag across for the weight
function sweepPlot(parent, model, data) {
  const svg = plot(parent, {
    caption: "best dev *F*₁ against *α*: drag across.",
    height: HEIGHT,
    label: "F1 against alpha",
    wide: true,
    inset: [10, 8, 26, 34],
  });
  const keys = [
    ["● with warm-up", "warm"],
    ["◆ without", "cold"],
    ["┄ one view", "plain"],
  ];
  captionOf(svg).append(
    ...keys.flatMap(([text, tone]) => [" ", h("span", { class: `gpkl-key ${TONES[tone]}` }, text)]),
  );
  const all = [
    ...data.plain.best,
    ...data.alphas.flatMap((alpha) => [true, false].flatMap((warm) => data.at(alpha, warm).best)),
  ];
  const least = Math.max(0, Math.floor(10 * Math.min(...all) - 0.5) / 10);
  const most = Math.max(0.1, Math.min(1, Math.ceil(10 * Math.max(...all) + 0.2) / 10));
  const toY = (f1) => (HEIGHT * (most - f1)) / (most - least);
  const places = placer(data.alphas);
  const lines = v("g");
  const curves = v("g");
  const cursor = v("line", { y1: -4, y2: HEIGHT, class: "gpkl-cursor" });
  const marks = v("g");
  grid(lines, ticks(least, most, 5), toY, { strong: NaN, digits: 1 });
  const level = interval(data.plain.best);
  const ground = v("svg", { width: "100%", height: HEIGHT, class: "gpkl-column" });
  const clip = (f1) => toY(Math.min(most, Math.max(least, f1)));
  ground.append(
    v("rect", {
      width: "100%",
      y: clip(level.high),
      height: clip(level.low) - clip(level.high),
      fill: "var(--gpkl-soft)",
    }),
    v("line", {
      x1: "0%",
      x2: "100%",
      y1: toY(level.mean),
      y2: toY(level.mean),
      class: "gpkl-rule gpkl-grey",
      "stroke-dasharray": DASHES.plain,
    }),
  );
  const dots = [];
  for (const { name, warm, shift } of [
    { name: "cold", warm: false, shift: 5 },
    { name: "warm", warm: true, shift: -5 },
  ]) {
    const seen = data.alphas
      .map((alpha, i) => ({ alpha, i, run: data.at(alpha, warm) }))
      .filter(({ alpha }) => alpha || warm);
    const means = seen.filter(({ alpha }) => alpha).map(({ i, run }) => [places[i], toY(mean(run.best))]);
    const stage = stretched(HEIGHT);
    set(stage, { x: shift });
    stage.append(v("path", { d: path(means), class: `gpkl-curve ${TONES[name]}`, "stroke-dasharray": DASHES[name] }));
    curves.append(stage);
    for (const { alpha, i, run } of seen) {
      const own = interval(run.best);
      const dx = alpha ? shift : 0;
      const [high, low] = [clip(own.high), clip(own.low)];
      const mark = v("path", {
        d: MARKS[name](4),
        class: `gpkl-dot ${TONES[name]}`,
        transform: `translate(${dx} ${toY(own.mean).toFixed(2)})`,
      });
      dots.push({ alpha, warm, name, mark, dx, y: toY(own.mean) });
      marks.append(
        v(
          "svg",
          { x: `${places[i]}%`, class: "gpkl-column" },
          v("path", {
            d: `M${dx} ${high}V${low}M${dx - 4} ${high}h8M${dx - 4} ${low}h8`,
            class: `gpkl-rule ${TONES[name]}`,
            fill: "none",
          }),
          run.best.map((f1) =>
            v("circle", {
              cx: dx + (shift > 0 ? 6 : -6),
              cy: toY(f1),
              r: 1.8,
              class: `gpkl-mark ${TONES[name]}`,
              "stroke-width": 0,
            }),
          ),
          mark,
        ),
      );
    }
  }
  const axis = data.alphas.map((alpha, i) =>
    v("text", { x: `${places[i]}%`, y: HEIGHT + 18, "text-anchor": "middle", class: "gpkl-tick" }, String(alpha)),
  );
  svg.append(
    v("rect", { width: "100%", height: HEIGHT + 22, class: "gpkl-ground" }),
    ground,
    lines,
    curves,
    cursor,
    marks,
    ...axis,
  );
  dragAcross(svg, (share) => {
    const gaps = places.map((place) => Math.abs(place - 100 * share));
    put(model, { alpha: data.alphas[gaps.indexOf(Math.min(...gaps))] });
  });
  return (alpha, warm) => {
    const x = `${places[data.alphas.indexOf(alpha)]}%`;
    set(cursor, { x1: x, x2: x });
    for (const dot of dots)
      set(dot.mark, { d: MARKS[dot.name](dot.alpha === alpha && (dot.warm === warm || !alpha) ? 7 : 4) });
  };
}

// one curve of training against the epoch: the chosen runs beside the others, thin a seed, thick their mean
function curvePlot(parent, data, { name, caption }) {
  const svg = plot(parent, { caption, height: LOW, label: name, inset: [10, 6, 26, 40] });
  const epochs = data.plain.f1[0].length;
  const every = Math.max(1, epochs - 1);
  const lines = v("g");
  const axis = v("g");
  const stage = stretched(LOW);
  const pair = ["plain", "chosen"].map(() => ({
    seeds: v("path", { class: "gpkl-curve", style: "stroke-width:0.8;opacity:0.55" }),
    mean: v("path", { class: "gpkl-curve" }),
  }));
  stage.append(...pair.map((one) => one.seeds), ...pair.map((one) => one.mean));
  svg.append(lines, stage, axis);
  rebuild(axis, epochs, () =>
    ticks(1, epochs, 4).map((tick) =>
      v(
        "text",
        { x: `${(100 * (tick - 1)) / every}%`, y: LOW + 18, "text-anchor": "middle", class: "gpkl-tick" },
        String(tick),
      ),
    ),
  );
  return (curve, others, chosen) => {
    const found = data.ranges[curve];
    const logarithmic = curve !== "f1";
    const toY = (value) =>
      LOW *
      (1 - ((logarithmic ? Math.log10(Math.max(value, 10 ** found[0])) : value) - found[0]) / (found[1] - found[0]));
    if (logarithmic) powers(lines, found, toY);
    else grid(lines, ticks(found[0], found[1], 5), toY, { strong: NaN, digits: 1 });
    [others, chosen].forEach((run, k) => {
      const tone = k ? TONES[kind(chosen)] : TONES.plain;
      const own = (values) => path(values.map((value, i) => [(100 * i) / every, toY(value)]));
      set(pair[k].seeds, { d: run[curve].map(own).join(""), class: `gpkl-curve ${tone}` });
      set(pair[k].mean, {
        d: own(meanCurve(run[curve])),
        class: `gpkl-curve ${tone}`,
        style: `stroke-dasharray:${k ? DASHES[kind(chosen)] : "5 3"}`,
      });
    });
  };
}

// grid lines at powers of ten, and at 2 and 5 where there are few
function powers(group, [low, high], toY) {
  rebuild(group, [low, high], () => {
    const steps = high - low > 3 ? [1] : high - low > 1.4 ? [1, 3] : [1, 2, 5];
    const values = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i).flatMap(
      (power) => steps.map((step) => round(step * 10 ** power, 1e-9)),
    );
    return values
      .filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9)
      .map((value) =>
        v(
          "g",
          {},
          v("line", { x1: "0%", x2: "100%", y1: toY(value), y2: toY(value), class: "gpkl-grid" }),
          v("text", { x: 0, dx: -6, y: toY(value), dy: "0.32em", class: "gpkl-tick gpkl-end" }, minus(String(value))),
        ),
      );
  });
}

// what the axes must hold, over the whole record, so that they stand still while the weight moves
function ranges(runs) {
  const all = (curve) => runs.flatMap((run) => run[curve].flat());
  const logs = (curve) => {
    const values = all(curve)
      .filter((value) => value > 0)
      .map(Math.log10);
    return [Math.max(Math.min(...values), Math.max(...values) - 4) - 0.05, Math.max(...values) + 0.05];
  };
  return {
    f1: [0, Math.max(0.1, Math.ceil(10 * Math.max(...all("f1"))) / 10)],
    "cross-entropy": logs("cross-entropy"),
    divergence: logs("divergence"),
  };
}

function python(data, seeds, run) {
  const dict = (values) => `{${seeds.map((seed, i) => `${seed}: ${values[i]}`).join(", ")}}`;
  return (
    `from gpkl_lib.statistics import paired_difference; print(paired_difference(${dict(run.best)}, ` +
    `${dict(data.plain.best)}).mean)`
  );
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "alpha", title: "Alpha", onReset: () => put(model, first) });
  const runs = model.get("runs");
  const seeds = model.get("seeds");
  const data = { ...read(runs), ranges: ranges(runs) };
  const sweep = sweepPlot(ui.plots, model, data);
  const upper = curvePlot(ui.plots, data, {
    name: "F1 against the epoch",
    caption: "dev *F*₁ by epoch; dashed grey: one view",
  });
  const lower = curvePlot(ui.plots, data, { name: "Lower curve against the epoch", caption: "" });
  const caption = ui.plots.lastElementChild.firstElementChild;
  const show = readouts(ui.readouts, {
    mean: "mean best *F*₁",
    low: "95 % from",
    high: "to",
    plain: "one view",
    gain: "minus one view",
    gain_low: "95 % from",
    gain_high: "to",
    asleep: "epochs asleep",
  });
  const weight = slider(ui.controls, {
    caption: "weight *α*",
    min: 0,
    max: data.alphas.length - 1,
    step: 1,
    toValue: (i) => data.alphas[i],
    fromValue: (alpha) => data.alphas.indexOf(alpha),
    show: String,
    put: (alpha) => put(model, { alpha }),
  });
  const warm = choice(ui.controls, {
    caption: `warm-up over ${fixed(100 * model.get("share"), 0)} % of the steps`,
    options: ["on", "off"],
    put: (value) => put(model, { warmup: value === "on" }),
  });
  const which = choice(ui.controls, {
    caption: "second curve",
    options: ["CE", "D"],
    put: (value) => put(model, { lower: value === "D" ? "divergence" : "cross-entropy" }),
  });

  return follow(model, TRAITS, () => {
    const alpha = model.get("alpha");
    const warmup = model.get("warmup");
    const curve = model.get("lower");
    const run = data.at(alpha, warmup);
    sweep(alpha, warmup);
    upper("f1", data.plain, run);
    lower(curve, curve === "divergence" ? data.at(0, false) : data.plain, run);
    rebuild(caption, curve, () =>
      rich(
        curve === "divergence"
          ? "*D* by epoch; dashed grey: two views, *D* not counted"
          : "training CE by epoch; dashed grey: one view",
      ),
    );
    const own = interval(run.best);
    const gain = interval(differences(run.best, data.plain.best));
    const plainMean = mean(data.plain.best);
    const asleep = mean(run.f1.map((values) => epochsBelow(values, plainMean / 2)));
    for (const [name, value] of Object.entries({
      ...own,
      plain: plainMean,
      gain: gain.mean,
      gain_low: gain.low,
      gain_high: gain.high,
    }))
      show[name](value);
    show.asleep(asleep, num(asleep, 1));
    weight(alpha);
    warm(warmup ? "on" : "off");
    which(curve === "divergence" ? "D" : "CE");
    write(ui.code, python(data, seeds, run));
    ui.say(
      `alpha ${alpha} ${warmup ? "with" : "without"} warm-up: F1 ${num(own.mean)}, ${num(gain.mean)} minus one view.`,
    );
  });
}
export default { render };
