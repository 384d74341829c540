// "Sphere the cloud": points of the plane as arrows from the origin, whitened with two exponents.

import { follow, frame, hold, knob, presets, put, readouts, slider } from "./kit/controls.js";
import {
  clamp,
  columns,
  fixed,
  fromMiddle,
  grid,
  label,
  num,
  plot,
  pool,
  py,
  round,
  same,
  set,
  v,
  write,
} from "./kit/kit.js";
import { cloud, cloudAxes, cloudMoments, cosine, cosineRange, natsFromRound, whitened } from "./maths/cloud.js";
import { softmax } from "./maths/core.js";

const SIZE = 288;
const REACH = 4;
const UNIT = SIZE / (2 * REACH + 0.5);
const TYPICAL = 2.1; // length of a typical arrow where the whitened cloud is drawn, in units
const BARS = 120;
const TRAITS = ["count", "beta", "gamma", "x"];
const EXPONENTS = [
  ["as it is: 0, 0", [0, 0]],
  ["without its mean: 1, 0", [1, 0]],
  ["half way: 1, ½", [1, 0.5]],
  ["white: 1, 1", [1, 1]],
];
const STYLE = `
.gpkl-sc-arrow { stroke: var(--gpkl-grey); stroke-width: 1; stroke-opacity: 0.45; }
.gpkl-sc-dot { fill: var(--gpkl-grey); }
.gpkl-sc-pair { stroke-width: 2.5; stroke: var(--tone); }
.gpkl-sc-ellipse {
  fill: var(--gpkl-blue); fill-opacity: 0.07; stroke: var(--gpkl-blue); stroke-width: 1.5; stroke-dasharray: 6 4;
}
.gpkl-sphere-the-cloud .gpkl-handle { cursor: move; }`;

/** @type {(point: number[]) => number[]} */
const px = ([a, b]) => [UNIT * a, -UNIT * b];
const exactly = (value) => (Math.abs(value) < 1e-12 ? 0 : value); // what is left of a difference that is 0
const DIAMOND = "M0-8 8 0 0 8-8 0Z";

