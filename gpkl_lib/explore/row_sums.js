// "Row sums": attention over equal tokens. Whatever the scores, rows that sum to 1 give equal outputs.

import { choice, follow, frame, menu, presets, put, readouts, slider } from "./kit/controls.js";
import {
  clamp,
  columns,
  fixed,
  grid,
  KEYS,
  label,
  num,
  pattern,
  plot,
  pyTensor,
  round,
  same,
  set,
  v,
  write,
} from "./kit/kit.js";
import { track } from "./kit/sentence.js";
import { byDistance, rowOutput, rowWeights } from "./maths/rows.js";

const N = 8;
const ROW = 28;
const HEIGHT = ROW * N;
const REACH = 6;
const TOP = 3; // of the outputs
const TRAITS = ["scores", "weights", "causal", "first", "row", "column"];
const KINDS = [
  ["softmax", "softmax"],
  ["l2", "ℓ₂ norm"],
  ["sigmoid", "sigmoid over 8"],
  ["urpe", "softmax × distance"],
];
const SEES = ["all tokens", "none after it"];
const FIRST = ["equal", "another"];
const exactly = (value) => (Math.abs(value) < 1e-12 ? 0 : value); // what is left of a difference that is 0
const BOARDS = [
  ["by distance", byDistance(N)],
  ["all 0", new Array(N * N).fill(0)],
  ["each its own", Array.from({ length: N * N }, (_, at) => (at % (N + 1) === 0 ? 4 : 0))],
];
const STYLE = `
@container (max-width: 18rem) { .gpkl-rs-score { display: none; } } /* a small phone: colours only */
.gpkl-rs-board { cursor: ew-resize; touch-action: pan-y; }
.gpkl-rs-board * { touch-action: pan-y; }
.gpkl-rs-board:focus-visible { outline: 2px solid var(--gpkl-ink); outline-offset: 4px; border-radius: 4px; }
.gpkl-rs-cell { fill: var(--gpkl-blue); stroke: var(--gpkl-line); stroke-width: 1; }
.gpkl-rs-cursor { fill: none; stroke: var(--gpkl-ink); stroke-width: 2; }`;

