// "Draw the noise": noise on three scores, the largest wins. How often does each? With a second view and the same noise
// on both: which pairs of winners come, and what does each add to D?

import { follow, frame, handle, menu, put, readout, slider } from "./kit/controls.js";
import {
  clamp,
  columns,
  fixed,
  grid,
  h,
  KEYS,
  label,
  num,
  pattern,
  plot,
  py,
  pyTensor,
  rich,
  set,
  stretched,
  sub,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { argmaxProbabilities, coupled, noiseDivergence, noiseDraws, term, winner, winShares } from "./maths/noise.js";

const HEIGHT = 228;
const INSET = [20, 14, 28, 30];
const TRAITS = ["s", "t", "noise", "temperature", "draws"];
const NAMES = [
  ["gumbel", "Gumbel"],
  ["exponential", "exponential"],
  ["uniform", "uniform"],
  ["normal", "normal"],
  ["laplace", "Laplace"],
  ["logistic", "logistic"],
  ["cauchy", "Cauchy"],
];
/** @type {{ name: string, shape: "circle" | "diamond", tone: string, aside: number }[]} */
const VIEWS = [
  { name: "s", shape: "circle", tone: "blue", aside: -14 },
  { name: "t", shape: "diamond", tone: "vermilion", aside: 14 },
];
const MANY = 4000;
const STEP = 200; // draws that a click adds
const SEEN = 100; // of the draws, the last, as dots
const DRAWN = `last ${SEEN} draws, none beyond the frame`;
const three = (value) => Number(value.toPrecision(3));
const share = (value) => `${fixed(100 * value, 1)} %`;
const exactly = (value) => (Math.abs(value) < 1e-12 ? 0 : value); // what is left of a difference that is 0
const STYLE = `
.gpkl-cloud { fill: none; stroke: var(--tone); stroke-width: 3.5; stroke-linecap: round; opacity: 0.55; }
.gpkl-cloud { vector-effect: non-scaling-stroke; }
.gpkl-cloud.gpkl-grey { opacity: 0.4; }
.gpkl-pair { stroke: var(--gpkl-edge); stroke-width: 1; }`;

// the draws of a noise, the longest list so far kept
const kept = {};
function drawsOf(noise, count) {
  if (!kept[noise] || kept[noise].length < count) kept[noise] = noiseDraws(noise, 3, count);
  return kept[noise].slice(0, count);
}
// where a dot stands beside the others: evenly spread, in no order that the eye finds
const spread = (k, step) => (k * step) % 1;

// a handle for each score, and a dot for each of the last draws: the score with its noise
function scoresPlot(parent, model) {
  const svg = plot(parent, { caption: "", height: HEIGHT, label: "Scores", inset: INSET });
  const caption = svg.previousElementSibling;
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  let reach = 6;
  let parts = [];
  const toY = (value) => (HEIGHT * (reach - value)) / (2 * reach);
  const views = (two) => VIEWS.slice(0, two ? 2 : 1).map((view) => ({ ...view, x: two ? view.aside : 0 }));
  const column = (two) => (group, i) => {
    group.append(label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    const clouds = ["grey", ...views(two).map(({ tone }) => tone)].map((tone) =>
      v("path", { class: `gpkl-cloud gpkl-${tone}` }),
    );
    group.append(...clouds);
    const handles = views(two).map(({ name, shape, tone, x }) => {
      const holder = v("svg", { x, class: "gpkl-column" });
      group.append(holder);
      return handle(holder, {
        name: `score ${name}${sub(i + 1)}`,
        shape,
        tone,
        width: two ? 27 : 44,
        get: () => model.get(name)[i],
        put: (value) => put(model, { [name]: model.get(name).map((old, j) => (j === i ? value : old)) }),
        spec: () => ({ min: -reach, max: reach, step: 0.1, pixels: HEIGHT / (2 * reach) }),
      });
    });
    return { clouds, handles };
  };
  return (scores, draws, T) => {
    const two = scores.length > 1;
    reach = Math.max(reach, Math.ceil(Math.max(...scores.flat().map(Math.abs))));
    grid(lines, ticks(-reach, reach, 6), toY);
    if (parts.length !== 3 || parts[0].handles.length !== scores.length) {
      parts = columns(stage, 3, column(two));
      caption.replaceChildren(
        ...rich(
          two
            ? `scores *s* ● and *t* ◆: drag them. Coloured dots: who won, noise on; ${DRAWN}`
            : `scores *s* ●: drag them. Dots: *s* + *T ε*, the largest in blue; ${DRAWN}`,
        ),
      );
    }
    const dots = parts.map(({ clouds }) => clouds.map(() => ""));
    draws.slice(-SEEN).forEach((noise, k) => {
      scores.forEach((view, which) => {
        const won = winner(view, noise, T);
        const x = Math.round((two ? VIEWS[which].aside : 0) + (spread(k, 0.618) - 0.5) * (two ? 20 : 40));
        noise.forEach((e, i) => {
          const y = Math.round(toY(view[i] + T * e));
          if (y >= 0 && y <= HEIGHT) dots[i][won === i ? which + 1 : 0] += `M${x} ${y}h0`;
        });
      });
    });
    parts.forEach(({ clouds, handles }, i) => {
      clouds.forEach((cloud, k) => set(cloud, { d: dots[i][k] || "M0 0" }));
      handles.forEach((move, which) => move(toY(scores[which][i])));
    });
  };
}

// one view: shares of the draws as bars, the probabilities as dashed outlines
function sharesPlot(parent) {
  const svg = plot(parent, {
    caption: "who wins: share of the draws, and dashed the probability",
    height: HEIGHT,
    label: "Shares and probabilities",
    inset: INSET,
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => HEIGHT * (1 - value);
  grid(lines, [0, 0.5, 1], toY, { digits: 1 });
  const parts = columns(stage, 3, (group, i) => {
    const box = (width, tone) => v("rect", { x: `${-width / 2}%`, width: `${width}%`, class: tone });
    const bar = box(14, "gpkl-bar gpkl-blue");
    const outline = box(20, "gpkl-hard");
    const text = label("", { "text-anchor": "middle" });
    group.append(bar, outline, text, label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" }));
    return { bar, outline, text };
  });
  return (p, shares) => {
    parts.forEach(({ bar, outline, text }, i) => {
      set(bar, { y: toY(shares[i]), height: HEIGHT * shares[i] });
      set(outline, { y: toY(p[i]), height: HEIGHT * p[i] });
      set(text, { y: Math.max(toY(Math.max(p[i], shares[i])) - 6, 14) });
      write(text, fixed(p[i], 3));
    });
  };
}

// two views: a board of the pairs of winners; a pair that would count negative never comes
function pairsPlot(parent) {
  const svg = plot(parent, {
    caption: "who wins with *s* (row) and with *t* (column): what it adds to *D*, how often",
    height: HEIGHT,
    label: "Pairs of winners",
    inset: INSET,
  });
  const hatch = pattern(svg, "gpkl-grey");
  const side = HEIGHT / 3;
  const cells = [0, 1, 2].map((i) =>
    [0, 1, 2].map((j) => {
      const x = `${(100 * j) / 3}%`;
      const box = v("rect", { x, y: side * i, width: `${100 / 3}%`, height: side, class: "gpkl-pair" });
      const texts = [22, 42].map((y) =>
        label("", { x: `${(100 * (j + 0.5)) / 3}%`, y: side * i + y, "text-anchor": "middle" }),
      );
      svg.append(box);
      return { box, texts };
    }),
  );
  const stage = stretched(HEIGHT, { viewBox: `0 0 300 ${HEIGHT}` });
  const clouds = ["grey", "green"].map((tone) => v("path", { class: `gpkl-cloud gpkl-${tone}` }));
  stage.append(...clouds);
  svg.append(
    stage,
    ...cells.flat().flatMap(({ texts }) => texts),
    ...[0, 1, 2].flatMap((i) => [
      label(String(i + 1), { x: 0, dx: -10, y: side * (i + 0.5) + 5, class: "gpkl-text gpkl-end gpkl-blue" }),
      label(String(i + 1), {
        x: `${(100 * (i + 0.5)) / 3}%`,
        y: HEIGHT + 20,
        "text-anchor": "middle",
        class: "gpkl-text gpkl-vermilion",
      }),
    ]),
  );
  return (s, t, draws, T, shares) => {
    cells.forEach((row, i) => {
      row.forEach(({ box, texts }, j) => {
        const weight = exactly(term(s, t, i, j));
        const never = weight < 0;
        set(box, { fill: never ? hatch : "none", "fill-opacity": 0.35 });
        write(texts[0], i === j ? "agree" : `${weight > 0 ? "+" : ""}${fixed(weight, 2)}`);
        write(texts[1], never ? "never" : share(shares[i][j]));
      });
    });
    const dots = ["", ""];
    draws.slice(-SEEN).forEach((noise, k) => {
      const [i, j] = [winner(s, noise, T), winner(t, noise, T)];
      const [x, y] = [100 * j + 8 + 84 * spread(k, 0.618), side * i + 6 + (side - 12) * spread(k, 0.7548)];
      dots[Number(i !== j)] += `M${Math.round(x)} ${Math.round(y)}h0`;
    });
    clouds.forEach((cloud, k) => set(cloud, { d: dots[k] || "M0 0" }));
  };
}

function python(noise, s, t, T) {
  const scores = [s, t].map(pyTensor);
  const how = `noise="${noise}"`;
  return t.length
    ? "import torch; from functools import partial; from gpkl_lib import symmetric_kl; " +
        "from gpkl_lib.noise import argmax_probabilities; " +
        `print(${py(T)} * symmetric_kl(${scores[0]}, ${scores[1]}, ` +
        `activation=partial(argmax_probabilities, ${how}), temperature=${py(T)}).item())`
    : "import torch; from gpkl_lib.noise import argmax_probabilities; " +
        `print(argmax_probabilities(${scores[0]}, ${how}, temperature=${py(T)})[0].item())`;
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "draw-the-noise",
    title: "Draw the noise",
    style: STYLE,
    onReset: () => put(model, first),
  });
  const scores = scoresPlot(ui.plots, model);
  const bars = sharesPlot(ui.plots);
  const pairs = pairsPlot(ui.plots);
  const [, one, two] = ui.plots.children;
  const kinds = menu(ui.controls, "noise *ε*", (value) => put(model, { noise: value }));
  const width = slider(ui.controls, {
    caption: "width *T*",
    min: -1.3,
    max: 1.3,
    step: 0.01,
    show: String,
    toValue: (p) => clamp(three(10 ** p), 0.05, 20),
    fromValue: Math.log10,
    put: (value) => put(model, { temperature: value }),
  });
  const more = h("button", { type: "button", class: "gpkl-button", ...KEYS }, `Draw ${STEP} more`);
  const count = h("span", { class: "gpkl-value" });
  more.addEventListener("click", () => put(model, { draws: Math.min(MANY, model.get("draws") + STEP) }));
  ui.controls.append(
    h("div", { class: "gpkl-field" }, h("span", { class: "gpkl-label" }, "draws"), h("div", {}, more, " ", count)),
  );
  let show = {};
  let shown = -1;
  const readouts = (paired) => {
    ui.readouts.replaceChildren();
    const make = (key, caption) => readout(ui.readouts, key, caption);
    show = paired
      ? {
          exact: make("exact", "*D*, exactly"),
          drawn: make("drawn", "mean of the draws"),
          least: make("least", "least of the draws"),
          apart: make("apart", "different winners"),
        }
      : {
          exact: make("exact", "*P*(1 wins), exactly"),
          drawn: make("drawn", "share of the draws"),
          second: make("second", "*P*(2 wins)"),
          third: make("third", "*P*(3 wins)"),
        };
  };

  return follow(model, TRAITS, () => {
    const [s, t, noise, T, drawn] = TRAITS.map((name) => model.get(name));
    const paired = t.length > 0;
    if (shown !== t.length) {
      readouts(paired);
      set(one, { style: paired ? "display:none" : "" });
      set(two, { style: paired ? "" : "display:none" });
    }
    shown = t.length;
    const draws = drawsOf(noise, drawn);
    scores(paired ? [s, t] : [s], draws, T);
    if (paired) {
      const found = coupled(s, t, draws, T);
      const D = noiseDivergence(noise, s, t, T);
      pairs(s, t, draws, T, found.shares);
      show.exact(D, num(exactly(D)));
      show.drawn(found.drawn, num(exactly(found.drawn)));
      show.least(found.least, num(exactly(found.least)));
      show.apart(found.apart, share(found.apart));
      ui.say(`${noise}, T ${T}: D ${num(exactly(D))}, mean of ${drawn} draws ${num(exactly(found.drawn))}.`);
    } else {
      const p = argmaxProbabilities(noise, s, T);
      const shares = winShares(s, draws, T);
      bars(p, shares);
      show.exact(p[0]);
      show.drawn(shares[0]);
      show.second(p[1]);
      show.third(p[2]);
      ui.say(`${noise}, T ${T}: 1 wins with probability ${num(p[0])}, in ${num(shares[0])} of ${drawn} draws.`);
    }
    kinds(NAMES, noise);
    width(T);
    write(count, String(drawn));
    more.disabled = drawn >= MANY;
    write(ui.code, python(noise, s, t, T));
  });
}
export default { render };
