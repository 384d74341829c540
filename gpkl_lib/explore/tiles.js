// "Tiles": a score board met block by block. What is carried from one to the next, and how much memory it saves?

import { dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  clamp,
  fixed,
  h,
  KEYS,
  label,
  num,
  pattern,
  plot,
  py,
  rebuild,
  round,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import {
  blockCount,
  blockRows,
  boardBytes,
  cellsComputed,
  lossOfAll,
  rowColumn,
  tiledBytes,
  walkTiles,
} from "./maths/tiles.js";

const TRAITS = ["scores", "rows", "blocks", "length", "copies"];
const ROW = 36;
const SMALL = 150;
const PAUSE = 700; // milliseconds between two blocks while it plays
const SHAPE = { batch: 4, heads: 10, features: 64, block: 2 ** 20, blocks: 4, hold: 12 * 2 ** 20 };
// the memory plot: lengths in powers of 2, bytes in powers of 10
const SHORT = Math.log2(128);
const LONG = Math.log2(8192);
const DECADES = [6, 13];
const STYLE = `
.gpkl-ti-cell { fill: none; stroke: var(--gpkl-line); stroke-width: 1; }
.gpkl-ti-met { fill: var(--gpkl-blue); fill-opacity: 0.1; } .gpkl-ti-now { fill: var(--gpkl-blue); fill-opacity: 0.28; }
.gpkl-ti-top { stroke: var(--gpkl-vermilion); stroke-width: 2.5; }
.gpkl-ti-edge { fill: none; stroke: var(--gpkl-blue); stroke-width: 2; }
.gpkl-ti-row { cursor: pointer; }
.gpkl-tiles .gpkl-readouts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.gpkl-ti-buttons { display: flex; gap: 0.5rem; }
@container (min-width: 34rem) { .gpkl-tiles .gpkl-readouts { grid-template-columns: repeat(4, auto); }
  .gpkl-ti-tall { grid-row: span 2; } .gpkl-tiles .gpkl-plots { grid-template-rows: auto auto 1fr; } }
`;
const size = (bytes) =>
  bytes >= 1e9 ? `${Number((bytes / 1e9).toPrecision(3))} GB` : `${Number((bytes / 1e6).toPrecision(3))} MB`;
const tokens = (scores) => (Math.sqrt(8 * scores.length + 1) - 1) / 2;
const dense = (length, copies) => copies * boardBytes(SHAPE.batch, SHAPE.heads, length);
const tiled = (length) =>
  tiledBytes(SHAPE.batch, SHAPE.heads, length, SHAPE.features, SHAPE.block, SHAPE.blocks, SHAPE.hold);

// the board; a press on a row, or a drag down the rows, goes to the block that it belongs to
function boardPanel(parent, go) {
  const svg = plot(parent, {
    caption: "the board, block by block; press a row to go there",
    height: 0,
    label: "Scores of all spans, block by block",
    inset: [10, 2, 6, 2],
  });
  svg.parentElement.classList.add("gpkl-ti-tall");
  const waste = pattern(svg, "gpkl-grey");
  const wasted = v("g");
  const cells = v("g");
  const edges = v("g");
  const ground = v("rect", { width: "100%", class: "gpkl-ground gpkl-ti-row" });
  const note = h("div", { class: "gpkl-label" });
  svg.append(wasted, cells, edges, ground);
  svg.parentElement.append(note);
  const at = (event) => go(Math.floor((event.clientY - svg.getBoundingClientRect().top) / ROW));
  ground.style.touchAction = "pan-y";
  ground.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    ground.setPointerCapture(event.pointerId);
    at(event);
  });
  ground.addEventListener("pointermove", (event) => ground.hasPointerCapture(event.pointerId) && at(event));
  let parts = [];
  return (scores, n, rows, blocks, maximum) => {
    const share = (k) => `${(100 * k) / n}%`;
    const count = blockCount(n, rows);
    const met = Math.min(blocks, count);
    rebuild(cells, scores, () => {
      for (const node of [svg, ground]) set(node, { height: ROW * n });
      parts = [];
      return scores.map((score, k) => {
        const [i, j] = rowColumn(k, n);
        const rect = v("rect", { x: share(j), y: ROW * i, width: share(1), height: ROW });
        const text = v("text", { x: share(j + 0.5), y: ROW * i + 22, "text-anchor": "middle", class: "gpkl-tick" });
        parts.push({ i, score, rect, text });
        return v("g", {}, rect, text);
      });
    });
    const last = met ? blockRows(n, rows, met - 1) : [0, 0];
    for (const { i, score, rect, text } of parts) {
      const state = i >= last[1] ? "" : i >= last[0] ? " gpkl-ti-now" : " gpkl-ti-met";
      const top = i < last[1] && score === maximum ? " gpkl-ti-top" : "";
      set(rect, { class: `gpkl-ti-cell${state}${top}` });
      const written = fixed(score, 0);
      write(text, i < last[1] && written.length * n <= 20 ? written : ""); // where there is room for it
    }
    rebuild(wasted, [n, rows, met], () =>
      Array.from({ length: met }, (_, b) => {
        const [from, until] = blockRows(n, rows, b);
        return Array.from({ length: until - from - 1 }, (_, k) =>
          v("rect", {
            x: share(from),
            y: ROW * (from + k + 1),
            width: share(k + 1),
            height: ROW,
            fill: waste,
            class: "gpkl-band",
          }),
        );
      }).flat(),
    );
    rebuild(edges, [n, rows, met], () =>
      Array.from({ length: met }, (_, b) => {
        const [from, until] = blockRows(n, rows, b);
        return v("rect", {
          x: share(from),
          y: ROW * from,
          width: share(n - from),
          height: ROW * (until - from),
          class: "gpkl-ti-edge",
          "stroke-dasharray": b === met - 1 ? "none" : "4 3",
        });
      }),
    );
    const computed = cellsComputed(n, rows, met);
    write(note, `block ${met} of ${count}: ${computed} of ${n * n} cells computed, the hatched ones in vain`);
  };
}

