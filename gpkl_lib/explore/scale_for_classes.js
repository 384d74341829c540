// "Scale for C classes": how small can the loss get when features and weights have length 1, and which scale does that
// ask for?

import { dragAcross, follow, frame, handle, put, readouts, slider } from "./kit/controls.js";
import { clamp, fixed, grid, h, label, num, plot, pool, py, rich, round, set, stretched, v, write } from "./kit/kit.js";
import { marginFor, nearest, scaleBound, scaleFor } from "./maths/scale.js";

const LOW = -0.5;
const HIGH = 2.5;
const LEAST = -6;
const MOST = 1;
const HEIGHT = 210;
const RUN = 150;
const TRAITS = ["num_classes", "scale", "tolerance", "curves", "recorded_classes"];
const TONES = ["gpkl-vermilion", "gpkl-blue", "gpkl-green"];
const DASHES = ["9 4", "none", "2 3"];
const SIGNS = ["◆", "●", "■"];
const three = (value) => Number(value.toPrecision(3));
const toX = (s) => (100 * (Math.log10(s) - LOW)) / (HIGH - LOW);
const toY = (loss) => (HEIGHT * (MOST - clamp(Math.log10(loss), LEAST, MOST))) / (MOST - LEAST);
const nats = (value) => (value >= 0.001 ? String(Number(value.toPrecision(3))) : num(value));
const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

// the bound over s; drag across for s, the dashed line up and down for the loss that one wants to reach
function boundPlot(parent, model) {
  const svg = plot(parent, {
    caption: "least loss (nats) over the scale *s*: drag across; drag the dashed line for *ε*",
    height: HEIGHT + 28,
    label: "Least loss over the scale",
    wide: true,
    inset: [12, 22, 4, 52],
  });
  const stage = stretched(HEIGHT, { style: "overflow:hidden" });
  const zone = v("rect", { y: 0, height: HEIGHT, x: "0%", class: "gpkl-zone" });
  const curve = v("path", { class: "gpkl-curve gpkl-blue" });
  stage.append(curve);
  const lines = [-6, -5, -4, -3, -2, -1, 0, 1].map((power) => {
    const y = toY(10 ** power);
    return v(
      "g",
      {},
      v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: "gpkl-grid" }),
      v(
        "text",
        { x: 0, dx: -6, y, dy: "0.32em", class: "gpkl-tick gpkl-end" },
        num(10 ** power, power > -3 ? Math.max(0, -power) : 0).replace(/^1\.00·/, ""),
      ),
    );
  });
  const axis = [1, 3, 10, 30, 100, 300].map((s) =>
    v("text", { x: `${toX(s)}%`, y: HEIGHT + 18, "text-anchor": "middle", class: "gpkl-tick" }, String(s)),
  );
  const never = label("*ε* out of reach", { x: "0%", dx: 8, y: HEIGHT - 10, class: "gpkl-text gpkl-vermilion" });
  const cursor = v("line", { y1: -4, y2: HEIGHT, class: "gpkl-cursor" });
  const wanted = v("line", { x1: "0%", x2: "100%", class: "gpkl-hard" });
  const need = v("line", { y2: HEIGHT, class: "gpkl-hard" });
  const dot = v("circle", { r: 6, class: "gpkl-dot gpkl-blue" });
  const dots = v("g");
  const knob = v("svg", { x: "100%", class: "gpkl-column" });
  svg.append(
    v("rect", { width: "100%", height: HEIGHT + 28, class: "gpkl-ground" }),
    zone,
    ...lines,
    stage,
    cursor,
    need,
    wanted,
    ...axis,
    never,
    dots,
    dot,
    knob,
  );
  dragAcross(svg, (share) => put(model, { scale: three(10 ** (LOW + (HIGH - LOW) * clamp(share, 0, 1))) }));
  const move = handle(knob, {
    name: "loss to reach, as a power of ten",
    shape: "diamond",
    tone: "vermilion",
    width: 44,
    get: () => round(Math.log10(model.get("tolerance")), 0.01),
    put: (power) => put(model, { tolerance: Number((10 ** Math.min(power, 0.69)).toPrecision(3)) }),
    spec: () => ({ min: LEAST, max: 0.69, step: 0.05, pixels: HEIGHT / (MOST - LEAST) }),
    speak: (power) => `${nats(10 ** power)} nats`,
  });
  knob.addEventListener("pointerdown", (event) => event.stopPropagation()); // not a drag across
  const grids = Array.from({ length: 91 }, (_, i) => 10 ** (LOW + ((HIGH - LOW) * i) / 90));
  let drawn = 0;
  return (classes, scale, loss, curves, recorded) => {
    if (classes !== drawn)
      set(curve, {
        d: path(
          grids.map((s) => [
            toX(s),
            (HEIGHT * (MOST - Math.max(Math.log10(scaleBound(classes, s)), -9))) / (MOST - LEAST),
          ]),
        ),
      });
    drawn = classes;
    const least = scaleFor(classes, loss);
    const x = clamp(toX(Math.max(least, 1e-3)), 0, 100);
    set(zone, { width: `${x}%` });
    set(never, { visibility: x > 30 ? "visible" : "hidden" });
    set(need, { x1: `${x}%`, x2: `${x}%`, y1: toY(loss), visibility: least > 10 ** LOW ? "visible" : "hidden" });
    set(wanted, { y1: toY(loss), y2: toY(loss) });
    set(cursor, { x1: `${toX(scale)}%`, x2: `${toX(scale)}%` });
    set(dot, { cx: `${toX(scale)}%`, cy: toY(scaleBound(classes, scale)) });
    move(toY(loss));
    pool(
      dots,
      classes === recorded ? curves : [],
      () => v("text", { "text-anchor": "middle", dy: "0.35em" }),
      (mark, run, k) => {
        set(mark, {
          x: `${toX(run.scale)}%`,
          y: toY(run.loss.at(-1)),
          class: `gpkl-text ${TONES[k]}`,
          visibility: "visible",
        });
        write(mark, SIGNS[k]);
      },
    );
  };
}

