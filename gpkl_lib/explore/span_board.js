// "Span board": which spans of a sentence does a trained model decide for, and by how much? Every candidate has its
// cell.

import { dragAcross, follow, frame, menu, put, readouts, slider } from "./kit/controls.js";
import { captionOf, clamp, fixed, h, KEYS, label, num, plot, rebuild, round, same, set, v, write } from "./kit/kit.js";
import { SENTENCE_STYLE, SIGN, sentencePanel, TONE, track } from "./kit/sentence.js";
import { cellAt, cellCount, cellPlace, compareSpans, spansAbove, verdictOf } from "./maths/board.js";

const ROW = 30;
const LANE = 20;
const MANY = 6; // words beyond which a phone has room for no scores, colours only
const CROWDED = 8; // words beyond which there is room for two characters
const LEFT = -20; // scores are drawn from here on
const LOW = -10; // the threshold moves from here on
const HIGH = 10;
const TRAITS = ["boards", "board", "type", "threshold", "cell"];
const SAID = [
  "not decided, and no true span",
  "not decided, yet a true span (missed)",
  "decided, but no true span (wrong)",
  "decided, and a true span (right)",
];
const STYLE = `${SENTENCE_STYLE}
.gpkl-span-board .gpkl-sb-text { cursor: text; }
.gpkl-sb-matrix { cursor: crosshair; touch-action: pan-y; }
.gpkl-sb-matrix * { touch-action: pan-y; }
.gpkl-sb-matrix:focus-visible { outline: 2px solid var(--gpkl-ink); outline-offset: 4px; border-radius: 4px; }
.gpkl-sb-shade { fill: var(--gpkl-blue); stroke: var(--gpkl-line); stroke-width: 1; }
.gpkl-sb-mark { fill: none; stroke: var(--tone); stroke-width: 2; }
.gpkl-sb-cursor { fill: none; stroke: var(--gpkl-ink); stroke-width: 2; }
.gpkl-sb-legs { fill: none; stroke: var(--gpkl-ink); stroke-width: 1; stroke-dasharray: 2 3; }
.gpkl-sb-ticks { fill: none; stroke: var(--gpkl-grey); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.gpkl-sb-cell { margin: 0.2rem 0 0; min-height: 4.4em; }
.gpkl-span-board .gpkl-readouts { grid-template-columns: repeat(4, auto); justify-content: space-between; }
@container (max-width: 18rem) {
  .gpkl-span-board .gpkl-readouts { grid-template-columns: repeat(3, auto); }
  .gpkl-sb-many .gpkl-sb-tight { display: none; }
}
@container (min-width: 34rem) {
  .gpkl-sb-tall { grid-row: span 2; }
  .gpkl-span-board .gpkl-plots { grid-template-rows: auto auto 1fr; }
}
`;

