// "Training, replayed": what stood after each epoch, by three methods. The boards fill in; the curves are for
// scrubbing.

import { choice, dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import {
  ceiling,
  clamp,
  fixed,
  grid,
  h,
  label,
  num,
  plot,
  pool,
  rebuild,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { SENTENCE_STYLE, SIGN, sentencePanel, TONE } from "./kit/sentence.js";
import { cellAt, cellCount, cellPlace, compareSpans, spansAbove, verdictOf } from "./maths/board.js";
import { calibrationError, lossOf, readCells, reliabilityPoints } from "./maths/replay.js";

const SIDE = 14; // of a cell
const SHADES = 12;
const HEIGHT = 150; // of a curve's plot
const INSET = [10, 66, 28, 30];
const TRAITS = ["sentence", "runs", "method", "epoch"];
const DASHES = ["none", "9 4", "2 3", "12 3 2 3"];
const STYLE = `${SENTENCE_STYLE}
.gpkl-tr-boards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(7.6rem, 1fr)); gap: 0.7rem 1rem; margin-top: 0.4rem;
}
.gpkl-tr-boards svg { display: block; width: 100%; overflow: visible; margin-top: 2px; }
.gpkl-tr-cell { fill: var(--gpkl-blue); }
.gpkl-tr-grid { fill: none; stroke: var(--gpkl-line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.gpkl-tr-mark { fill: none; stroke: var(--tone); stroke-width: 2; }
.gpkl-tr-sign { font-size: 12px; fill: var(--tone); font-weight: 700; }
.gpkl-tr-line { fill: none; stroke: var(--gpkl-grey); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.gpkl-tr-mine { stroke: var(--gpkl-blue); stroke-width: 3; }
.gpkl-tr-point { fill: var(--gpkl-green); fill-opacity: 0.75; stroke: var(--gpkl-green); stroke-width: 1; }
.gpkl-training-replayed .gpkl-readouts { grid-template-columns: repeat(4, auto); justify-content: space-between; }
.gpkl-training-replayed .gpkl-sb-text { min-height: 6rem; align-content: flex-start; }
.gpkl-training-replayed .gpkl-controls > :first-child { grid-column: 1 / -1; }
@container (max-width: 33.99rem) {
  .gpkl-training-replayed .gpkl-readouts { grid-template-columns: repeat(2, 1fr); }
  .gpkl-training-replayed .gpkl-sb-text { min-height: 9rem; }
  .gpkl-training-replayed .gpkl-controls > * { grid-column: 1 / -1; }
}
@container (min-width: 34rem) {
  .gpkl-training-replayed .gpkl-plots { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .gpkl-training-replayed .gpkl-controls { grid-template-columns: 1fr 1fr; }
  .gpkl-training-replayed .gpkl-controls > :first-child { grid-column: auto; }
}
`;
const percent = (share) => `${(100 * share).toFixed(3)}%`;
const reach = (epoch, last) => (last > 1 ? (epoch - 1) / (last - 1) : 0.5);
const nearest = (share, last) => clamp(Math.round(1 + share * (last - 1)), 1, last);

// one small board a type: a row for each first word, a column for each last one, shaded by score, marked by verdict
function boardsPanel(parent) {
  const holder = h("div", { class: "gpkl-tr-boards" });
  parent.append(
    h(
      "div",
      { class: "gpkl-panel gpkl-wide" },
      h(
        "div",
        { class: "gpkl-label" },
        "score boards: row = first word, column = last; the darker, the higher; dashed = a true span not found",
      ),
      holder,
    ),
  );
  let parts = [];
  const build = (tokens, types) =>
    types.map((kind) => {
      const length = tokens.length;
      const at = (j) => `${(100 * j) / length}%`;
      const svg = v("svg", { height: SIDE * length, role: "img" });
      const marks = v("g");
      const stage = v("svg", {
        width: "100%",
        height: SIDE * length,
        viewBox: `0 0 ${length} ${length}`,
        preserveAspectRatio: "none",
        class: "gpkl-column",
      });
      const places = Array.from({ length: cellCount(length) }, (_, place) => cellAt(place, length));
      const shades = Array.from({ length: SHADES }, (_, k) =>
        v("path", { class: "gpkl-tr-cell", "fill-opacity": ((0.75 * (k + 1)) / SHADES).toFixed(3) }),
      );
      stage.append(
        ...shades,
        v("path", { class: "gpkl-tr-grid", d: places.map(([i, j]) => `M${j} ${i}h1v1h-1Z`).join("") }),
      );
      svg.append(stage, marks);
      return { kind, node: h("div", {}, h("div", { class: "gpkl-label" }, kind), svg), svg, places, shades, marks, at };
    });
  return (tokens, types, triangles, marked) => {
    rebuild(holder, [tokens, types], () => {
      parts = build(tokens, types);
      return parts.map(({ node }) => node);
    });
    parts.forEach(({ kind, svg, places, shades, marks, at }, k) => {
      const shaded = shades.map(() => "");
      triangles[k].forEach((score, place) => {
        const shade = Math.round(SHADES / (1 + Math.exp(-score / 3))) - 1; // none below 1 in 24
        if (shade >= 0) shaded[shade] += `M${places[place][1]} ${places[place][0]}h1v1h-1Z`;
      });
      shades.forEach((path, n) => set(path, { d: shaded[n] }));
      const mine = marked.filter(([type]) => type === k);
      const told = mine.map(([, start, end, verdict]) => `${SIGN[verdict]} ${tokens.slice(start, end).join(" ")}`);
      set(svg, { "aria-label": `${kind}: ${told.join(", ") || "no span"}` });
      rebuild(marks, mine, () =>
        mine.flatMap(([, start, end, verdict]) => [
          v("rect", {
            x: at(end - 1),
            width: at(1),
            y: SIDE * start,
            height: SIDE,
            class: `gpkl-tr-mark gpkl-${TONE[verdict]}`,
            "stroke-dasharray": verdict === 1 ? "3 2" : "none",
          }),
          v(
            "text",
            {
              x: at(end - 0.5),
              y: SIDE * start + 11.5,
              "text-anchor": "middle",
              class: `gpkl-tr-sign gpkl-${TONE[verdict]}`,
            },
            verdict === 1 ? "" : SIGN[verdict],
          ),
        ]),
      );
    });
  };
}

// curves against the epoch: drag anywhere to scrub; `lines` are [values, class, dash, name]
function curves(parent, model, { caption, name, digits }) {
  const svg = plot(parent, { caption, height: HEIGHT, label: name, inset: INSET });
  const rows = v("g");
  const axis = v("g");
  const names = v("g");
  const paths = v("g");
  const dots = v("g");
  const stage = stretched(HEIGHT);
  const cursor = v("line", { y1: 0, y2: HEIGHT, class: "gpkl-cursor" });
  stage.append(paths);
  svg.append(
    v("rect", { x: 0, width: "100%", height: HEIGHT, class: "gpkl-ground" }),
    rows,
    stage,
    axis,
    cursor,
    dots,
    names,
  );
  const last = () => model.get("runs")[0].epochs.length;
  dragAcross(svg, (share) => put(model, { epoch: nearest(share, last()) }));
  return (lines, top, epoch) => {
    const count = last();
    const toY = (value) => HEIGHT * (1 - clamp(value / top, 0, 1));
    grid(rows, ticks(0, top, 4), toY, { digits });
    rebuild(axis, count, () =>
      [...new Set([1, Math.round((1 + count) / 2), count])].map((tick) =>
        v(
          "text",
          { x: percent(reach(tick, count)), y: HEIGHT + 17, "text-anchor": "middle", class: "gpkl-tick" },
          String(tick),
        ),
      ),
    );
    rebuild(paths, lines, () =>
      lines.map(([values, style, dash]) =>
        v("path", {
          class: style,
          "stroke-dasharray": dash,
          d: values
            .map((value, k) => `${k ? "L" : "M"}${(100 * reach(k + 1, count)).toFixed(2)} ${toY(value).toFixed(2)}`)
            .join(""),
        }),
      ),
    );
    rebuild(names, lines, () => {
      let low = -Infinity;
      return lines
        .map(([values, style, , text]) => [toY(values.at(-1)), text, style])
        .sort((a, b) => a[0] - b[0])
        .map(([y, text, style]) => {
          low = Math.max(y + 4, low + 15);
          return label(text, {
            x: "100%",
            dx: 6,
            y: low,
            class: "gpkl-tick",
            "font-weight": style.includes("mine") ? 700 : 400,
          });
        });
    });
    set(cursor, { x1: percent(reach(epoch, count)), x2: percent(reach(epoch, count)) });
    pool(
      dots,
      lines,
      () => v("circle", { r: 4, class: "gpkl-dot gpkl-blue" }),
      (dot, [values, style]) =>
        set(dot, {
          cx: percent(reach(epoch, count)),
          cy: toY(values[epoch - 1]).toFixed(2),
          visibility: style.includes("mine") ? "visible" : "hidden",
        }),
    );
  };
}

// what sigma(s) promised against what came true, over dev's candidates given at least 5 %; a circle's area is their
// number
function reliabilityPanel(parent) {
  const svg = plot(parent, {
    caption: "on dev: share true against *σ*(*s*)",
    height: HEIGHT,
    label: "Reliability",
    inset: [10, 12, 28, 30],
  });
  const rows = v("g");
  const axis = v("g");
  const dots = v("g");
  const diagonal = v("line", { x1: "0%", y1: HEIGHT, x2: "100%", y2: 0, class: "gpkl-hard" });
  svg.append(v("rect", { width: "100%", height: HEIGHT, class: "gpkl-ground" }), rows, diagonal, dots, axis);
  return (bins) => {
    grid(rows, [0, 0.5, 1], (value) => HEIGHT * (1 - value), { digits: 1 });
    rebuild(axis, 0, () =>
      [0, 0.5, 1].map((tick) =>
        v("text", { x: percent(tick), y: HEIGHT + 17, "text-anchor": "middle", class: "gpkl-tick" }, fixed(tick, 1)),
      ),
    );
    const points = reliabilityPoints(bins);
    const most = Math.max(1, ...points.map(([, , count]) => count));
    pool(
      dots,
      points,
      () => v("circle", { class: "gpkl-tr-point" }),
      (dot, [mean, share, count]) =>
        set(dot, {
          cx: percent(mean),
          cy: (HEIGHT * (1 - share)).toFixed(2),
          r: (3 + 9 * Math.sqrt(count / most)).toFixed(1),
          visibility: "visible",
        }),
    );
  };
}

const pySpans = (spans, types) =>
  `[[${spans.map(([kind, start, end]) => `(${JSON.stringify(types[kind])}, ${start}, ${end})`).join(", ")}]]`;

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "training-replayed",
    title: "Training, replayed",
    onReset: () => put(model, first),
    style: STYLE,
  });
  const text = sentencePanel(ui.plots, "a sentence of dev, and what is decided: ✓ right, ✗ wrong, ○ missed");
  const boards = boardsPanel(ui.plots);
  const losses = curves(ui.plots, model, {
    caption: "training loss, nats; drag to scrub",
    name: "Loss by epoch",
    digits: 0,
  });
  const scores = curves(ui.plots, model, { caption: "dev *F*1, all methods", name: "F1 by epoch", digits: 1 });
  const reliability = reliabilityPanel(ui.plots);
  const show = readouts(ui.readouts, {
    task: "cross-entropy",
    term: "*α*/4 *D*",
    loss: "their sum",
    f1: "dev *F*1",
    calibration: "calibration error",
    predicted: "decided here",
    correct: "right",
    sentence_f1: "*F*1 of the sentence",
  });
  const method = choice(ui.controls, {
    caption: "divergence",
    options: model.get("runs").map((run) => run.method),
    put: (value) => put(model, { method: value }),
  });
  const epoch = slider(ui.controls, {
    caption: "after epoch",
    min: 1,
    max: model.get("runs")[0].epochs.length,
    step: 1,
    show: String,
    put: (value) => put(model, { epoch: value }),
  });
  const parsed = new Map(); // the boards of an epoch, read once

  return follow(model, TRAITS, () => {
    const { tokens, types, gold: truths } = model.get("sentence");
    const runs = model.get("runs");
    const chosen = model.get("method");
    const at = model.get("epoch");
    const run = runs.find(({ method: name }) => name === chosen);
    const now = run.epochs[at - 1];
    const key = `${chosen} ${at}`;
    const length = tokens.length;
    if (!parsed.has(key)) parsed.set(key, now.scores.map(readCells));
    const cells = parsed.get(key);
    const gold = truths.map(([name, start, end]) => [types.indexOf(name), start, end]);
    const decided = spansAbove(cells, length);
    const result = compareSpans(decided, gold);
    const marked = [...decided, ...gold.filter((span) => verdictOf(span, decided, gold) === 1)]
      .sort(
        (a, b) => a[1] - b[1] || a[2] - b[2] || cellPlace(a[1], a[2] - 1, length) - cellPlace(b[1], b[2] - 1, length),
      )
      .map((span) => [...span, verdictOf(span, decided, gold)]);
    text(tokens, types, marked);
    boards(tokens, types, cells, marked);
    const sums = run.epochs.map(({ task, term }) => lossOf(task, term));
    const most = Math.max(...runs.flatMap(({ epochs }) => epochs.map(({ task, term }) => lossOf(task, term))));
    losses(
      [
        [sums, "gpkl-tr-line gpkl-tr-mine", "none", "sum"],
        [run.epochs.map(({ task }) => task), "gpkl-tr-line", "6 3", "CE"],
      ],
      ceiling(most),
      at,
    );
    scores(
      runs.map(({ method: name, epochs }, k) => [
        epochs.map(({ f1 }) => f1),
        name === chosen ? "gpkl-tr-line gpkl-tr-mine" : "gpkl-tr-line",
        DASHES[k],
        name,
      ]),
      1,
      at,
    );
    reliability(now.bins);
    for (const name of ["task", "term", "f1"]) show[name](now[name], num(now[name], 3));
    const error = calibrationError(now.bins);
    show.loss(lossOf(now.task, now.term), num(lossOf(now.task, now.term), 3));
    show.calibration(error, num(error, 3));
    for (const name of ["predicted", "correct"])
      show[name](result[name], `${result[name]}${name === "correct" ? ` of ${result.gold}` : ""}`);
    show.sentence_f1(result.f1, num(result.f1, 3));
    method(chosen);
    epoch(at);
    write(
      ui.code,
      `from gpkl_lib import span_scores; print(span_scores(${pySpans(decided, types)}, ${pySpans(gold, types)}).f1)`,
    );
    ui.say(
      `${chosen}, epoch ${at}: loss ${num(lossOf(now.task, now.term), 3)}, dev F1 ${num(now.f1, 3)}, of the ` +
        `sentence ${result.correct} right of ${result.predicted} decided.`,
    );
  });
}
export default { render };