// arrows from the origin to all points, two of them marked, and the ellipse of their covariance
function cloudPanel(parent, caption, name) {
  const svg = plot(parent, { caption, height: SIZE, label: name, inset: [4, 0, 4, 0] });
  set(svg, { viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`, preserveAspectRatio: "xMidYMid meet" });
  svg.style.overflow = "hidden";
  const far = SIZE / 2;
  const ellipse = v("ellipse", { class: "gpkl-sc-ellipse" });
  const arrows = v("g");
  const dots = v("g");
  const pair = ["blue", "vermilion"].map((tone) => v("line", { x1: 0, y1: 0, class: `gpkl-sc-pair gpkl-${tone}` }));
  const second = v("path", { d: DIAMOND, class: "gpkl-dot gpkl-vermilion" });
  svg.append(
    v("line", { x1: -far, x2: far, y1: 0, y2: 0, class: "gpkl-axis" }),
    v("line", { y1: -far, y2: far, x1: 0, x2: 0, class: "gpkl-axis" }),
    ellipse,
    arrows,
    dots,
    ...pair,
    second,
  );
  const draw = (points) => {
    const [mean, moment] = cloudMoments(points, 1);
    const { values, axis } = cloudAxes(moment);
    const middle = px(mean);
    set(ellipse, {
      rx: (UNIT * Math.sqrt(values[0])).toFixed(2),
      ry: (UNIT * Math.sqrt(Math.max(0, values[1]))).toFixed(2),
      transform: `translate(${middle}) rotate(${((-Math.atan2(axis[1], axis[0]) * 180) / Math.PI).toFixed(2)})`,
    });
    const places = points.map((point) => px(point).map((value) => value.toFixed(2)));
    const rest = places.slice(2);
    pool(
      arrows,
      rest,
      () => v("line", { x1: 0, y1: 0, class: "gpkl-sc-arrow" }),
      (node, [x, y]) => set(node, { x2: x, y2: y, visibility: "visible" }),
    );
    pool(
      dots,
      rest,
      () => v("circle", { r: 2.5, class: "gpkl-sc-dot" }),
      (node, [x, y]) => set(node, { cx: x, cy: y, visibility: "visible" }),
    );
    pair.forEach((node, i) => set(node, { x2: places[i][0], y2: places[i][1] }));
    set(second, { transform: `translate(${places[1]})` });
    return places[0];
  };
  return { svg, draw };
}

// the first point, dragged anywhere, moved by the arrow keys
function pointHandle(svg, model) {
  const go = (x) => put(model, { x: x.map((value) => round(clamp(value, -REACH, REACH), 0.1)) });
  const node = knob(v("circle", { r: 8 }), { name: "first point", tone: "blue" });
  set(node, { "aria-roledescription": "point in the plane", "aria-valuemin": -REACH, "aria-valuemax": REACH });
  svg.append(node);
  hold(node, (event) => go(fromMiddle(svg, SIZE, event).map((value) => value / UNIT)));
  node.addEventListener("keydown", (event) => {
    const by = {
      ArrowRight: [0.1, 0],
      ArrowLeft: [-0.1, 0],
      ArrowUp: [0, 0.1],
      ArrowDown: [0, -0.1],
      PageUp: [0, 1],
      PageDown: [0, -1],
      Home: [-1, 0],
      End: [1, 0],
    }[event.key];
    if (!by) return;
    go(model.get("x").map((value, axis) => value + by[axis]));
    event.preventDefault();
    event.stopPropagation();
  });
  return (place, x) =>
    set(node, {
      transform: `translate(${place})`,
      "aria-valuenow": x[0],
      "aria-valuetext": `right ${fixed(x[0], 1)}, up ${fixed(x[1], 1)}`,
    });
}

// the shares of the two axes, dashed what they are without gamma
function sharePanel(parent) {
  const svg = plot(parent, {
    caption: "shares of the axes: softmax((1 − *γ*) log *Λ*); dashed: with *γ* = 0",
    height: BARS,
    label: "Shares of the two axes",
    wide: true,
    inset: [22, 4, 26, 32],
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => BARS * (1 - value);
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  const parts = columns(stage, 2, (group, i) => {
    const bar = v("rect", { x: "-9%", width: "18%", class: "gpkl-bar gpkl-blue" });
    const before = v("rect", { x: "-12%", width: "24%", class: "gpkl-hard" });
    const text = label("", { "text-anchor": "middle", class: "gpkl-tick" });
    group.append(
      bar,
      before,
      text,
      label(["longer axis", "shorter axis"][i], { y: BARS + 18, "text-anchor": "middle" }),
    );
    return { bar, before, text };
  });
  return (shares, plain) =>
    parts.forEach(({ bar, before, text }, i) => {
      set(bar, { y: toY(shares[i]), height: BARS - toY(shares[i]) });
      set(before, { y: toY(plain[i]), height: BARS - toY(plain[i]) });
      set(text, { y: toY(Math.max(shares[i], plain[i])) - 6 });
      write(text, fixed(shares[i], 3));
    });
}

function python(count, beta, gamma, x) {
  const given = `${count}, beta=${py(beta)}, gamma=${py(gamma)}, x=[${x.map(py).join(", ")}]`;
  return `from gpkl_lib.explore import SphereTheCloud; print(SphereTheCloud(${given}).values()["cosine"])`;
}

function render({ model, el }) {
  const start = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "sphere-the-cloud",
    title: "Sphere the cloud",
    style: STYLE,
    onReset: () => put(model, start),
  });
  const plain = cloudPanel(ui.plots, "the points as they are; drag ●", "The points as they are");
  const white = cloudPanel(ui.plots, "whitened; lengths against their typical one", "The points, whitened");
  const place = pointHandle(plain.svg, model);
  const first = v("circle", { r: 7, class: "gpkl-dot gpkl-blue" });
  white.svg.append(first);
  const bars = sharePanel(ui.plots);
  const exponents = presets(ui.controls, {
    caption: "both exponents",
    entries: EXPONENTS,
    put: ([beta, gamma]) => put(model, { beta, gamma }),
  });
  const percent = (caption, name) =>
    slider(ui.controls, {
      caption,
      min: 0,
      max: 1,
      step: 0.05,
      show: (value) => fixed(value, 2),
      put: (value) => put(model, { [name]: value }),
    });
  const beta = percent("mean taken away *β*", "beta");
  const gamma = percent("spectrum evened *γ*", "gamma");
  const count = slider(ui.controls, {
    caption: "points *N*",
    min: 3,
    max: 60,
    step: 1,
    show: (value) => fixed(value, 0),
    put: (value) => put(model, { count: value }),
  });
  const show = readouts(ui.readouts, {
    cosine: "cosine of ● and ◆",
    least: "least of all pairs",
    largest: "largest of all pairs",
    condition: "condition number",
    nats: "nats from round",
  });

  return follow(model, TRAITS, () => {
    const [N, b, g, x] = TRAITS.map((name) => model.get(name));
    const points = cloud(N, x);
    const arrows = whitened(points, b, g);
    const typical = Math.hypot(...arrows.flat()) / Math.sqrt(N);
    const { values } = cloudAxes(cloudMoments(points, b)[1]);
    const logs = values.map(Math.log);
    place(plain.draw(points), x);
    const seen = white.draw(arrows.map((p) => p.map((value) => (value * TYPICAL) / typical)));
    set(first, { transform: `translate(${seen})` });
    bars(softmax(logs, 1 / Math.max(1 - g, 1e-12)), softmax(logs));
    exponents((entry) => same(entry, [b, g]));
    beta(b);
    gamma(g);
    count(N);
    const [least, largest] = cosineRange(arrows);
    const between = cosine(arrows[0], arrows[1]);
    show.cosine(between);
    show.least(least);
    show.largest(largest);
    show.condition((values[0] / values[1]) ** (1 - g));
    show.nats(exactly(natsFromRound(arrows)));
    ui.say(`Cosine ${num(between)}; of all pairs ${num(least)} to ${num(largest)}.`);
    write(ui.code, python(N, b, g, x));
  });
}
export default { render };