// the upper triangle: a row for each first word, a column for each last one; keys and pointer move the cell
function matrixPanel(parent, model, look) {
  const svg = plot(parent, { caption: "", height: 0, label: "", inset: [24, 2, 4, 58] });
  const caption = captionOf(svg);
  svg.parentElement.classList.add("gpkl-sb-tall");
  const text = h("p", { class: "gpkl-sb-cell" });
  parent.append(h("div", { class: "gpkl-panel" }, h("div", { class: "gpkl-label" }, "the cell"), text));
  svg.classList.add("gpkl-sb-matrix");
  set(svg, { role: "application", tabindex: 0, "aria-roledescription": "score matrix", ...KEYS });
  const ground = v("rect", { width: "100%", class: "gpkl-ground" });
  const shades = v("g");
  const cells = v("g");
  const heads = v("g");
  const legs = v("g", { class: "gpkl-sb-legs" });
  const across = v("line");
  const down = v("line");
  const cursor = v("rect", { class: "gpkl-sb-cursor", height: ROW - 4, rx: 3 });
  legs.append(across, down);
  svg.append(ground, shades, legs, cells, heads, cursor);
  let length = 1;
  let parts = [];
  track(svg, (event) => {
    const box = svg.getBoundingClientRect();
    const j = clamp(Math.floor((length * (event.clientX - box.left)) / box.width), 0, length - 1);
    const i = Math.floor((event.clientY - box.top) / ROW);
    if (0 <= i && i <= j) look(i, j);
  });
  svg.addEventListener("keydown", (event) => {
    const [i, j] = model.get("cell");
    const to = {
      ArrowLeft: [i, j - 1],
      ArrowRight: [i, j + 1],
      ArrowUp: [i - 1, j],
      ArrowDown: [i + 1, Math.max(j, i + 1)],
      Home: [i, i],
      End: [i, length - 1],
    }[event.key];
    if (!to) return;
    if (0 <= to[0] && to[0] <= to[1] && to[1] < length) look(...to);
    event.preventDefault();
    event.stopPropagation();
  });
  const at = (share) => `${(100 * share) / length}%`;
  const build = (tokens) => {
    length = tokens.length;
    set(svg, { height: ROW * length });
    set(ground, { height: ROW * length });
    heads.replaceChildren(
      ...tokens.flatMap((token, i) => [
        label(token, { x: at(i), dx: -6, y: ROW * i + 19, class: "gpkl-text gpkl-end" }),
        v(
          "text",
          {
            x: at(i + 0.5),
            y: -7,
            "text-anchor": "middle",
            class: length > 2 * MANY && i % 2 ? "gpkl-tick gpkl-sb-tight" : "gpkl-tick",
          },
          String(i + 1),
        ),
      ]),
    );
    parts = Array.from({ length: cellCount(length) }, (_, place) => {
      const [i, j] = cellAt(place, length);
      const box = { x: at(j), width: at(1), y: ROW * i, height: ROW };
      const part = {
        shade: v("rect", { ...box, class: "gpkl-sb-shade" }),
        mark: v("rect", { ...box, y: ROW * i + 2, height: ROW - 4, rx: 3, class: "gpkl-sb-mark" }),
      };
      part.score = v("text", { x: at(j + 0.5), y: ROW * i + 14, "text-anchor": "middle" });
      set(part.score, { class: "gpkl-tick gpkl-sb-tight" });
      part.sign = v("text", { x: at(j + 0.5), y: ROW * i + 27, "text-anchor": "middle", class: "gpkl-tick" });
      shades.append(part.shade);
      cells.append(part.mark, part.score, part.sign);
      return part;
    });
  };
  let drawn = "";
  return (tokens, triangle, type, threshold, [i, j], verdicts) => {
    if (drawn !== tokens.join(" ")) {
      for (const group of [shades, cells]) group.replaceChildren();
      build(tokens);
      drawn = tokens.join(" ");
    }
    const crowded = length > CROWDED;
    svg.classList.toggle("gpkl-sb-many", length > MANY);
    const left = crowded ? "; scores below −9.5 are not written" : "";
    rebuild(caption, type + left, () => ["type ", h("b", {}, type), `: row = first word, column = last${left}`]);
    set(svg, { "aria-label": `Scores of type ${type}: arrow keys move from span to span` });
    parts.forEach(({ shade, mark, score, sign }, place) => {
      const value = triangle[place];
      const verdict = verdicts[place];
      set(shade, { "fill-opacity": (0.5 / (1 + Math.exp(-value / 4))).toFixed(3) });
      write(score, crowded && value < -9.5 ? "" : fixed(value, !crowded && Math.abs(value) < 2 ? 1 : 0));
      write(sign, SIGN[verdict]);
      set(sign, { class: `gpkl-text gpkl-${TONE[verdict]}` });
      set(mark, {
        class: `gpkl-sb-mark gpkl-${TONE[verdict]}`,
        visibility: verdict ? "visible" : "hidden",
        "stroke-dasharray": verdict === 1 ? "4 3" : "none",
      });
    });
    set(cursor, { x: at(j), width: at(1), y: ROW * i + 2 });
    set(across, { x1: at(i), x2: at(j), y1: ROW * (i + 0.5), y2: ROW * (i + 0.5) });
    set(down, { x1: at(j + 0.5), x2: at(j + 0.5), y1: ROW * (i + 1), y2: ROW * (j + 1) });
    const place = cellPlace(i, j, length);
    const value = triangle[place];
    const told =
      `${type}, ${i === j ? `word ${i + 1}` : `words ${i + 1} to ${j + 1}`}: score ${fixed(value, 2)}, ` +
      `${value > threshold ? "above" : "not above"} ${fixed(threshold, 1)}: ${SAID[verdicts[place]]}`;
    rebuild(text, [told, drawn], () => [h("b", {}, `“${tokens.slice(i, j + 1).join(" ")}”`), ` as ${told}.`]);
    return `${tokens.slice(i, j + 1).join(" ")}: ${told}`;
  };
}

