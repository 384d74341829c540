// "Temperature of a teacher": every span of a sentence, scored by a teacher and by a student. Heat decides which of
// them pull.

import { dragAcross, follow, frame, handle, menu, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  clamp,
  fixed,
  grid,
  h,
  label,
  minus,
  num,
  pattern,
  plot,
  pool,
  py,
  pyTensor,
  rebuild,
  rich,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { sigmoid } from "./maths/core.js";
import { groupsOf, hotPull, pullOn, pullShares, sharesOf, softLoss, squaredLimit } from "./maths/teacher.js";

const TRAITS = ["tokens", "types", "teacher", "student", "gold", "kind", "temperature"];
const HEIGHT = 252;
const LOW = 150;
const TOP = 12;
const BORDER = -5;
const COLD = -1;
const HOT = 3;
const TONES = ["green", "blue", "vermilion"];
const NAMES = ["gold", "open", "far below 0"];
const MARKS = ["●", "■", "▨"];
const three = (value) => clamp(Number(value.toPrecision(3)), 10 ** COLD, 10 ** HOT);
const spoken = (T) => String(three(T));
const best = (t) => t.reduce((found, value, i) => (value > t[found] ? i : found), 0);
const floorOf = (s, t) => -clamp(12 * Math.ceil(Math.max(12, -Math.min(...s, ...t)) / 12), 24, 72);
const toX = (T) => (92 * (Math.log10(T) - COLD)) / (HOT - COLD); // the last 8 % of the width stand for the limit

// both columns of scores; the span that the teacher scores highest can be dragged on the student's side
function scoreColumns(parent, model, now) {
  const svg = plot(parent, {
    caption: "scores of all spans, joined by lines as thick as the pull: drag the student’s ◆",
    height: HEIGHT,
    label: "Scores of teacher and student",
    inset: [20, 14, 44, 34],
  });
  const lines = v("g");
  const links = v("g");
  const left = v("g");
  const right = v("g");
  const holder = v("svg", { x: "74%", class: "gpkl-column" });
  const names = [
    ["teacher *t*", "24%"],
    ["student *s*", "74%"],
  ].map(([text, x]) => label(text, { x, y: HEIGHT + 19, "text-anchor": "middle" }));
  const below = ["24%", "74%"].map((x) =>
    label("", { x, y: HEIGHT + 37, "text-anchor": "middle", class: "gpkl-tick" }),
  );
  svg.append(lines, links, left, right, ...names, ...below, holder);
  const toY = (value) => (HEIGHT * (TOP - clamp(value, now().floor, TOP))) / (TOP - now().floor);
  const knob = handle(holder, {
    name: "student's score of the teacher's best span",
    shape: "diamond",
    tone: "ink",
    width: 44,
    get: () => now().s[now().cell],
    put: (value) => {
      const { row, cell } = now();
      const board = model.get("student").map((scores) => [...scores]);
      board[row][cell] = value;
      put(model, { student: board });
    },
    spec: () => ({ min: now().floor, max: TOP, step: 0.1, pixels: HEIGHT / (TOP - now().floor) }),
  });
  const off = (value) => value < now().floor || value > TOP;
  return ({ s, t, floor, cell, groups, pulls }) => {
    grid(lines, ticks(floor, TOP, 6), toY);
    const most = Math.max(...pulls.map(Math.abs)) || 1;
    pool(
      links,
      s,
      () => v("line", { x1: "24%", x2: "74%" }),
      (line, a, i) => {
        const share = Math.abs(pulls[i]) / most;
        set(line, {
          y1: toY(t[i]).toFixed(1),
          y2: toY(a).toFixed(1),
          visibility: "visible",
          class: share > 0.004 ? `gpkl-rule gpkl-${TONES[groups[i]]}` : "gpkl-grid",
          style: share > 0.004 ? `stroke-width:${(0.5 + 6 * share).toFixed(1)}px` : "",
        });
      },
    );
    pool(
      left,
      t,
      () => v("circle", { cx: "24%", r: 4 }),
      (dot, b, i) =>
        set(dot, {
          cy: toY(b).toFixed(1),
          class: `gpkl-dot gpkl-${TONES[groups[i]]}`,
          visibility: off(b) ? "hidden" : "visible",
        }),
    );
    pool(
      right,
      s,
      () => v("svg", { x: "74%", class: "gpkl-column" }, v("path", { d: "M0-5.5 5.5 0 0 5.5-5.5 0Z" })),
      (dot, a, i) => {
        set(dot, { y: toY(a).toFixed(1), visibility: off(a) || i === cell ? "hidden" : "visible" });
        set(dot.firstElementChild, { class: `gpkl-dot gpkl-${TONES[groups[i]]}` });
      },
    );
    [t, s].forEach((column, k) => {
      const lost = column.filter((value) => value < floor).length;
      write(below[k], lost ? `${lost} below ${minus(String(floor))}` : "");
    });
    knob(toY(s[cell]));
  };
}

// what the student is shown: the teacher's decisions at T, on the graph of the sigmoid
function shown(parent) {
  const svg = plot(parent, {
    caption: "what the teacher says at *T*: *σ*(*t*/*T*)",
    height: HEIGHT,
    label: "Soft decisions of the teacher",
    inset: [20, 14, 44, 34],
  });
  const lines = v("g");
  const axis = v("g");
  const dots = v("g");
  const curve = v("path", { class: "gpkl-curve gpkl-ink" });
  const stage = stretched(HEIGHT, {}, curve);
  svg.append(
    lines,
    stage,
    axis,
    dots,
    label("score of the teacher", { x: "50%", y: HEIGHT + 37, "text-anchor": "middle", class: "gpkl-tick" }),
  );
  const toY = (share) => HEIGHT * (1 - share);
  return ({ t, T, floor, groups }) => {
    const across = (x) => (100 * (clamp(x, floor, TOP) - floor)) / (TOP - floor);
    const xs = Array.from({ length: 121 }, (_, i) => floor + ((TOP - floor) * i) / 120);
    grid(lines, [0, 0.5, 1], toY, { strong: 0.5, digits: 1 });
    rebuild(axis, floor, () =>
      ticks(floor, TOP, 5).map((tick) =>
        v(
          "text",
          { x: `${across(tick)}%`, y: HEIGHT + 18, "text-anchor": "middle", class: "gpkl-tick" },
          minus(String(tick)),
        ),
      ),
    );
    set(curve, {
      d: xs.map((x, i) => `${i ? "L" : "M"}${across(x).toFixed(2)} ${toY(sigmoid(x / T)).toFixed(2)}`).join(""),
    });
    pool(
      dots,
      t,
      () => v("circle", { r: 4 }),
      (dot, b, i) =>
        set(dot, {
          cx: `${across(b).toFixed(2)}%`,
          cy: toY(sigmoid(b / T)).toFixed(1),
          visibility: "visible",
          class: `gpkl-dot gpkl-${TONES[groups[i]]}`,
        }),
    );
  };
}

// whose pull it is, as T runs, and in the limit
function shares(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: LOW,
    label: "Shares of the pull against T",
    wide: true,
    inset: [24, 14, 26, 46],
  });
  const hatch = pattern(svg, "gpkl-vermilion");
  const lines = v("g");
  const cursor = v("line", { y1: -6, y2: LOW, class: "gpkl-cursor" });
  const place = label("", { y: -10, "text-anchor": "middle" });
  captionOf(svg).append(
    ...rich("whose pull it is, in per cent, as *T* runs, and in the limit:"),
    ...NAMES.map((name, k) => h("span", { class: `gpkl-key gpkl-${TONES[k]}` }, `${MARKS[k]} ${name}`)),
  );
  const stage = stretched(LOW);
  const paint = (k) =>
    k === 2 ? { fill: hatch } : { class: `gpkl-bar gpkl-${TONES[k]}`, "fill-opacity": k ? 0.45 : 0.75 };
  const areas = NAMES.map((_, k) => v("path", paint(k)));
  const bars = NAMES.map((_, k) => v("rect", { x: "94%", width: "6%", ...paint(k) }));
  const edges = [0, 1].map((k) => v("path", { class: `gpkl-curve gpkl-${TONES[2 * k]}` }));
  stage.append(...edges);
  const filled = stretched(LOW, {}, areas);
  const axis = [...[0.1, 1, 10, 100].map((T) => ({ text: String(T), x: toX(T) })), { text: "∞", x: 97 }].map(
    ({ text, x }) => v("text", { x: `${x}%`, y: LOW + 18, "text-anchor": "middle", class: "gpkl-tick" }, text),
  );
  svg.append(
    v("rect", { width: "100%", height: LOW, class: "gpkl-ground" }),
    filled,
    ...bars,
    lines,
    stage,
    cursor,
    place,
    ...axis,
  );
  dragAcross(svg, (share) =>
    put(model, { temperature: three(10 ** (COLD + (HOT - COLD) * clamp(share / 0.92, 0, 1))) }),
  );
  const Ts = Array.from({ length: 49 }, (_, i) => 10 ** (COLD + ((HOT - COLD) * i) / 48));
  const toY = (share) => LOW * (1 - share / 100);
  grid(lines, [0, 50, 100], toY);
  let drawn = "";
  return ({ s, t, T, groups }) => {
    const key = JSON.stringify([s, t, groups]);
    if (key !== drawn) {
      // the areas do not depend on T: moving it costs little
      const at = Ts.map((one) => pullShares(s, t, groups, one));
      const limit = sharesOf(
        s.map((a, i) => hotPull(a, t[i])),
        groups,
      );
      const levels = (parts) => [0, parts[0], parts[0] + parts[1], parts[0] + parts[1] + parts[2]].map(toY);
      const all = at.map(levels);
      const end = levels(limit);
      const xs = Ts.map((one) => toX(one).toFixed(2));
      const path = (k) => xs.map((x, i) => `${x} ${all[i][k].toFixed(2)}`);
      areas.forEach((area, k) =>
        set(area, {
          d: `M${path(k).join("L")}L${path(k + 1)
            .reverse()
            .join("L")}Z`,
        }),
      );
      edges.forEach((edge, k) => set(edge, { d: `M${path(k + 1).join("L")}` }));
      bars.forEach((bar, k) => set(bar, { y: end[k + 1], height: Math.max(0, end[k] - end[k + 1]) }));
    }
    drawn = key;
    set(cursor, { x1: `${toX(T)}%`, x2: `${toX(T)}%` });
    set(place, { x: `${clamp(toX(T), 8, 92)}%` });
    rebuild(place, T, () => rich(`*T* = ${spoken(T)}`, v));
  };
}

