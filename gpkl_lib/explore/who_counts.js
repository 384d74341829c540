// "Who counts": the spans of an unlabelled sentence by the confidence of the target, what each costs the altered copy,
// and the loss divided by all spans or by those counted, as the threshold moves.

import { choice, dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  ceiling,
  clamp,
  fixed,
  grid,
  h,
  KEYS,
  label,
  num,
  plot,
  py,
  rebuild,
  rich,
  round,
  set,
  stretched,
  v,
  write,
} from "./kit/kit.js";
import { cellAt } from "./maths/board.js";
import {
  confidence,
  countedSpans,
  dividedLoss,
  lossAgainstThreshold,
  netPush,
  shareOfYes,
  targetTerms,
} from "./maths/uda.js";

const FAR = 10; // log-odds
const TOP = 9.2;
const HALF = 84; // pixels
const MANY = 8; // spans listed by name
const CURVE = 150;
const LOW = -6; // powers of ten of the loss
const HIGH = 1;
const TRAITS = ["tokens", "types", "t", "s", "threshold", "temperature", "who"];
const MARKS = [0.5, 0.9, 0.99, 0.999];
const STYLE = `
.gpkl-wc-stems { fill: none; stroke: var(--tone); stroke-width: 1.75; vector-effect: non-scaling-stroke; }
.gpkl-wc-out { stroke-width: 1.25; stroke-dasharray: 2 2; }
.gpkl-who-counts .gpkl-python code { max-height: 6em; overflow-y: auto; }
.gpkl-who-counts .gpkl-python code:focus-visible { outline: 2px solid var(--gpkl-ink); outline-offset: 2px; }
.gpkl-wc-words { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
div.gpkl .gpkl-wc-words :is(td, th) {
  padding: 0.1rem 0.8rem 0.1rem 0; border: 0; text-align: left; font-weight: inherit; overflow-wrap: anywhere;
}
.gpkl-wc-words thead th { color: color-mix(in srgb, var(--gpkl-ink) 80%, var(--gpkl-paper)); }
.gpkl-wc-words tbody tr { color: var(--tone, inherit); }
.gpkl-who-counts .gpkl-readouts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
@container (min-width: 34rem) { .gpkl-who-counts .gpkl-readouts { grid-template-columns: repeat(3, auto); } }
.gpkl-wc-under { margin: -17.5px 14px 0 0; font-size: 13px; line-height: 17.5px; text-align: right; }
`;
const odds = (p) => Math.log(p / (1 - p));
const toThreshold = (z) => Number((1 / (1 + Math.exp(-z))).toFixed(6));
const toX = (z) => (100 * clamp(z, 0, FAR)) / FAR;
const percent = (x) => `${fixed(100 * x, 0)} %`;

// dragging over a plot whose width is the confidence
const across = (svg, model) =>
  dragAcross(svg, (share) => put(model, { threshold: toThreshold(clamp(round(FAR * share, 0.05), 0, TOP)) }));

const ticksBelow = (y) =>
  MARKS.map((p) =>
    v(
      "text",
      { x: `${toX(odds(p))}%`, y, "text-anchor": p === 0.5 ? "start" : "middle", class: "gpkl-tick" },
      String(p),
    ),
  );

// every span at its confidence: yes above the line, no below it, as far from it as the span costs
function stripPanel(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: 2 * HALF,
    label: "Spans by the confidence of the target",
    wide: true,
    inset: [18, 14, 40, 44],
  });
  captionOf(svg).append(
    ...rich("each span at the target's confidence; its height: nats it costs the copy. Drag the threshold *β*"),
  );
  const lines = v("g");
  const zone = v("rect", { y: 0, height: 2 * HALF, class: "gpkl-zone" });
  const edge = v("line", { y1: -8, y2: 2 * HALF + 6, class: "gpkl-hard" });
  const stage = stretched(2 * HALF);
  const stems = ["gpkl-wc-stems gpkl-green", "gpkl-wc-stems gpkl-blue", "gpkl-wc-stems gpkl-wc-out gpkl-grey"].map(
    (name) => v("path", { class: name }),
  );
  stage.append(...stems);
  const place = label("", { y: -8, "text-anchor": "middle" });
  svg.append(
    v("rect", { width: "100%", height: 2 * HALF, class: "gpkl-ground" }),
    zone,
    lines,
    stage,
    edge,
    place,
    ...ticksBelow(2 * HALF + 20),
    label("yes", { x: "0%", dx: 4, y: 14, class: "gpkl-text gpkl-green" }),
    label("no", { x: "0%", dx: 4, y: 2 * HALF - 6, class: "gpkl-text gpkl-blue" }),
  );
  svg.after(h("div", { class: "gpkl-wc-under" }, rich("the target's confidence, from its log-odds |*t*|")));
  across(svg, model);
  return (t, terms, counted, threshold) => {
    const top = ceiling(Math.max(...terms, 1e-3));
    const toY = (value) => HALF * (1 - value / top);
    const paths = ["", "", ""];
    grid(lines, [top, 0, -top], toY, { digits: Math.max(0, Math.ceil(-Math.log10(top))) });
    terms.forEach((term, i) => {
      const up = t[i] > 0 ? 1 : -1;
      const far = up * Math.max((HALF * term) / top, 3);
      paths[counted[i] ? (up > 0 ? 0 : 1) : 2] += `M${toX(Math.abs(t[i])).toFixed(2)} ${HALF}v${(-far).toFixed(1)}`;
    });
    stems.forEach((stem, k) => set(stem, { d: paths[k] }));
    const x = toX(odds(threshold));
    set(zone, { x: `${x}%`, width: `${100 - x}%` });
    set(edge, { x1: `${x}%`, x2: `${x}%` });
    set(place, { x: `${clamp(x, 6, 94)}%` });
    rebuild(place, threshold, () => rich(`*β* = ${num(threshold)}`, v));
  };
}