// every candidate of every type on one axis of scores, the threshold as a line to drag
function stripPanel(parent, model) {
  const svg = plot(parent, {
    caption: "all candidates by score: | not a true span, ◆ a true one; drag the threshold",
    height: 0,
    label: "All scores against the threshold",
    inset: [16, 8, 28, 92],
  });
  const zone = v("rect", { y: 0, class: "gpkl-zone" });
  const line = v("line", { y1: -8, class: "gpkl-hard" });
  const ground = v("rect", { width: "100%", class: "gpkl-ground" });
  const stage = v("svg", { width: "100%", preserveAspectRatio: "none", class: "gpkl-column" });
  const gold = v("g");
  const names = v("g");
  const axis = v("g");
  const dot = v("circle", { r: 4.5, class: "gpkl-dot gpkl-blue" });
  svg.append(ground, zone, stage, line, gold, dot, names, axis);
  dragAcross(svg, (share) => put(model, { threshold: round(clamp(LEFT + (HIGH - LEFT) * share, LOW, HIGH), 0.1) }));
  const toX = (score) => (100 * (clamp(score, LEFT, HIGH) - LEFT)) / (HIGH - LEFT);
  return ({ tokens, types, cells, gold: truths }, type, threshold, score) => {
    const height = LANE * types.length;
    const middle = (k) => LANE * (k + 0.5);
    rebuild(gold, [tokens, types], () => {
      for (const node of [svg, zone, ground]) set(node, { height });
      set(line, { y2: height + 8 });
      set(stage, { height, viewBox: `0 0 100 ${height}` });
      const places = types.map((kind) =>
        truths.filter(([name]) => name === kind).map(([, start, end]) => cellPlace(start, end - 1, tokens.length)),
      );
      stage.replaceChildren(
        ...cells.map((triangle, k) =>
          v("path", {
            class: "gpkl-sb-ticks",
            d: triangle
              .map((value, place) => (places[k].includes(place) ? "" : `M${toX(value).toFixed(2)} ${middle(k) - 5}v10`))
              .join(""),
          }),
        ),
      );
      axis.replaceChildren(
        ...[LEFT, -10, 0, 10].map((tick) =>
          v(
            "text",
            { x: `${toX(tick)}%`, y: height + 22, "text-anchor": "middle", class: "gpkl-tick" },
            tick === LEFT ? "≤ −20" : fixed(tick, 0),
          ),
        ),
      );
      return places.flatMap((some, k) =>
        some.map((place) =>
          v(
            "svg",
            { x: `${toX(cells[k][place])}%`, y: middle(k), class: "gpkl-column" },
            v("path", { d: "M0-6.5 5.5 0 0 6.5-5.5 0Z", class: "gpkl-dot gpkl-green" }),
          ),
        ),
      );
    });
    rebuild(names, [types, type], () =>
      types.map((kind, k) =>
        v(
          "text",
          { x: 0, dx: -8, y: middle(k) + 4, class: "gpkl-tick gpkl-end", "font-weight": kind === type ? 700 : 400 },
          kind,
        ),
      ),
    );
    set(zone, { x: `${toX(threshold)}%`, width: `${100 - toX(threshold)}%` });
    set(line, { x1: `${toX(threshold)}%`, x2: `${toX(threshold)}%` });
    set(dot, { cx: `${toX(score)}%`, cy: middle(types.indexOf(type)) });
  };
}