// m + log z after each block, against the value it must arrive at
function runPanel(parent) {
  const svg = plot(parent, {
    caption: "",
    height: SMALL,
    label: "Running logsumexp after each block",
    inset: [18, 12, 26, 40],
  });
  captionOf(svg).append(
    h("i", { class: "gpkl-var" }, "m"),
    "\u00a0+\u00a0log\u00a0",
    h("i", { class: "gpkl-var" }, "z"),
    " ",
    h("span", { class: "gpkl-key gpkl-blue" }, "● kept"),
    " ",
    h("span", { class: "gpkl-key gpkl-vermilion" }, "◆ never shrunk"),
    " ",
    h("span", { class: "gpkl-key" }, "╌ whole board"),
  );
  const lines = v("g");
  const goal = v("line", { x1: "0%", x2: "100%", class: "gpkl-rule gpkl-ink", "stroke-dasharray": "6 4" });
  const marks = v("g");
  svg.append(lines, goal, marks);
  return (scores, n, rows, blocks, final) => {
    const count = blockCount(n, rows);
    const steps = Array.from({ length: count + 1 }, (_, k) => k);
    rebuild(marks, [scores, rows, blocks], () => {
      const found = steps.map((k) => walkTiles(scores, n, rows, k));
      const high = Math.max(1, ...found.map((one) => one.forgotten)) * 1.08;
      const toY = (value) => SMALL * (1 - value / high);
      const toX = (k) => `${(100 * k) / count}%`;
      set(goal, { y1: toY(final), y2: toY(final) });
      lines.replaceChildren(
        ...ticks(0, high, 3).map((value) =>
          v(
            "g",
            {},
            v("line", {
              x1: "0%",
              x2: "100%",
              y1: toY(value),
              y2: toY(value),
              class: value ? "gpkl-grid" : "gpkl-axis",
            }),
            v("text", { x: 0, dx: -6, y: toY(value), dy: "0.32em", class: "gpkl-tick gpkl-end" }, String(value)),
          ),
        ),
        ...steps
          .filter((k) => count < 7 || k % 2 === 0)
          .map((k) => v("text", { x: toX(k), y: SMALL + 20, "text-anchor": "middle", class: "gpkl-tick" }, String(k))),
      );
      return steps
        .slice(0, Math.min(blocks, count) + 1)
        .flatMap((k) => [
          v(
            "svg",
            { x: toX(k), y: toY(found[k].forgotten), class: "gpkl-column" },
            v("path", { d: "M0-7 6 0 0 7-6 0Z", class: "gpkl-dot gpkl-vermilion" }),
          ),
          v(
            "svg",
            { x: toX(k), y: toY(found[k].logsumexp), class: "gpkl-column" },
            v("circle", { r: 5, class: "gpkl-dot gpkl-blue" }),
          ),
        ]);
    });
  };
}

