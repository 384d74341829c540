// "One noise, many roads": twelve roads from noise to data, by few or many steps, with much or little new noise on the
// way. Does their order last? Is the spread at the end that of the data?

import { choice, follow, frame, handle, menu, put, readout, slider } from "./kit/controls.js";
import { captionOf, clamp, fixed, grid, label, num, plot, py, rich, set, stretched, v, write } from "./kit/kit.js";
import { max } from "./maths/core.js";
import {
  bumpDensity,
  bumpsOf,
  dataDeviation,
  deviation,
  gaussian,
  gaussianKl,
  histogram,
  plan,
  quantiles,
  roads,
  swaps,
} from "./maths/roads.js";

const HEIGHT = 240;
const INSET = [20, 14, 28, 30];
const TRAITS = ["data", "eta", "steps", "added", "together", "start"];
const SHOWN = 12;
const HIDDEN = 240;
const REACH = 3;
const CELLS = 24;
const WIDEST = 0.4; // the share at which a bar is as wide as its plot
const FIRST = quantiles(SHOWN);
const COUNTED = quantiles(HIDDEN);
const CURVE = Array.from({ length: 121 }, (_, i) => REACH * (i / 60 - 1));
const KINDS = [
  ["two bumps", "two bumps"],
  ["one bump", "one bump"],
];
const ADDED = [
  ["matching", "what η asks for"],
  ["large", "the large one"],
  ["large but last", "large, last step none"],
];
const BEGIN = ["twelve", "the same"];
const NAMED = { 0: ": DDIM", 1: ": DDPM" };
const MANY = 100;
const STYLE = `
.gpkl-road { fill: none; stroke: var(--tone); stroke-width: 1.75; vector-effect: non-scaling-stroke; }
.gpkl-road.gpkl-vermilion { stroke-dasharray: 6 3; }
.gpkl-ends { fill: var(--gpkl-green); fill-opacity: 0.55; stroke: var(--gpkl-green); }
.gpkl-want { fill: none; stroke: var(--gpkl-ink); stroke-width: 1.75; stroke-dasharray: 5 4; }
.gpkl-want { vector-effect: non-scaling-stroke; }`;
const toY = (x) => (HEIGHT * (REACH - clamp(x, -REACH, REACH))) / (2 * REACH);
const scale = [-3, -2, -1, 0, 1, 2, 3];

// the twelve roads, from noise on the left to data on the right; a handle for where they begin, if all do at one place
function roadsPlot(parent, model) {
  const svg = plot(parent, { caption: "", height: HEIGHT, label: "Roads from noise to data", inset: INSET });
  const lines = v("g");
  const stage = stretched(HEIGHT);
  const ways = Array.from({ length: SHOWN }, () => v("path"));
  stage.append(...ways);
  const holder = v("svg", { x: 0, class: "gpkl-column" });
  svg.append(
    lines,
    stage,
    label("noise", { y: HEIGHT + 20 }),
    label("data", { x: "100%", y: HEIGHT + 20, "text-anchor": "end" }),
    holder,
  );
  grid(lines, scale, toY);
  const move = handle(holder, {
    name: "where all begin",
    shape: "diamond",
    tone: "blue",
    width: 44,
    get: () => model.get("start"),
    put: (value) => put(model, { start: value }),
    spec: () => ({ min: -REACH, max: REACH, step: 0.1, pixels: HEIGHT / (2 * REACH) }),
  });
  let said = null;
  return (places, together) => {
    const last = places.length - 1;
    ways.forEach((way, road) => {
      const d = places.map((at, k) => `${k ? "L" : "M"}${((100 * k) / last).toFixed(2)} ${toY(at[road]).toFixed(2)}`);
      const low = !together && road < SHOWN / 2;
      set(way, { d: d.join(""), class: `gpkl-road gpkl-${low ? "vermilion" : "blue"}` });
    });
    set(holder, { visibility: together ? "visible" : "hidden" });
    move(toY(model.get("start")));
    if (said !== together) {
      const text = together ? "twelve roads from one *x* ◆: drag it" : "twelve roads; dashed: from the lower half";
      captionOf(svg).replaceChildren(...rich(text));
    }
    said = together;
  };
}