function picture(model) {
  const [tokens, types, teacher, student, gold, kind, T] = TRAITS.map((name) => model.get(name));
  const row = types.indexOf(kind);
  const s = student[row];
  const t = teacher[row];
  const groups = groupsOf(s, t, gold[row], BORDER);
  return {
    tokens,
    row,
    s,
    t,
    T,
    kind,
    groups,
    cell: best(t),
    floor: floorOf(s, t),
    pulls: s.map((a, i) => pullOn(a, t[i], T)),
  };
}

function spanText(tokens, cell) {
  let i = 0;
  let left = cell;
  for (; left >= tokens.length - i; i += 1) left -= tokens.length - i;
  return tokens.slice(i, i + left + 1).join(" ");
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "temperature-of-a-teacher",
    title: "Temperature of a teacher",
    onReset: () => put(model, first),
  });
  let now = picture(model);
  /** @type {((now: any) => void)[]} */
  const draw = [scoreColumns(ui.plots, model, () => now), shown(ui.plots)];
  const words = h("div", { class: "gpkl-panel gpkl-wide" });
  const span = h("b");
  words.append(
    h("div", { class: "gpkl-label" }, h("i", {}, first.tokens.join(" "))),
    h("div", { class: "gpkl-label" }, "to drag, the teacher’s best span: ", span),
  );
  ui.plots.append(words);
  draw.push(shares(ui.plots, model));
  const show = readouts(ui.readouts, {
    loss: "loss *T*² KL",
    limit: "its limit, squares / 8",
    gold: "pull on gold spans",
    open: "on open ones",
    far: "on spans far below 0",
  });
  const T = slider(ui.controls, {
    caption: "temperature *T*",
    min: COLD,
    max: HOT,
    step: 0.01,
    show: spoken,
    toValue: (p) => three(10 ** p),
    fromValue: Math.log10,
    put: (value) => put(model, { temperature: value }),
  });
  const kind = menu(ui.controls, "span type", (value) => put(model, { kind: value }));

  return follow(model, TRAITS, () => {
    now = picture(model);
    for (const part of draw) part(now);
    const loss = softLoss(now.s, now.t, now.T);
    const parts = sharesOf(now.pulls, now.groups);
    show.loss(loss);
    show.limit(squaredLimit(now.s, now.t));
    ["gold", "open", "far"].forEach((name, k) => show[name](parts[k], `${fixed(parts[k], 1)} %`));
    write(span, `${spanText(now.tokens, now.cell)} (${now.kind})`);
    T(now.T);
    kind(
      first.types.map((name) => [name, name]),
      now.kind,
    );
    write(
      ui.code,
      `import torch; from gpkl_lib import distillation_loss; s = ${pyTensor(now.s)}; t = ${pyTensor(now.t)}; ` +
        `print(distillation_loss(s, t, activation="sigmoid", temperature=${py(now.T)}, reduction="sum").item())`,
    );
    ui.say(
      `${now.kind}, T ${spoken(now.T)}: loss ${num(loss)}; pull on gold ${fixed(parts[0], 1)} %, on open ` +
        `${fixed(parts[1], 1)} %, on far spans ${fixed(parts[2], 1)} %.`,
    );
  });
}
export default { render };
