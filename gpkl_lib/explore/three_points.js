// "Three points": a line to drag between three labelled points. Where does cross-entropy want it, where the hinge loss,
// and where an accuracy made smooth?

import { follow, frame, handle, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  clamp,
  fixed,
  grid,
  h,
  label,
  num,
  plot,
  py,
  round,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import {
  hingeLoss,
  lineBest,
  lineLoss,
  lineSlope,
  rightShare,
  smoothAccuracy,
  smoothBest,
  smoothSlope,
} from "./maths/accuracy.js";

const TRAITS = ["b", "scale", "temperature"];
const [LOW, HIGH] = [-0.5, 2.5];
const GAP = [0, 0.25]; // where a line is right for all three
const MARKS = [
  [-0.25, "−"],
  [0, "−"],
  [0.25, "+"],
];
const STRIP = 44; // the height of the strip in which the points lie
const LOSS = 150;
const SHARE = 120;
const MOST = 2; // nats, the upper end of the losses
const xs = Array.from({ length: 241 }, (_, i) => LOW + ((HIGH - LOW) * i) / 240);
const percent = (b) => (100 * (b - LOW)) / (HIGH - LOW);
const three = (value) => Number(value.toPrecision(3));
const path = (f, toY) => xs.map((b, i) => `${i ? "L" : "M"}${percent(b).toFixed(2)} ${toY(f(b)).toFixed(2)}`).join("");
const shown = (b) => (b === Infinity ? "none" : num(b));
const STYLE = `
.gpkl-side { fill: var(--gpkl-paper); stroke: var(--gpkl-vermilion); stroke-width: 2.5; }
.gpkl-side.gpkl-held { fill: var(--gpkl-green); stroke: var(--gpkl-green); }
.gpkl-missed { stroke: var(--gpkl-vermilion); stroke-width: 2; }
.gpkl-within { fill: var(--gpkl-green); opacity: 0.13; }
.gpkl-dashed { stroke-dasharray: 8 4; }
.gpkl-dotted { stroke-dasharray: 2 4; }`;

const band = (y, height) => {
  const [left, right] = GAP.map(percent);
  return v("rect", { x: `${left}%`, width: `${right - left}%`, y, height, class: "gpkl-within" });
};
const axis = (y) => [
  v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: "gpkl-axis" }),
  ...ticks(LOW, HIGH, 6).map((tick) =>
    v("text", { x: `${percent(tick)}%`, y: y + 18, "text-anchor": "middle", class: "gpkl-tick" }, fixed(tick, 1)),
  ),
];

// the best b of a curve: a dot on it, or an arrow at the right end where it lies beyond
function mark(svg, tone) {
  const dot = v("circle", { r: 6, class: `gpkl-dot gpkl-${tone}` });
  const away = v(
    "text",
    { x: "100%", dx: -4, "text-anchor": "end", class: `gpkl-text gpkl-${tone}`, style: "font-size:18px" },
    "→",
  );
  svg.append(dot, away);
  return (b, y) => {
    const inside = b <= HIGH;
    set(dot, { cx: `${percent(inside ? b : HIGH)}%`, cy: y, visibility: inside ? "visible" : "hidden" });
    set(away, { y: y - 8, visibility: inside ? "hidden" : "visible" });
  };
}

// the three points in a strip, the line among them, and below it the two losses over where it stands
function lossPlot(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: STRIP + LOSS + 24,
    label: "Points and losses",
    wide: true,
    inset: [12, 10, 0, 34],
  });
  captionOf(svg).append(
    "drag the line ◆; loss, mean of three ",
    h("span", { class: "gpkl-key gpkl-blue" }, "▬ cross-entropy"),
    h("span", { class: "gpkl-key gpkl-vermilion" }, "┅ hinge"),
  );
  const toY = (loss) => STRIP + LOSS * (1 - loss / MOST);
  const lines = v("g");
  const stage = stretched(STRIP + LOSS, { style: "overflow:hidden" });
  const cross = v("path", { class: "gpkl-curve gpkl-blue" });
  const bent = v("path", { class: "gpkl-curve gpkl-vermilion gpkl-dotted" });
  stage.append(bent, cross);
  const cover = v("rect", { x: "0%", width: "100%", y: -12, height: STRIP + 4, fill: "var(--gpkl-paper)" });
  const line = v("line", { class: "gpkl-rule gpkl-ink", y1: -4, y2: STRIP + LOSS });
  const knob = v("svg", { class: "gpkl-column" });
  svg.append(band(0, STRIP + LOSS), lines, stage, cover, band(-12, STRIP + 4), line);
  grid(lines, [0, 0.5, 1, 1.5, 2], toY, { digits: 1 });
  const points = MARKS.map(([x, side]) => {
    const circle = v("circle", { r: 6, class: "gpkl-side" });
    const wrong = v("path", { d: "M-3-3 3 3M-3 3 3-3", class: "gpkl-missed" });
    const text = label(String(side), { y: -11, "text-anchor": "middle" });
    svg.append(v("svg", { x: `${percent(Number(x))}%`, y: 14, class: "gpkl-column" }, circle, wrong, text));
    return { x, plus: side === "+", circle, wrong };
  });
  svg.append(...axis(STRIP + LOSS));
  const best = mark(svg, "blue");
  svg.append(knob);
  const move = handle(knob, {
    name: "where the line stands, b",
    shape: "diamond",
    tone: "ink",
    width: 44,
    sideways: true,
    speak: (value) => fixed(value, 2),
    get: () => model.get("b"),
    put: (value) => put(model, { b: value }),
    spec: () => ({ min: LOW, max: HIGH, step: 0.01, pixels: svg.getBoundingClientRect().width / (HIGH - LOW) }),
  });
  let drawn = 0;
  return (b, w, goal) => {
    if (w !== drawn) {
      set(cross, { d: path((at) => Math.min(lineLoss(at, w), 9), toY) });
      set(bent, { d: path((at) => Math.min(hingeLoss(at, w), 9), toY) });
    }
    drawn = w;
    set(line, { x1: `${percent(b)}%`, x2: `${percent(b)}%` });
    set(knob, { x: `${percent(b)}%` });
    move(STRIP);
    best(goal, toY(lineLoss(Math.min(goal, HIGH), w)));
    for (const { x, plus, circle, wrong } of points) {
      const held = plus ? x > b : x < b;
      set(circle, { class: held ? "gpkl-side gpkl-held" : "gpkl-side" });
      set(wrong, { visibility: held ? "hidden" : "visible" });
    }
  };
}