// a sentence in a menu: its number, its corpus, and as many of its words as a phone shows
function titled(k, corpus, words) {
  const shown = words.filter((_, i) => i === 0 || words.slice(0, i + 1).join(" ").length + corpus.length < 18);
  return `${k + 1} · ${corpus}: ${shown.join(" ")}${shown.length < words.length ? " …" : ""}`;
}

const pySpans = (spans, types) =>
  `[[${spans.map(([kind, start, end]) => `(${JSON.stringify(types[kind])}, ${start}, ${end})`).join(", ")}]]`;

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "span-board", title: "Span board", onReset: () => put(model, first), style: STYLE });
  const look = (i, j) => same(model.get("cell"), [i, j]) || put(model, { cell: [i, j] });
  const text = sentencePanel(
    ui.plots,
    "the sentence and its spans of all types: ✓ right, ✗ wrong, ○ missed; drag over words to look one up",
    look,
  );
  const matrix = matrixPanel(ui.plots, model, look);
  const strip = stripPanel(ui.plots, model);
  const show = readouts(ui.readouts, {
    score: "score",
    candidates: "candidates",
    predicted: "decided",
    gold: "true",
    correct: "right",
    precision: "precision",
    recall: "recall",
    f1: "F1",
  });
  const best = ({ types, cells, tokens }, type) => {
    const triangle = cells[types.indexOf(type)];
    return cellAt(triangle.indexOf(Math.max(...triangle)), tokens.length);
  };
  const sentence = menu(ui.controls, "sentence", (value) => {
    const board = model.get("boards")[Number(value)];
    const type = board.types.includes(model.get("type")) ? model.get("type") : board.types[0];
    put(model, { board: Number(value), type, cell: best(board, type) });
  });
  const kind = menu(ui.controls, "type", (type) =>
    put(model, { type, cell: best(model.get("boards")[model.get("board")], type) }),
  );
  const level = slider(ui.controls, {
    caption: "threshold *θ*",
    min: LOW,
    max: HIGH,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => put(model, { threshold: value }),
  });

  return follow(model, TRAITS, () => {
    const boards = model.get("boards");
    const board = boards[model.get("board")];
    const type = model.get("type");
    const threshold = model.get("threshold");
    const cell = model.get("cell");
    const { tokens, types, cells } = board;
    const length = tokens.length;
    const chosen = types.indexOf(type);
    if (chosen < 0 || cell[1] >= length) return; // half of a change has come
    const gold = board.gold.map(([name, start, end]) => [types.indexOf(name), start, end]);
    const decided = spansAbove(cells, length, threshold);
    const result = compareSpans(decided, gold);
    const marked = [...decided, ...gold.filter((span) => verdictOf(span, decided, gold) === 1)]
      .sort((a, b) => a[1] - b[1] || a[2] - b[2])
      .map((span) => [...span, verdictOf(span, decided, gold)]);
    const verdicts = Array.from(cells[chosen], () => 0);
    for (const [kind, start, end, verdict] of marked)
      if (kind === chosen) verdicts[cellPlace(start, end - 1, length)] = verdict;
    const score = cells[chosen][cellPlace(cell[0], cell[1], length)];
    text(tokens, types, marked, chosen, cell);
    const told = matrix(tokens, cells[chosen], type, threshold, cell, verdicts);
    strip(board, type, threshold, score);
    show.score(score, fixed(score, 2));
    show.candidates(cellCount(length) * types.length, String(cellCount(length) * types.length));
    for (const name of ["predicted", "gold", "correct"]) show[name](result[name], String(result[name]));
    for (const name of ["precision", "recall", "f1"]) show[name](result[name], num(result[name], 3));
    sentence(
      boards.map(({ tokens: words, corpus }, k) => [String(k), titled(k, corpus, words)]),
      String(model.get("board")),
    );
    kind(
      types.map((name) => [name, name]),
      type,
    );
    level(threshold);
    write(
      ui.code,
      `from gpkl_lib import span_scores; print(span_scores(${pySpans(decided, types)}, ${pySpans(gold, types)}).f1)`,
    );
    ui.say(`${told}. F1 ${num(result.f1, 3)}.`);
  });
}
export default { render };