// bytes held against L, both on logarithmic scales; L is dragged
function memoryPanel(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: SMALL,
    label: "Bytes held against the length",
    inset: [18, 12, 26, 52],
  });
  captionOf(svg).append(
    "bytes held at ",
    h("i", { class: "gpkl-var" }, "L"),
    "; drag across ",
    h("span", { class: "gpkl-key gpkl-vermilion" }, "╍ dense"),
    " ",
    h("span", { class: "gpkl-key gpkl-blue" }, "▬ tiled"),
  );
  const ground = v("rect", { width: "100%", height: SMALL, class: "gpkl-ground" });
  const axes = v("g");
  const stage = stretched(SMALL);
  const lines = {
    dense: v("path", { class: "gpkl-curve gpkl-vermilion", style: "stroke-dasharray:8 4" }),
    tiled: v("path", { class: "gpkl-curve gpkl-blue" }),
  };
  const dots = {
    dense: v("circle", { r: 5, class: "gpkl-dot gpkl-vermilion" }),
    tiled: v("circle", { r: 5, class: "gpkl-dot gpkl-blue" }),
  };
  const cursor = v("line", { y1: 0, y2: SMALL, class: "gpkl-cursor" });
  const names = {
    dense: label("", { class: "gpkl-text gpkl-vermilion" }),
    tiled: label("", { class: "gpkl-text gpkl-blue" }),
  };
  stage.append(lines.dense, lines.tiled);
  svg.append(ground, axes, stage, cursor, dots.dense, dots.tiled, names.dense, names.tiled);
  const toY = (bytes) => SMALL * (1 - (Math.log10(bytes) - DECADES[0]) / (DECADES[1] - DECADES[0]));
  const toX = (length) => (100 * (Math.log2(length) - SHORT)) / (LONG - SHORT);
  axes.append(
    ...[
      { power: 6, text: "1 MB" },
      { power: 9, text: "1 GB" },
      { power: 12, text: "1 TB" },
    ].map(({ power, text }) =>
      v(
        "g",
        {},
        v("line", {
          x1: "0%",
          x2: "100%",
          y1: toY(10 ** power),
          y2: toY(10 ** power),
          class: power === 6 ? "gpkl-axis" : "gpkl-grid",
        }),
        v("text", { x: 0, dx: -6, y: toY(10 ** power), dy: "0.32em", class: "gpkl-tick gpkl-end" }, text),
      ),
    ),
    ...[128, 512, 2048, 8192].map((length) =>
      v("text", { x: `${toX(length)}%`, y: SMALL + 20, "text-anchor": "middle", class: "gpkl-tick" }, String(length)),
    ),
  );
  dragAcross(svg, (share) => put(model, { length: lengthAt(SHORT + (LONG - SHORT) * clamp(share, 0, 1)) }));
  const lengths = Array.from({ length: 25 }, (_, i) => 2 ** (SHORT + ((LONG - SHORT) * i) / 24));
  return (length, copies) => {
    const of = { dense: (l) => dense(l, copies), tiled };
    set(cursor, { x1: `${toX(length)}%`, x2: `${toX(length)}%` });
    for (const way of ["dense", "tiled"]) {
      rebuild(lines[way], copies, () => {
        set(lines[way], {
          d: lengths.map((l, i) => `${i ? "L" : "M"}${toX(l).toFixed(2)} ${toY(of[way](l)).toFixed(2)}`).join(""),
        });
        return [];
      });
      set(dots[way], { cx: `${toX(length)}%`, cy: toY(of[way](length)) });
      // the curves rise: above is room on the left, below on the right
      const left = way === "dense" ? toX(length) > 25 : toX(length) > 75;
      set(names[way], {
        x: `${toX(length)}%`,
        dx: left ? -8 : 8,
        y: toY(of[way](length)) + (way === "dense" ? -12 : 20),
        "text-anchor": left ? "end" : "start",
      });
      write(names[way], size(of[way](length)));
    }
  };
}
const lengthAt = (power) => clamp(round(2 ** power, 16), 128, 8192);