// where many more roads ended, as bars beside the density of the data
function endsPlot(parent) {
  const svg = plot(parent, {
    caption: `bars: ends of ${HIDDEN} roads; dashed: data`,
    height: HEIGHT,
    label: "Ends of the roads",
    inset: INSET,
  });
  const lines = v("g");
  const size = HEIGHT / CELLS;
  const bars = Array.from({ length: CELLS }, (_, cell) =>
    v("rect", { x: 0, y: HEIGHT - (cell + 1) * size, height: size, class: "gpkl-ends" }),
  );
  const stage = stretched(HEIGHT);
  const want = v("path", { class: "gpkl-want" });
  stage.append(want);
  svg.append(lines, ...bars, stage);
  grid(lines, scale, toY);
  return (ends, bumps) => {
    const shares = histogram(ends, CELLS, REACH);
    const heights = CURVE.map((x) => (2 * REACH * bumpDensity(x, bumps)) / CELLS);
    const full = Math.max(WIDEST, max(shares), max(heights));
    shares.forEach((share, cell) => {
      set(bars[cell], { width: `${((100 * share) / full).toFixed(2)}%` });
    });
    const line = heights.map((height, k) => `${((100 * height) / full).toFixed(2)} ${toY(CURVE[k]).toFixed(2)}`);
    set(want, { d: `M${line.join("L")}` });
  };
}

function python(model) {
  const [data, eta, steps, added, together, start] = TRAITS.map((name) => model.get(name));
  const begin = together ? `, together=True, start=${py(start)}` : "";
  return (
    "from gpkl_lib.explore import OneNoiseManyRoads; " +
    `print(OneNoiseManyRoads("${data}", eta=${py(eta)}, steps=${steps}, added="${added}"${begin}).values()["spread"])`
  );
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "one-noise-many-roads",
    title: "One noise, many roads",
    style: STYLE,
    onReset: () => put(model, first),
  });
  const ways = roadsPlot(ui.plots, model);
  const ends = endsPlot(ui.plots);
  const eta = slider(ui.controls, {
    caption: "noise *η*",
    min: 0,
    max: 1,
    step: 0.05,
    put: (value) => put(model, { eta: value }),
    show: (value) => fixed(value, 2) + (NAMED[value] ?? ""),
  });
  const count = slider(ui.controls, {
    caption: "number of steps",
    min: 0,
    max: 2,
    step: 0.02,
    toValue: (p) => clamp(Math.round(10 ** p), 1, MANY),
    fromValue: Math.log10,
    put: (value) => put(model, { steps: value }),
    show: String,
  });
  const kind = menu(ui.controls, "data", (value) => put(model, { data: value }));
  const noise = menu(ui.controls, "noise of a step", (value) => put(model, { added: value }));
  const begin = choice(ui.controls, {
    caption: "the roads begin at",
    options: BEGIN,
    put: (value) => put(model, { together: value === BEGIN[1] }),
  });
  let show = {};
  let shown = "";
  const readouts = (one, together) => {
    ui.readouts.replaceChildren();
    const make = (key, caption) => readout(ui.readouts, key, caption);
    show = {
      spread: make("spread", one ? "spread, exactly" : "spread at the end"),
      truth: make("truth", "spread of the data"),
      third: one ? make("kl", "KL to the data, nats") : make("upper", "of them above 0"),
      fourth: together ? make("apart", "ends furthest apart") : make("swapped", "pairs swapped, of 66"),
    };
  };

  return follow(model, TRAITS, () => {
    const [data, share, steps, added, together, start] = TRAITS.map((name) => model.get(name));
    const bumps = bumpsOf(data);
    const one = bumps.length === 1;
    if (shown !== `${one} ${together}`) readouts(one, together);
    shown = `${one} ${together}`;
    const moves = plan(steps, share, added);
    const places = roads([...(together ? FIRST.map(() => start) : FIRST), ...COUNTED], moves, bumps);
    const all = places[places.length - 1];
    const drawn = all.slice(0, SHOWN);
    const counted = all.slice(SHOWN);
    ways(places, together);
    ends(counted, bumps);
    const found = one ? gaussian(moves, bumps[0]) : [0, deviation(counted)];
    show.spread(found[1]);
    show.truth(dataDeviation(bumps));
    if (one) show.third(gaussianKl(found, bumps[0].slice(1)));
    else show.third(counted.filter((x) => x > 0).length / HIDDEN);
    if (together) show.fourth(max(drawn) - Math.min(...drawn));
    else show.fourth(swaps(drawn), String(swaps(drawn)));
    eta(share);
    count(steps);
    kind(KINDS, data);
    noise(ADDED, added);
    begin(BEGIN[Number(together)]);
    write(ui.code, python(model));
    const spreads = `spread ${num(found[1])}, of the data ${num(dataDeviation(bumps))}`;
    ui.say(`${steps} steps, η ${fixed(share, 2)}: ${spreads}.`);
  });
}
export default { render };