// recorded curves of one quantity over the steps, the chosen scale's drawn heavier
function runPlot(parent, { caption, name, low, high, ticks, show = null, floor = false }) {
  const svg = plot(parent, { caption, height: RUN + 24, label: name, inset: [10, 10, 4, 44] });
  const stage = stretched(RUN, { style: "overflow:hidden" });
  const at = (value) => (RUN * (high - clamp(value, low, high))) / (high - low);
  const lines = v("g");
  const axis = v("g");
  const ends = v("g");
  grid(lines, ticks, at, { strong: low, digits: 1 });
  if (show) [...lines.children].forEach((line, k) => write(line.lastElementChild, show(ticks[k])));
  svg.append(lines, stage, axis, ends);
  const curves = SIGNS.map((_, k) => [
    v("path", { class: `gpkl-curve ${TONES[k]}` }),
    v("line", { x1: 0, x2: 100, class: `gpkl-curve ${TONES[k]}` }),
  ]);
  curves.flat().forEach((one) => one.setAttribute("vector-effect", "non-scaling-stroke"));
  stage.append(...curves.flat());
  const value = (one) => (name === "loss" ? Math.log10(Math.max(one, 1e-9)) : one);
  return (runs, chosen, classes) => {
    const last = Math.max(...runs.map((run) => run.steps.at(-1)));
    curves.forEach(([curve, line], k) => {
      const run = runs[k];
      for (const one of [curve, line]) set(one, { visibility: run ? "visible" : "hidden" });
      if (!run) return;
      set(curve, {
        d: path(run.steps.map((step, i) => [(100 * step) / last, at(value(run[name][i]))])),
        style: `stroke-dasharray:${DASHES[k]};stroke-width:${k === chosen ? 3.5 : 1.75}`,
      });
      const y = floor ? at(value(scaleBound(classes, run.scale))) : 0;
      set(line, {
        y1: y,
        y2: y,
        visibility: floor && y < RUN ? "visible" : "hidden",
        style: "stroke-width:1;stroke-dasharray:none",
      });
    });
    pool(
      axis,
      [0, last / 2, last],
      () => v("text", { y: RUN + 18, "text-anchor": "middle", class: "gpkl-tick" }),
      (text, step) => {
        set(text, { x: `${(100 * step) / last}%` });
        write(text, String(step));
      },
    );
    pool(
      ends,
      runs,
      () => v("text", { x: "100%", dx: 1, dy: "0.35em", "text-anchor": "middle" }),
      (text, run, k) => {
        set(text, { y: at(value(run[name].at(-1))), class: `gpkl-text ${TONES[k]}` });
        write(text, SIGNS[k]);
      },
    );
  };
}

