// "Same divergence, other decisions": a recorded board of span scores in two views. Move one of them by c: what is
// decoded from it changes, and the divergence with softmax over the cells does not.

import { choice, dragAcross, follow, frame, handle, menu, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  ceiling,
  clamp,
  fixed,
  grid,
  h,
  label,
  minus,
  num,
  plot,
  pool,
  py,
  pyTensor,
  rebuild,
  rich,
  round,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { boardDivergence, decided, flipped } from "./maths/family.js";

const REACH = 12;
const SCALE = 14;
const HEIGHT = 224;
const CURVE = 130;
const TRAITS = ["tokens", "types", "s", "t", "kind", "second", "shift"];
// t + c rounds in the last digit, which leaves a D of 1e-31 where the truth is 0
const nats = (value) => num(value < 1e-24 ? 0 : value);
const toX = (c) => (50 * (c + REACH)) / REACH;
const cells = (L) => Array.from({ length: L }, (_, i) => Array.from({ length: L - i }, (_, k) => [i, i + k])).flat();

// every candidate's score in both views, and the second column to drag
function scores(parent, model) {
  const svg = plot(parent, {
    caption: "scores of all spans in *s* ● and *t* + *c* ◆: drag *c*",
    height: HEIGHT,
    label: "Scores of both views",
    inset: [20, 14, 44, 34],
  });
  const lines = v("g");
  const links = v("g");
  const left = v("g");
  const right = v("g");
  const toY = (value) => (HEIGHT * (SCALE - clamp(value, -SCALE, SCALE))) / (2 * SCALE);
  const names = [
    ["*s*", "25%"],
    ["*t* + *c*", "75%"],
  ].map(([text, x]) => label(text, { x, y: HEIGHT + 19, "text-anchor": "middle" }));
  const below = ["25%", "75%"].map((x) =>
    label("", { x, y: HEIGHT + 37, "text-anchor": "middle", class: "gpkl-tick" }),
  );
  const zone = v("rect", { x: "0%", width: "100%", y: 0, height: HEIGHT / 2, class: "gpkl-zone" });
  svg.append(
    zone,
    lines,
    label("above 0: a span", { x: "0%", dx: 6, y: 15, class: "gpkl-text gpkl-vermilion" }),
    links,
    left,
    right,
    ...names,
    ...below,
  );
  grid(lines, ticks(-SCALE, SCALE, 6), toY);
  const holder = v("svg", { x: "92%", class: "gpkl-column" });
  svg.append(
    v("line", { x1: "92%", x2: "92%", y1: toY(REACH), y2: toY(-REACH), class: "gpkl-axis" }),
    holder,
    label("*c*", { x: "92%", y: HEIGHT + 19, "text-anchor": "middle" }),
  );
  const knob = handle(holder, {
    name: "t + c",
    shape: "diamond",
    tone: "vermilion",
    width: 44,
    get: () => model.get("shift"),
    put: (value) => put(model, { shift: value }),
    spec: () => ({ min: -REACH, max: REACH, step: 0.1, pixels: HEIGHT / (2 * SCALE) }),
  });
  return (s, t, c) => {
    const moved = t.map((value) => value + c);
    pool(
      links,
      s,
      () => v("line", { x1: "25%", x2: "75%" }),
      (line, a, i) =>
        set(line, {
          y1: toY(a),
          y2: toY(moved[i]),
          visibility: "visible",
          class: a > 0 !== moved[i] > 0 ? "gpkl-rule gpkl-ink" : "gpkl-grid",
        }),
    );
    pool(
      left,
      s,
      () => v("circle", { cx: "25%", r: 4, class: "gpkl-dot gpkl-blue" }),
      (dot, a) => set(dot, { cy: toY(a), visibility: a < -SCALE ? "hidden" : "visible" }),
    );
    pool(
      right,
      moved,
      () =>
        v(
          "svg",
          { x: "75%", class: "gpkl-column" },
          v("path", { d: "M0-6 6 0 0 6-6 0Z", class: "gpkl-dot gpkl-vermilion" }),
        ),
      (dot, b) => set(dot, { y: toY(b), visibility: b < -SCALE ? "hidden" : "visible" }),
    );
    [s, moved].forEach((view, k) =>
      write(below[k], `${view.filter((x) => x < -SCALE).length} below ${minus(String(-SCALE))}`),
    );
    knob(toY(c));
  };
}

// both boards in one square: above the diagonal s, from row to column; below it t + c, mirrored. Equal decisions are
// symmetric.
function board(parent) {
  const svg = plot(parent, {
    caption: "the boards: *s* above the diagonal, *t* + *c* mirrored below; outlined: decided otherwise",
    height: HEIGHT,
    label: "Boards of both views",
    inset: [20, 14, 44, 34],
  });
  const stage = v("g");
  svg.append(stage);
  let made = 0;
  let parts = [];
  return (tokens, views) => {
    const L = tokens.length;
    const wide = 100 / (L + 1);
    const tall = HEIGHT / (L + 1);
    if (made !== L) {
      parts = [0, 1].map((k) =>
        cells(L).map(([i, j]) => {
          const [row, column] = k ? [j + 1, i] : [i, j + 1];
          const at = { x: `${wide * column}%`, y: tall * row, width: `${wide}%`, height: tall };
          return ["gpkl-grid", `gpkl-bar gpkl-${k ? "vermilion" : "blue"}`, "gpkl-unequal"].map((name, layer) =>
            v("rect", { ...at, class: name, ...(layer ? {} : { fill: "none" }) }),
          );
        }),
      );
      const marks = [
        ["*s*", "blue"],
        ["*t* + *c*", "vermilion"],
      ].map(([text, tone], k) =>
        label(text, {
          x: k ? 0 : "100%",
          dx: k ? 4 : -4,
          y: k ? HEIGHT + 18 : -5,
          class: `gpkl-text gpkl-${tone}${k ? "" : " gpkl-end"}`,
        }),
      );
      stage.replaceChildren(...[0, 1, 2].flatMap((layer) => parts.flat().map((part) => part[layer])), ...marks);
      made = L;
    }
    const sets = views.map((view) => new Set(view));
    parts.forEach((half, k) =>
      half.forEach(([, fill, ring], cell) => {
        set(fill, { visibility: sets[k].has(cell) ? "visible" : "hidden" });
        set(ring, { visibility: sets[0].has(cell) !== sets[1].has(cell) ? "visible" : "hidden" });
      }),
    );
  };
}

// what is decoded, as text; a span that the other view lacks says so
function texts(parent) {
  const lists = [
    ["*s* ●", "blue"],
    ["*t* + *c* ◆", "vermilion"],
  ].map(([text, tone]) => {
    const items = h("span");
    parent.append(
      h("div", { class: `gpkl-${tone}` }, h("span", { class: "gpkl-label" }, "decoded from ", rich(text), ": "), items),
    );
    return items;
  });
  return (tokens, views) =>
    views.forEach((view, k) =>
      rebuild(lists[k], [tokens, views], () => {
        const places = cells(tokens.length);
        const other = new Set(views[1 - k]);
        const shown = view.slice(0, 8).flatMap((cell, n) => {
          const [i, j] = places[cell];
          const text = tokens.slice(i, j + 1).join(" ");
          return [n ? "; " : "", other.has(cell) ? text : h("b", {}, `${text} (only here)`)];
        });
        return [...(view.length ? shown : ["nothing"]), view.length > 8 ? ` … and ${view.length - 8} more` : ""];
      }),
    );
}

// both divergences as c runs: with softmax a level line, with sigmoid a valley
function curves(parent, model) {
  const svg = plot(parent, {
    caption: "",
    height: CURVE,
    label: "Divergence against the shift",
    wide: true,
    inset: [24, 14, 26, 46],
  });
  const lines = v("g");
  const stage = stretched(CURVE);
  const cursor = v("line", { y1: -6, y2: CURVE, class: "gpkl-cursor" });
  const place = label("", { y: -10, "text-anchor": "middle" });
  const caption = captionOf(svg);
  caption.append(...rich("*D*(*s*, *t* + *c*) as *c* runs:"));
  const kinds = ["softmax", "sigmoid"].map((name, k) => {
    const tone = k ? "gpkl-purple" : "gpkl-green";
    const curve = v("path", { class: `gpkl-curve ${tone}` });
    const dot = k
      ? v("rect", { x: -5, width: 10, height: 10, class: `gpkl-dot ${tone}` })
      : v("circle", { r: 5.5, class: `gpkl-dot ${tone}` });
    stage.append(curve);
    caption.append(h("span", { class: `gpkl-key ${tone}` }, `${k ? "■" : "●"} ${name}`));
    return { name, curve, dot, holder: v("svg", { class: "gpkl-column" }, dot) };
  });
  const axis = ticks(-REACH, REACH, 6).map((tick) =>
    v("text", { x: `${toX(tick)}%`, y: CURVE + 18, "text-anchor": "middle", class: "gpkl-tick" }, minus(String(tick))),
  );
  svg.append(
    v("rect", { width: "100%", height: CURVE, class: "gpkl-ground" }),
    lines,
    stage,
    cursor,
    place,
    ...axis,
    ...kinds.map((kind) => kind.holder),
  );
  dragAcross(svg, (share) => put(model, { shift: round(clamp(REACH * (2 * share - 1), -REACH, REACH), 0.1) }));
  const cs = Array.from({ length: 49 }, (_, i) => (REACH * (i - 24)) / 24);
  let drawn = "";
  let toY = null;
  return (s, t, c, now) => {
    const key = JSON.stringify([s, t]);
    if (key !== drawn) {
      // the curves do not depend on c: moving it costs little
      const all = kinds.map(({ name }) => cs.map((value) => boardDivergence(s, t, value, name)));
      const top = ceiling(Math.max(...all.flat(), 0.1));
      toY = (value) => CURVE * (1 - value / top);
      grid(lines, [0, top / 2, top], toY, { digits: top < 10 ? 1 : 0 });
      kinds.forEach(({ curve }, k) =>
        set(curve, {
          d: all[k].map((y, i) => `${i ? "L" : "M"}${toX(cs[i]).toFixed(2)} ${toY(y).toFixed(2)}`).join(""),
        }),
      );
    }
    drawn = key;
    set(cursor, { x1: `${toX(c)}%`, x2: `${toX(c)}%` });
    set(place, { x: `${toX(c)}%` });
    rebuild(place, c, () => rich(`*c* = ${fixed(c, 1)}`, v));
    kinds.forEach(({ dot, holder }, k) => {
      set(holder, { x: `${toX(c)}%` });
      set(dot, k ? { y: toY(now[k]) - 5 } : { cy: toY(now[k]) });
    });
  };
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "other-decisions",
    title: "Same divergence, other decisions",
    onReset: () => put(model, first),
  });
  const strip = scores(ui.plots, model);
  const square = board(ui.plots);
  const words = h("div", { class: "gpkl-panel gpkl-wide" });
  ui.plots.append(words);
  words.append(h("div", { class: "gpkl-label" }, h("i", {}, first.tokens.join(" "))));
  const decoded = texts(words);
  const both = curves(ui.plots, model);
  const show = readouts(ui.readouts, {
    softmax: "softmax over the board: *D*",
    sigmoid: "sigmoid: *D*",
    flipped: "decisions that differ",
    decided: "spans of *t* + *c* (of *s*)",
  });
  const kind = menu(ui.controls, "span type", (value) => put(model, { kind: value }));
  const second = choice(ui.controls, {
    caption: "second view *t*",
    options: ["same", "dropout"],
    put: (value) => put(model, { second: value }),
  });
  const shift = slider(ui.controls, {
    caption: "shift *c* of *t*",
    min: -REACH,
    max: REACH,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => put(model, { shift: value }),
  });

  return follow(model, TRAITS, () => {
    const [tokens, types, all, others, type, which, c] = TRAITS.map((name) => model.get(name));
    const row = types.indexOf(type);
    const s = all[row];
    const t = (which === "same" ? all : others)[row];
    const now = [boardDivergence(s, t, c, "softmax"), boardDivergence(s, t, c, "sigmoid")];
    const views = [decided(s), decided(t, c)];
    const changed = flipped(s, t, c);
    strip(s, t, c);
    decoded(tokens, views);
    square(tokens, views);
    both(s, t, c, now);
    show.softmax(now[0], nats(now[0]));
    show.sigmoid(now[1], nats(now[1]));
    show.flipped(changed, String(changed));
    show.decided(views[1].length, `${views[1].length} (${views[0].length})`);
    kind(
      types.map((name) => [name, name]),
      type,
    );
    second(which);
    shift(c);
    write(
      ui.code,
      `import torch; from gpkl_lib import symmetric_kl; s = ${pyTensor(s)}; ` +
        `print(symmetric_kl(s, ${which === "same" ? "s" : pyTensor(t)} + ${py(c)}, activation="sigmoid").item())`,
    );
    ui.say(
      `${type}, c ${fixed(c, 1)}: softmax D ${nats(now[0])}, sigmoid D ${nats(now[1])}; ${changed} decisions differ.`,
    );
  });
}
export default { render };