// Step, and Play: a block at a time; all at once where motion is not wanted
function walking(parent, model, state) {
  const make = (text) => h("button", { type: "button", class: "gpkl-button", ...KEYS }, text);
  const step = make("Step");
  const play = make("Play");
  parent.append(
    h(
      "div",
      { class: "gpkl-field" },
      h("span", { class: "gpkl-label" }, "next block"),
      h("div", { class: "gpkl-ti-buttons" }, step, play),
    ),
  );
  let timer = 0;
  const halt = () => {
    clearInterval(timer);
    timer = 0;
    write(play, "Play");
  };
  const forward = () => {
    const { count, met } = state();
    put(model, { blocks: met >= count ? 0 : met + 1 });
    return met + 1 >= count && met < count;
  };
  step.addEventListener("click", () => {
    halt();
    forward();
  });
  play.addEventListener("click", () => {
    if (timer) return halt();
    const { count, met } = state();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return put(model, { blocks: count });
    if (met >= count) put(model, { blocks: 0 });
    write(play, "Stop");
    timer = setInterval(() => forward() && halt(), PAUSE);
    return undefined;
  });
  return halt;
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  let halt = () => {};
  const change = (state) => {
    halt();
    put(model, state);
  };
  const state = () => {
    const count = blockCount(tokens(model.get("scores")), model.get("rows"));
    return { count, met: Math.min(model.get("blocks"), count) };
  };
  const ui = frame(el, { kind: "tiles", title: "Tiles", onReset: () => change(first), style: STYLE });
  const go = (row) => {
    const n = tokens(model.get("scores"));
    const rows = model.get("rows");
    change({ blocks: clamp(Math.floor(clamp(row, 0, n - 1) / rows) + 1, 0, blockCount(n, rows)) });
  };
  const board = boardPanel(ui.plots, go);
  const run = runPanel(ui.plots);
  const memory = memoryPanel(ui.plots, model);
  const show = readouts(ui.readouts, {
    maximum: "maximum *m*",
    factor: "last factor exp(*m* − *m*′)",
    sum: "sum *z*",
    logsumexp: "*m* + log *z*",
    final: "whole board",
    forgotten: "never shrunk",
    dense: "dense, bytes",
    tiled: "tiled, bytes",
  });
  halt = walking(ui.controls, model, state);
  const rows = slider(ui.controls, {
    caption: "rows *r* of a block",
    min: 1,
    max: Math.round(tokens(first.scores)),
    step: 1,
    show: String,
    put: (value) => {
      const n = tokens(model.get("scores"));
      const { count, met } = state();
      const reached = met === count ? n : met * model.get("rows");
      change({ rows: value, blocks: Math.ceil(reached / value) });
    },
  });
  const length = slider(ui.controls, {
    caption: "length *L*",
    min: SHORT,
    max: LONG,
    step: 1 / 64,
    toValue: lengthAt,
    fromValue: Math.log2,
    show: String,
    put: (value) => put(model, { length: value }),
  });

  const unfollow = follow(model, TRAITS, () => {
    const [scores, r, blocks, L, copies] = TRAITS.map((name) => model.get(name));
    const n = tokens(scores);
    const now = walkTiles(scores, n, r, blocks);
    const final = lossOfAll(scores, n);
    const bytes = [dense(L, copies), tiled(L)];
    board(scores, n, r, blocks, now.maximum);
    run(scores, n, r, blocks, final);
    memory(L, copies);
    for (const key of ["maximum", "factor", "sum", "logsumexp", "forgotten"]) show[key](now[key]);
    show.final(final);
    show.dense(bytes[0], size(bytes[0]));
    show.tiled(bytes[1], size(bytes[1]));
    rows(r);
    length(L);
    write(
      ui.code,
      `from gpkl_lib.explore.tiles import walk; print(walk([${scores.map(py).join(", ")}], rows=${r}, ` +
        `blocks=${blocks}).logsumexp)`,
    );
    ui.say(
      `Block ${state().met} of ${state().count}: m ${num(now.maximum, 2)}, z ${num(now.sum)}, m + log z ` +
        `${num(now.logsumexp)}; whole board ${num(final)}. At ${L} tokens dense ${size(bytes[0])}, tiled ` +
        `${size(bytes[1])}.`,
    );
  });
  return () => {
    halt();
    unfollow();
  };
}
export default { render };