function legend(svg, runs) {
  const caption = svg.querySelector(".gpkl-label");
  const keys = runs.map((run, k) =>
    h(
      "span",
      { class: `gpkl-key ${TONES[k]}`, style: "margin-left:.6em" },
      `${SIGNS[k]} `,
      rich(`${k ? "" : "*s* = "}${run.scale}`),
    ),
  );
  caption.append(...keys);
  return (chosen) => keys.forEach((key, k) => key.classList.toggle("gpkl-chosen", k === chosen));
}

function render({ model, el }) {
  const first = Object.fromEntries(["num_classes", "scale", "tolerance"].map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "scale-for-classes", title: "Scale for C classes", onReset: () => put(model, first) });
  const bound = boundPlot(ui.plots, model);
  const runs = model.get("curves");
  const recorded = model.get("recorded_classes");
  const shown = runs.length > 0;
  const loss =
    shown &&
    runPlot(ui.plots, {
      caption: `recorded training loss, *C* = ${recorded}`,
      name: "loss",
      low: -5,
      high: 2,
      ticks: [-4, -2, 0, 2],
      show: (power) => nats(10 ** power).replace(/^1\.00·/, ""),
      floor: true,
    });
  const accuracy =
    shown && runPlot(ui.plots, { caption: "held-out accuracy", name: "accuracy", low: 0, high: 1, ticks: [0, 0.5, 1] });
  const key = shown && legend(ui.plots.lastElementChild, runs);
  const show = readouts(ui.readouts, {
    bound: "least loss at *s*",
    needed: "*s* that *ε* needs",
    margin: "margin that *ε* asks for",
  });
  const tell =
    shown &&
    readouts(ui.readouts, {
      recorded_scale: "nearest record: *s*",
      recorded_floor: "its least loss",
      recorded_loss: "its training loss",
      recorded_accuracy: "its held-out accuracy",
    });
  const log = (low, high, step, digits) => ({
    min: low,
    max: high,
    step,
    fromValue: Math.log10,
    toValue: (at) => Number((10 ** at).toPrecision(digits)),
  });
  const scale = slider(ui.controls, {
    caption: "scale *s*",
    ...log(LOW, HIGH, 0.01, 3),
    show: String,
    put: (value) => put(model, { scale: value }),
  });
  const classes = slider(ui.controls, {
    caption: "classes *C*",
    ...log(Math.log10(2), 5, 0.01, 3),
    toValue: (at) => clamp(Math.round(three(10 ** at)), 2, 1e5),
    show: String,
    put: (value) => put(model, { num_classes: value }),
  });
  const tolerance = slider(ui.controls, {
    caption: "loss to reach *ε*",
    ...log(LEAST, 0.69, 0.01, 3),
    show: nats,
    put: (value) => put(model, { tolerance: value }),
  });

  return follow(model, TRAITS, () => {
    const C = model.get("num_classes");
    const s = model.get("scale");
    const eps = model.get("tolerance");
    const least = scaleBound(C, s);
    const need = scaleFor(C, eps);
    const margin = marginFor(C, s, eps);
    const most = C / (C - 1);
    bound(C, s, eps, runs, recorded);
    show.bound(least, nats(least));
    show.needed(need, need > 0 ? fixed(need, 2) : `${fixed(need, 2)}: any will do`);
    show.margin(margin, `${fixed(margin, 3)} of ${fixed(most, 3)}`);
    if (shown) {
      const k = nearest(
        runs.map((run) => run.scale),
        s,
      );
      const run = runs[k];
      const floor = scaleBound(recorded, run.scale);
      loss(runs, k, recorded);
      accuracy(runs, k, recorded);
      key(k);
      tell.recorded_scale(run.scale, String(run.scale));
      tell.recorded_floor(floor, nats(floor));
      tell.recorded_loss(run.loss.at(-1), nats(run.loss.at(-1)));
      tell.recorded_accuracy(run.accuracy.at(-1), fixed(run.accuracy.at(-1), 3));
    }
    scale(s);
    classes(C);
    tolerance(eps);
    write(
      ui.code,
      `from gpkl_lib.smoothing import normalized_scale_bound; print(normalized_scale_bound(${C}, ${py(s)}))`,
    );
    ui.say(
      `${C} classes at scale ${s}: loss at least ${nats(least)} nats. A loss of ${nats(eps)} needs a scale of ` +
        `${fixed(need, 2)}.`,
    );
  });
}
export default { render };
