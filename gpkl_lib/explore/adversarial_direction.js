// "Adversarial direction": which way must an embedding of two numbers be moved for the spans' scores to change most?
// The gradient at the point itself is 0; a few steps of power iteration find out.

import { follow, frame, hold, knob, put, readouts, slider } from "./kit/controls.js";
import {
  ceiling,
  clamp,
  fixed,
  fromMiddle,
  grid,
  label,
  num,
  plot,
  pool,
  py,
  round,
  set,
  stretched,
  v,
  write,
} from "./kit/kit.js";
import {
  divergenceRing,
  levelRadii,
  lineAngle,
  planeDivergence,
  planeEigen,
  planeMetric,
  planeQuadratic,
  powerSteps,
  spanBiases,
  spanWeights,
  unitVector,
} from "./maths/adversarial.js";

const UNIT = 48;
const HALF = 3;
const SIZE = 2 * HALF * UNIT;
const RING = 180; // pixels
const HOLD = 1.4; // where the start is held, in units
const LEVELS = [0.02, 0.1, 0.5, 2, 5];
const NAMES = "ABC";
const TRAITS = ["x", "start", "epsilon", "xi", "steps"];
const STYLE = `
.gpkl-ad-line { stroke: var(--gpkl-grey); stroke-width: 2; stroke-dasharray: 6 4; }
.gpkl-ad-level { fill: var(--gpkl-blue); fill-opacity: 0.07; stroke: var(--gpkl-blue); stroke-width: 1.25; }
.gpkl-ad-circle { fill: none; stroke: var(--gpkl-vermilion); stroke-width: 1.5; stroke-dasharray: 3 3; }
.gpkl-ad-axis { stroke: var(--gpkl-green); stroke-width: 2; stroke-dasharray: 9 3 2 3; }
.gpkl-ad-step { stroke: var(--gpkl-ink); stroke-width: 1.5; }
.gpkl-ad-arm { stroke: var(--gpkl-purple); stroke-width: 1.5; stroke-dasharray: 2 3; }
.gpkl-ad-found { stroke: var(--gpkl-vermilion); stroke-width: 3.5; }
.gpkl-adversarial-direction .gpkl-handle { cursor: move; }
`;
/** @type {(point: number[]) => number[]} */
const px = ([a, b]) => [UNIT * a, -UNIT * b];
const add = (x, d, far) => [x[0] + far * d[0], x[1] + far * d[1]];
const segment = (node, from, to) =>
  set(node, { x1: from[0].toFixed(2), y1: from[1].toFixed(2), x2: to[0].toFixed(2), y2: to[1].toFixed(2) });
const degrees = (value) => ((((value + 180) % 360) + 360) % 360) - 180;