// a cell for each score, the darker the larger its weight; pressed, it is the one looked at, and dragged it changes
function boardPlot(parent, model, change) {
  const svg = plot(parent, {
    caption: "scores *s*: row = token that looks, column = token seen; press a cell, drag it sideways",
    height: HEIGHT,
    label: "Board of scores",
    inset: [22, 4, 8, 22],
  });
  svg.classList.add("gpkl-rs-board");
  set(svg, { role: "application", tabindex: 0, "aria-roledescription": "score board", ...KEYS });
  const hatch = pattern(svg, "gpkl-grey");
  const at = (j) => `${(100 * j) / N}%`;
  const cells = Array.from({ length: N * N }, (_, place) => {
    const [i, j] = [Math.floor(place / N), place % N];
    const box = v("rect", { x: at(j), y: ROW * i, width: at(1), height: ROW, class: "gpkl-rs-cell" });
    const text = v("text", { x: at(j + 0.5), y: ROW * i + 18, "text-anchor": "middle" });
    set(text, { class: "gpkl-tick gpkl-rs-score" });
    svg.append(box);
    return { box, text, i, j };
  });
  const cursor = v("rect", { class: "gpkl-rs-cursor", width: at(1), height: ROW, rx: 3 });
  svg.append(...cells.map(({ text }) => text), cursor);
  for (let k = 0; k < N; k += 1)
    svg.append(
      v("text", { x: at(k + 0.5), y: -7, "text-anchor": "middle", class: "gpkl-tick" }, String(k + 1)),
      v("text", { x: 0, dx: -7, y: ROW * k + 18, class: "gpkl-tick gpkl-end" }, String(k + 1)),
    );
  let from = { x: 0, value: 0 };
  track(svg, (event, pressed, held) => {
    const box = svg.getBoundingClientRect();
    if (pressed) {
      const j = clamp(Math.floor((N * (event.clientX - box.left)) / box.width), 0, N - 1);
      const i = clamp(Math.floor((event.clientY - box.top) / ROW), 0, N - 1);
      from = { x: event.clientX, value: model.get("scores")[N * i + j] };
      put(model, { row: i, column: j });
      svg.focus({ preventScroll: true });
    } else if (held) change(from.value + (event.clientX - from.x) / 20);
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const by = { "+": 0.5, "-": -0.5, PageUp: 1, PageDown: -1 }[event.key];
    const [i, j] = [model.get("row"), model.get("column")];
    if (step) put(model, { row: clamp(i + step[0], 0, N - 1), column: clamp(j + step[1], 0, N - 1) });
    else if (by) change(model.get("scores")[N * i + j] + by);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return (scores, board, causal, row, column) => {
    cells.forEach(({ box, text, i, j }) => {
      const hidden = causal && j > i;
      set(
        box,
        hidden ? { style: `fill:${hatch}`, "fill-opacity": 0.35 } : { style: "", "fill-opacity": shade(board[i][j]) },
      );
      write(text, hidden ? "" : fixed(scores[N * i + j], 1));
    });
    set(cursor, { x: at(column), y: ROW * row });
    const weight = num(board[row][column]);
    set(svg, {
      "aria-label": `Scores: row ${row + 1}, column ${column + 1}, weight ${weight}; arrow keys move, + and − change`,
    });
  };
}
const shade = (weight) => (0.55 * Math.min(1, weight)).toFixed(3);

// the outputs as bars; dashed, what the weights of the row sum to
function outputsPlot(parent) {
  const svg = plot(parent, {
    caption: "outputs by row; dashed: the sum of the row's weights",
    height: HEIGHT,
    label: "Outputs and row sums",
    inset: [22, 4, 28, 26],
  });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const toY = (value) => (HEIGHT * (TOP - value)) / TOP;
  grid(lines, [0, 1, 2, 3], toY);
  const parts = columns(stage, N, (group, i) => {
    const box = (width, tone) => v("rect", { x: `${-width / 2}%`, width: `${width}%`, class: tone });
    const bar = box(5.5, "gpkl-bar gpkl-blue");
    const outline = box(8.5, "gpkl-hard");
    const text = label("", { "text-anchor": "middle", class: "gpkl-tick" });
    const name = label(String(i + 1), { y: HEIGHT + 20, "text-anchor": "middle" });
    group.append(bar, outline, text, name);
    return { bar, outline, text, name };
  });
  return (sums, outputs, row) => {
    parts.forEach(({ bar, outline, text, name }, i) => {
      set(bar, { y: toY(outputs[i]), height: HEIGHT - toY(outputs[i]) });
      set(outline, { y: toY(sums[i]), height: HEIGHT - toY(sums[i]) });
      set(text, { y: toY(Math.max(outputs[i], sums[i])) - 6 });
      write(text, fixed(outputs[i], 2));
      set(name, { "font-weight": i === row ? 700 : 400 });
    });
  };
}

function python(scores, kind, i, causal, first) {
  const seen = scores.slice(N * i, causal ? N * i + i + 1 : N * (i + 1));
  const weights = {
    softmax: "softmax(s)",
    l2: "torch.nn.functional.normalize(s.exp(), dim=0)",
    sigmoid: `s.sigmoid() / ${N}`,
    urpe: `softmax(s) * (1 + (torch.arange(len(s)) - ${i}) / ${N})`,
  }[kind];
  const given = ["softmax", "urpe"].includes(kind) ? "from gpkl_lib import softmax; " : "";
  const tokens = pyTensor(seen.map((_, j) => (first && j === 0 ? 0 : 1)));
  return `import torch; ${given}s, v = ${pyTensor(seen)}, ${tokens}; print((${weights} @ v).item())`;
}

function render({ model, el }) {
  const start = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "row-sums", title: "Row sums", style: STYLE, onReset: () => put(model, start) });
  const change = (value) => {
    const place = N * model.get("row") + model.get("column");
    const next = round(clamp(value, -REACH, REACH), 0.1);
    put(model, { scores: model.get("scores").map((old, at) => (at === place ? next : old)) });
  };
  const board = boardPlot(ui.plots, model, change);
  const bars = outputsPlot(ui.plots);
  const kinds = menu(ui.controls, "weights *a*", (value) => put(model, { weights: value }));
  const boards = presets(ui.controls, { caption: "scores", entries: BOARDS, put: (scores) => put(model, { scores }) });
  const score = slider(ui.controls, {
    caption: "score *s* of the cell",
    min: -REACH,
    max: REACH,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: change,
  });
  const sees = choice(ui.controls, {
    caption: "a token sees",
    options: SEES,
    put: (value) => put(model, { causal: value === SEES[1] }),
  });
  const tokens = choice(ui.controls, {
    caption: "the first token is",
    options: FIRST,
    put: (value) => put(model, { first: value === FIRST[1] }),
  });
  const show = readouts(ui.readouts, {
    output: "output of the row",
    sum: "sum of its weights",
    weight: "weight of the cell",
    spread: "outputs differ by",
  });

  return follow(model, TRAITS, () => {
    const [scores, kind, causal, first, row, column] = TRAITS.map((name) => model.get(name));
    const weights = Array.from({ length: N }, (_, i) => rowWeights(scores.slice(N * i, N * (i + 1)), kind, i, causal));
    const outputs = weights.map((one) => rowOutput(one, first));
    const sums = weights.map((one) => rowOutput(one, false));
    const spread = exactly(Math.max(...outputs) - Math.min(...outputs));
    board(scores, weights, causal, row, column);
    bars(sums, outputs, row);
    kinds(KINDS, kind);
    boards((entry) => same(entry, scores));
    score(scores[N * row + column]);
    sees(SEES[Number(causal)]);
    tokens(FIRST[Number(first)]);
    show.output(outputs[row]);
    show.sum(sums[row]);
    show.weight(weights[row][column]);
    show.spread(spread);
    const told = `weights sum to ${num(sums[row])}, output ${num(outputs[row])}`;
    ui.say(`Row ${row + 1}: ${told}. Outputs differ by ${num(spread)}.`);
    write(ui.code, python(scores, kind, row, causal, first));
  });
}
export default { render };