// accuracy over where the line stands: in steps, and made smooth
function accuracyPlot(parent) {
  const svg = plot(parent, {
    caption: "",
    height: SHARE + 24,
    label: "Accuracy",
    wide: true,
    inset: [16, 10, 0, 34],
  });
  captionOf(svg).append(
    "accuracy",
    h("span", { class: "gpkl-key gpkl-grey" }, "▬ in steps"),
    h("span", { class: "gpkl-key gpkl-purple" }, "╍ smooth"),
  );
  const toY = (share) => SHARE * (1 - share);
  const lines = v("g");
  const steps = [-0.25, ...GAP].map(percent);
  const [one, two, all] = [1 / 3, 2 / 3, 1].map(toY);
  const hard = v("path", {
    class: "gpkl-curve gpkl-grey",
    d: `M0 ${one}H${steps[0]}V${two}H${steps[1]}V${all}H${steps[2]}V${two}H100`,
  });
  const smooth = v("path", { class: "gpkl-curve gpkl-purple" });
  const line = v("line", { class: "gpkl-rule gpkl-ink", y1: 0, y2: SHARE });
  svg.append(band(0, SHARE), lines, stretched(SHARE, {}, hard, smooth), line, ...axis(SHARE));
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  const best = mark(svg, "purple");
  let drawn = 0;
  return (b, T, goal) => {
    if (T !== drawn) set(smooth, { d: path((at) => smoothAccuracy(at, T), toY) });
    drawn = T;
    set(line, { x1: `${percent(b)}%`, x2: `${percent(b)}%` });
    best(goal, toY(smoothAccuracy(Math.min(goal, HIGH), T)));
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "three-points", title: "Three points", style: STYLE, onReset: () => put(model, first) });
  const losses = lossPlot(ui.plots, model);
  const shares = accuracyPlot(ui.plots);
  const logs = (caption, [min, max], name) =>
    slider(ui.controls, {
      caption,
      min: Math.log10(min),
      max: Math.log10(max),
      step: 0.005,
      show: String,
      toValue: (at) => clamp(three(10 ** at), min, max),
      fromValue: Math.log10,
      put: (value) => put(model, { [name]: value }),
    });
  const scale = logs("scale *w*, losses", [0.3, 32], "scale");
  const width = logs("width *T*, accuracy", [0.02, 2], "temperature");
  const tell = readouts(ui.readouts, {
    accuracy: "accuracy at *b*",
    cross: "cross-entropy at *b*",
    cross_slope: "its slope",
    cross_best: "its best *b*",
    hinge: "hinge loss at *b*",
    smooth: "smooth accuracy at *b*",
    smooth_slope: "its slope",
    smooth_best: "its best *b*",
  });

  return follow(model, TRAITS, () => {
    const [b, w, T] = TRAITS.map((name) => model.get(name));
    const cross = lineBest(w);
    const smooth = smoothBest(T);
    losses(b, w, cross);
    shares(b, T, smooth);
    tell.accuracy(rightShare(b), `${round(3 * rightShare(b), 1)} of 3`);
    tell.cross(lineLoss(b, w));
    tell.cross_slope(lineSlope(b, w));
    tell.cross_best(cross);
    tell.hinge(hingeLoss(b, w));
    tell.smooth(smoothAccuracy(b, T));
    tell.smooth_slope(smoothSlope(b, T));
    tell.smooth_best(smooth, shown(smooth));
    scale(w);
    width(T);
    write(
      ui.code,
      `from gpkl_lib.explore.three_points import smooth_accuracy; print(smooth_accuracy(${py(b)}, ${py(T)}).item())`,
    );
    ui.say(
      `Line at ${fixed(b, 2)}: ${round(3 * rightShare(b), 1)} of 3 right. Cross-entropy is least at ${num(cross)}, ` +
        `the smooth accuracy is largest ${smooth === Infinity ? "nowhere" : `at ${num(smooth)}`}.`,
    );
  });
}
export default { render };