// both ways of dividing as the threshold runs, on a logarithmic scale
function curvePanel(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: CURVE,
    label: "Loss against the threshold",
    inset: [18, 14, 26, 44],
  });
  const caption = captionOf(svg);
  const kinds = [
    ["sure", "purple", "■ by those counted"],
    ["all", "green", "● by all"],
  ].map(([key, tone, text]) => {
    caption.append(h("span", { class: `gpkl-key gpkl-${tone}` }, text));
    const dot =
      key === "sure"
        ? v("rect", { x: -5, width: 10, height: 10, class: `gpkl-dot gpkl-${tone}` })
        : v("circle", { r: 5, class: `gpkl-dot gpkl-${tone}` });
    return {
      key,
      curve: v("path", { class: `gpkl-curve gpkl-${tone}` }),
      dot,
      holder: v("svg", { class: "gpkl-column" }, dot),
    };
  });
  caption.prepend(...rich("loss as *β* runs:"));
  const lines = v("g");
  const cursor = v("line", { y1: 0, y2: CURVE, class: "gpkl-cursor" });
  const stage = stretched(
    CURVE,
    {},
    kinds.map(({ curve }) => curve),
  );
  svg.append(
    v("rect", { width: "100%", height: CURVE, class: "gpkl-ground" }),
    lines,
    stage,
    cursor,
    ...ticksBelow(CURVE + 18),
    ...kinds.map(({ holder }) => holder),
  );
  across(svg, model);
  const toY = (value) => (CURVE * (HIGH - clamp(Math.log10(value), LOW, HIGH))) / (HIGH - LOW);
  lines.append(
    ...[1, 0, -2, -4, -6].flatMap((power) => {
      const y = toY(10 ** power);
      return [
        v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: "gpkl-grid" }),
        v(
          "text",
          { x: 0, dx: -6, y, dy: "0.32em", class: "gpkl-tick gpkl-end" },
          power < -1 ? `10${power === -2 ? "⁻²" : power === -4 ? "⁻⁴" : "⁻⁶"}` : String(10 ** power),
        ),
      ];
    }),
  );
  const places = Array.from({ length: 47 }, (_, i) => i / 5);
  const thresholds = places.map(toThreshold);
  let drawn = "";
  return (t, terms, yesOnly, threshold, now, key) => {
    if (key !== drawn) {
      // the curves do not depend on the threshold: dragging it costs little
      const found = lossAgainstThreshold(terms, t, thresholds, yesOnly);
      for (const { key: name, curve } of kinds) {
        const last = found.findIndex((one) => !one[name]);
        const shown = last < 0 ? found : found.slice(0, last);
        set(curve, {
          d:
            shown
              .map((one, i) => `${i ? "L" : "M"}${toX(places[i]).toFixed(2)} ${toY(one[name]).toFixed(2)}`)
              .join("") || "M0 0",
        });
      }
      drawn = key;
    }
    const x = `${toX(odds(threshold))}%`;
    set(cursor, { x1: x, x2: x });
    for (const { key: name, dot, holder } of kinds) {
      set(holder, { x, visibility: now[name] ? "visible" : "hidden" });
      set(dot, name === "sure" ? { y: toY(now[name]) - 5 } : { cy: toY(now[name]) });
    }
  };
}