// a handle that follows the pointer anywhere; `keys(event.key)` gives what a key does
function held(parent, svg, { name, shape, tone, size, to, keys }) {
  const node = knob(shape, { name, tone, width: size, height: size });
  parent.append(node);
  hold(node, (event) => to(fromMiddle(svg, SIZE, event).map((value) => value / UNIT)));
  node.addEventListener("keydown", (event) => {
    if (!keys(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  return node;
}

// the plane: where a span's score is 0, contours of D, the circle of length epsilon, and every direction so far
function planePanel(parent, model) {
  const svg = plot(parent, {
    caption: "drag *x* ● and the start ◆; contours of *D* around *x*; dashed: score 0",
    height: SIZE,
    label: "The plane of embeddings",
    inset: [4, 0, 4, 0],
  });
  set(svg, { viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`, preserveAspectRatio: "xMidYMid meet" });
  svg.style.overflow = "hidden";
  const lines = spanWeights().flatMap(([a, b], k) => {
    const square = a * a + b * b;
    const foot = [-a, -b].map((w) => (w * spanBiases()[k]) / square);
    const line = v("line", { class: "gpkl-ad-line" });
    segment(line, px(add(foot, [-b, a], 9)), px(add(foot, [b, -a], 9)));
    const [x, y] = px(
      [
        [1.6, -2.7],
        [0.9, 2.7],
        [-2.4, -2.1],
      ][k],
    );
    return [line, label(`${NAMES[k]} > 0`, { x, y, "text-anchor": "middle", class: "gpkl-text gpkl-grey" })];
  });
  const levels = LEVELS.map(() => v("path", { class: "gpkl-ad-level" })).reverse();
  const circle = v("circle", { class: "gpkl-ad-circle" });
  const axis = v("line", { class: "gpkl-ad-axis" });
  const arm = v("line", { class: "gpkl-ad-arm" });
  const steps = v("g");
  const found = v("line", { class: "gpkl-ad-found" });
  const tip = v("circle", { r: 5, class: "gpkl-dot gpkl-vermilion" });
  const name = label("*r*", { class: "gpkl-text gpkl-vermilion", "text-anchor": "middle" });
  svg.append(
    v("rect", { x: -SIZE / 2, y: -SIZE / 2, width: SIZE, height: SIZE, class: "gpkl-ground" }),
    ...levels,
    ...lines,
    circle,
    axis,
    arm,
    steps,
    found,
    tip,
    name,
  );
  const go = (x) => put(model, { x: x.map((value) => round(clamp(value, -1.6, 1.6), 0.1)) });
  const turn = (angle) => put(model, { start: Math.round(degrees(angle)) });
  const point = held(svg, svg, {
    name: "embedding x",
    shape: v("circle", { r: 8 }),
    tone: "ink",
    size: 34,
    to: go,
    keys: (key) => {
      const by = {
        ArrowRight: [0.1, 0],
        ArrowLeft: [-0.1, 0],
        ArrowUp: [0, 0.1],
        ArrowDown: [0, -0.1],
        PageUp: [0, 1],
        PageDown: [0, -1],
        Home: [-1, 0],
        End: [1, 0],
      }[key];
      if (by) go(add(model.get("x"), by, 1));
      return by;
    },
  });
  set(point, { "aria-roledescription": "point in the plane" });
  const knob = held(svg, svg, {
    name: "start direction",
    shape: v("path", { d: "M0-10.5 10.5 0 0 10.5-10.5 0Z" }),
    tone: "purple",
    size: 34,
    to: (at) => {
      const x = model.get("x");
      turn((Math.atan2(at[1] - x[1], at[0] - x[0]) * 180) / Math.PI);
    },
    keys: (key) => {
      const now = model.get("start");
      const next = {
        ArrowUp: now + 1,
        ArrowRight: now + 1,
        ArrowDown: now - 1,
        ArrowLeft: now - 1,
        PageUp: now + 10,
        PageDown: now - 10,
      }[key];
      if (next !== undefined) turn(next);
      else if (key === "Home" || key === "End") put(model, { start: key === "Home" ? -180 : 180 });
      else return false;
      return true;
    },
  });
  let drawn = "";
  return (x, start, epsilon, directions, eigenvector) => {
    const middle = px(x);
    const last = directions[directions.length - 1];
    if (drawn !== String(x)) {
      // the contours depend on x alone
      levelRadii(x, LEVELS).forEach((radii, n) =>
        set(levels[LEVELS.length - 1 - n], {
          d: `${radii
            .map(
              (far, i) =>
                `${i ? "L" : "M"}${px(add(x, unitVector((360 * i) / radii.length), far))
                  .map((value) => value.toFixed(1))
                  .join(" ")}`,
            )
            .join("")}Z`,
        }),
      );
    }
    drawn = String(x);
    set(circle, { cx: middle[0], cy: middle[1], r: UNIT * epsilon });
    segment(axis, px(add(x, eigenvector, 20)), px(add(x, eigenvector, -20)));
    pool(
      steps,
      directions.slice(0, -1),
      () => v("line", { class: "gpkl-ad-step" }),
      (node, d) => {
        segment(node, middle, px(add(x, d, epsilon)));
        set(node, { visibility: "visible" });
      },
    );
    const end = px(add(x, last, epsilon));
    const hold = px(add(x, unitVector(start), HOLD));
    const beyond = px(add(x, last, epsilon + 0.35));
    segment(found, middle, end);
    set(tip, { cx: end[0], cy: end[1] });
    set(name, { x: beyond[0], y: beyond[1] + 4 });
    segment(arm, middle, hold);
    set(point, {
      transform: `translate(${middle})`,
      "aria-valuemin": -1.6,
      "aria-valuemax": 1.6,
      "aria-valuenow": x[0],
      "aria-valuetext": `first ${fixed(x[0], 1)}, second ${fixed(x[1], 1)}`,
    });
    set(knob, {
      transform: `translate(${hold})`,
      "aria-valuemin": -180,
      "aria-valuemax": 180,
      "aria-valuenow": start,
      "aria-valuetext": `${fixed(start, 0)} degrees`,
    });
  };
}

// D around the circle: noise of that length is a point drawn by chance, power iteration climbs
function ringPanel(parent) {
  const svg = plot(parent, {
    caption: "*D* at distance *ε*, by direction; dots: the start 0 and the steps; dashed: the mean",
    height: RING,
    label: "Divergence around the circle",
    inset: [14, 10, 40, 38],
  });
  const lines = v("g");
  const stage = stretched(RING);
  const curve = v("path", { class: "gpkl-curve gpkl-blue" });
  const mean = v("line", { x1: "0%", x2: "100%", class: "gpkl-rule gpkl-purple", "stroke-dasharray": "6 4" });
  const tops = [
    v("line", { y1: 0, y2: RING, class: "gpkl-ad-axis" }),
    v("line", { y1: 0, y2: RING, class: "gpkl-ad-axis" }),
  ];
  const dots = v("g");
  stage.append(curve);
  svg.append(lines, ...tops, mean, stage, dots);
  svg.append(
    ...[-180, -90, 0, 90, 180].map((tick) =>
      v(
        "text",
        { x: `${(100 * (tick + 180)) / 360}%`, y: RING + 17, "text-anchor": "middle", class: "gpkl-tick" },
        `${fixed(tick, 0)}°`,
      ),
    ),
    v("text", { x: "50%", y: RING + 35, "text-anchor": "middle", class: "gpkl-tick" }, "direction of r"),
  );
  const share = (d) => (100 * ((Math.atan2(d[1], d[0]) * 180) / Math.PI + 180)) / 360;
  return (x, epsilon, directions, eigenvector, noise) => {
    const values = divergenceRing(x, epsilon, 120);
    const top = ceiling(Math.max(...values));
    const toY = (value) => RING * (1 - value / top);
    grid(lines, [0, top / 2, top], toY, { digits: Number.isInteger(top / 2) ? 0 : 1 - Math.floor(Math.log10(top)) });
    set(curve, {
      d: [...values, values[0]]
        .map((value, i) => `${i ? "L" : "M"}${(i / 1.2).toFixed(2)} ${toY(value).toFixed(2)}`)
        .join(""),
    });
    set(mean, { y1: toY(noise), y2: toY(noise) });
    [1, -1].forEach((sign, k) => {
      const at = `${share(eigenvector.map((e) => sign * e))}%`;
      set(tops[k], { x1: at, x2: at });
    });
    const places = directions.map((d) => {
      const r = d.map((e) => epsilon * e);
      return { x: share(d), y: toY(planeDivergence(x, r)), named: false };
    });
    // the last has its number first, then the first ones, where it lies on no other
    for (const m of [directions.length - 1, 0, 1, 2]) {
      const near = (other) => Math.abs(other.x - places[m].x) < 7 && Math.abs(other.y - places[m].y) < 15;
      if (places[m]) places[m].named = !places.some((other) => other.named && near(other));
    }
    pool(
      dots,
      places,
      () => v("svg", { class: "gpkl-column" }, v("circle", { r: 5 }), v("text", { y: -9, "text-anchor": "middle" })),
      (node, { x: at, y, named }, m) => {
        const tone = m === directions.length - 1 ? "vermilion" : m ? "ink" : "purple";
        set(node, { x: `${at}%`, y, visibility: "visible" });
        set(node.firstElementChild, { class: `gpkl-dot gpkl-${tone}` });
        set(node.lastElementChild, { class: `gpkl-text gpkl-${tone}` });
        write(node.lastElementChild, named ? String(m) : " ");
      },
    );
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "adversarial-direction",
    title: "Adversarial direction",
    onReset: () => put(model, first),
    style: STYLE,
  });
  const plane = planePanel(ui.plots, model);
  const around = ringPanel(ui.plots);
  const show = readouts(ui.readouts, {
    divergence: "*D* at *r*",
    noise: "mean *D*, any direction",
    quadratic: "*ε*² *d*ᵀ*G* *d*",
    angle: "angle to eigenvector",
    ratio: "*λ*₂/*λ*₁",
  });
  const power = { toValue: (p) => Number((10 ** p).toPrecision(3)), fromValue: Math.log10 };
  const steps = slider(ui.controls, {
    caption: "power iterations *m*",
    min: 0,
    max: 8,
    step: 1,
    show: String,
    put: (value) => put(model, { steps: value }),
  });
  const far = slider(ui.controls, {
    caption: "length *ε*",
    min: 0.05,
    max: 3,
    step: 0.05,
    show: (value) => fixed(value, 2),
    put: (value) => put(model, { epsilon: value }),
  });
  const felt = slider(ui.controls, {
    caption: "step *ξ*",
    min: -2,
    max: 1,
    step: 0.05,
    show: String,
    put: (value) => put(model, { xi: value }),
    ...power,
  });

  return follow(model, TRAITS, () => {
    const [x, start, epsilon, xi, count] = TRAITS.map((trait) => model.get(trait));
    const directions = powerSteps(x, start, xi, count);
    const d = directions[count];
    const G = planeMetric(x);
    const [top, low, eigenvector] = planeEigen(G);
    const noise = divergenceRing(x, epsilon, 72).reduce((a, b) => a + b, 0) / 72;
    const D = planeDivergence(
      x,
      d.map((e) => epsilon * e),
    );
    const angle = lineAngle(d, eigenvector);
    plane(x, start, epsilon, directions, eigenvector);
    around(x, epsilon, directions, eigenvector, noise);
    show.divergence(D);
    show.noise(noise);
    show.quadratic(epsilon ** 2 * planeQuadratic(G, d));
    show.angle(angle, `${num(angle, 2)}°`);
    show.ratio(low / top);
    steps(count);
    far(epsilon);
    felt(xi);
    write(
      ui.code,
      `from gpkl_lib.explore.adversarial_direction import divergence_after; print(divergence_after(` +
        `x=(${x.map(py).join(", ")}), start=${py(start)}, epsilon=${py(epsilon)}, xi=${py(xi)}, steps=${count}))`,
    );
    ui.say(
      `After ${count} steps: D ${num(D)}, on average ${num(noise)}, ${num(angle, 1)} degrees from the eigenvector.`,
    );
  });
}
export default { render };