// what the target says yes to, by name, the surest first: a row a span, which changes its sign and never its place
function wordsPanel(parent) {
  const table = h("table", { class: "gpkl-wc-words" });
  const head = ["span", "type", "sure", "counts"].map((name) => h("th", { scope: "col" }, name));
  const body = h("tbody");
  table.append(h("thead", {}, h("tr", {}, head)), body);
  parent.append(
    h(
      "div",
      { class: "gpkl-panel" },
      h("div", { class: "gpkl-label" }, "the spans that the target says yes to, the surest first"),
      table,
    ),
  );
  return (tokens, types, t, counted) => {
    const cells = t.length / types.length;
    const sure = confidence(t);
    const yes = t
      .map((_, i) => i)
      .filter((i) => t[i] > 0)
      .sort((a, b) => t[b] - t[a]);
    rebuild(body, [tokens, types, yes.map((i) => [i, counted[i], sure[i]])], () => {
      const rows = yes.slice(0, MANY).map((i) => {
        const [a, b] = cellAt(i % cells, tokens.length);
        const values = [types[Math.floor(i / cells)], fixed(sure[i], 2), counted[i] ? "✓" : "○"];
        return h(
          "tr",
          { class: `gpkl-${counted[i] ? "green" : "grey"}` },
          h("th", { scope: "row" }, tokens.slice(a, b + 1).join(" ")),
          values.map((value) => h("td", {}, value)),
        );
      });
      const more = yes.length > MANY ? `… and ${yes.length - MANY} more` : yes.length ? "" : "none";
      return more ? [...rows, h("tr", {}, h("td", { colspan: 4 }, more))] : rows;
    });
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, { kind: "who-counts", title: "Who counts", onReset: () => put(model, first), style: STYLE });
  set(ui.code, { tabindex: 0, ...KEYS }); // hundreds of scores: it scrolls, by the keyboard too
  const strip = stripPanel(ui.plots, model);
  const curves = curvePanel(ui.plots, model);
  const words = wordsPanel(ui.plots);
  const show = readouts(ui.readouts, {
    counted: "spans counted",
    yes: "of them a yes",
    from_yes: "of the loss, from a yes",
    by_all: "loss divided by all",
    by_sure: "loss divided by those counted",
    push: "push on all scores (+ is down)",
  });
  const level = slider(ui.controls, {
    caption: "threshold *β*",
    min: 0,
    max: TOP,
    step: 0.05,
    toValue: toThreshold,
    fromValue: (p) => round(odds(p), 0.05),
    show: (value) => num(value),
    put: (value) => put(model, { threshold: value }),
  });
  const heat = slider(ui.controls, {
    caption: "temperature *T* of the target",
    min: Math.log10(0.05),
    max: Math.log10(20),
    step: 0.01,
    toValue: (p) => clamp(Number((10 ** p).toPrecision(3)), 0.05, 20),
    fromValue: Math.log10,
    show: (value) => String(value),
    put: (value) => put(model, { temperature: value }),
  });
  const may = choice(ui.controls, {
    caption: "who may count",
    options: ["every span", "yes only"],
    put: (value) => put(model, { who: value }),
  });
  let terms = [];
  let of = "";
  return follow(model, TRAITS, () => {
    const [tokens, types, rowsT, rowsS, threshold, T, who] = TRAITS.map((name) => model.get(name));
    const t = rowsT.flat();
    const s = rowsS.flat();
    const yesOnly = who === "yes only";
    const key = `${T} ${JSON.stringify([rowsT, rowsS])}`;
    if (t.length !== s.length) return; // half of a change has come
    if (key !== of) [terms, of] = [targetTerms(s, t, T), key];
    const counted = countedSpans(t, threshold, yesOnly);
    const now = dividedLoss(terms, counted);
    const many = counted.filter(Boolean).length;
    const yes = counted.filter((one, i) => one && t[i] > 0).length;
    const all = t.filter((x) => x > 0).length;
    const part = shareOfYes(terms, counted, t);
    strip(t, terms, counted, threshold);
    curves(t, terms, yesOnly, threshold, now, `${key} ${who}`);
    words(tokens, types, t, counted);
    show.counted(many, `${many} of ${t.length}`);
    show.yes(yes, `${yes} of ${all}`);
    show.from_yes(part, percent(part));
    show.by_all(now.all, num(now.all, 6));
    show.by_sure(now.sure, num(now.sure, 6));
    show.push(netPush(s, t, T, counted));
    level(threshold);
    heat(T);
    may(who);
    write(
      ui.code,
      `import torch; from gpkl_lib import uda_loss; s = torch.tensor([${s.map(py).join(", ")}], ` +
        `dtype=torch.float64); t = torch.tensor([${t.map(py).join(", ")}], dtype=torch.float64); ` +
        `print(uda_loss(s, t, activation="sigmoid", mask=${yesOnly ? "t > 0" : "None"}, temperature=${py(T)}, ` +
        `threshold=${py(threshold)}, reduction="mean_confident").loss.item())`,
    );
    ui.say(
      `Threshold ${num(threshold)}, T ${T}, ${who}: ${many} of ${t.length} spans count, ${yes} of ${all} that ` +
        `say yes; loss by all ${num(now.all)}, by those counted ${num(now.sure)}.`,
    );
  });
}
export default { render };
