// "Fit by KL": one Gaussian for two modes. Which KL is made small decides whether it spreads over both or takes one.

import { choice, follow, frame, handle, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  fixed,
  h,
  KEYS,
  label,
  minus,
  num,
  plot,
  py,
  round,
  set,
  stretched,
  ticks,
  v,
  write,
} from "./kit/kit.js";
import { fitLoss, fitPart, fitStep, forwardKl, logModes, logNormal, reverseKl } from "./maths/distributions.js";

const REACH = 8;
const HEIGHT = 190;
const SMALL = 130;
const POINTS = 161;
const FRAME = { mean: 6, width: [0.3, 5] };
const TRAITS = ["mean", "width", "gap", "direction"];
const NAMES = { forward: "KL(*p* ‖ *q*)", reverse: "KL(*q* ‖ *p*)", symmetric: "KL(*p* ‖ *q*) + KL(*q* ‖ *p*)" };
const xs = Array.from({ length: POINTS }, (_, i) => -REACH + (2 * REACH * i) / (POINTS - 1));
const percent = (x) => (50 * (x + REACH)) / REACH;
const path = (ys, toY) =>
  ys.map((y, i) => `${i ? "L" : "M"}${percent(xs[i]).toFixed(2)} ${toY(y).toFixed(2)}`).join("");
const axis = (svg, y) =>
  svg.append(
    v("line", { x1: "0%", x2: "100%", y1: y, y2: y, class: "gpkl-axis" }),
    ...ticks(-6, 6, 4).map((tick) =>
      v(
        "text",
        { x: `${percent(tick)}%`, y: y + 18, "text-anchor": "middle", class: "gpkl-tick" },
        minus(String(tick)),
      ),
    ),
  );

// A handle that is dragged sideways; the function returned places it.
function sideHandle(svg, options) {
  const holder = v("svg", { class: "gpkl-column" });
  svg.append(holder);
  const place = handle(holder, {
    tone: "vermilion",
    width: 44,
    sideways: true,
    speak: (value) => fixed(value, 2),
    ...options,
  });
  return (x, y) => {
    set(holder, { x: `${percent(x)}%` });
    place(round(y, 0.01));
  };
}

// the target, the Gaussian, and a handle each for its mean and its width
function densitiesPlot(parent, model, stop) {
  const svg = plot(parent, {
    caption: "",
    height: HEIGHT + 24,
    label: "Two densities",
    wide: true,
    inset: [16, 8, 0, 8],
  });
  captionOf(svg).append(
    "drag mean ● and width ◆ of ",
    h("i", { class: "gpkl-var" }, "q"),
    h("span", { class: "gpkl-key gpkl-blue" }, "▬ target p"),
    h("span", { class: "gpkl-key gpkl-vermilion" }, "╍ q"),
  );
  const stage = stretched(HEIGHT);
  const target = v("path", { class: "gpkl-curve gpkl-blue", style: "fill:var(--tone);fill-opacity:.16" });
  const fitted = v("path", { class: "gpkl-curve gpkl-vermilion", style: "stroke-dasharray:8 4" });
  const arm = v("line", { class: "gpkl-rule gpkl-vermilion" });
  stage.append(target, fitted);
  svg.append(stage, arm);
  axis(svg, HEIGHT);
  const by = (name, min, max) => ({
    spec: () => ({ min, max, step: 0.05, pixels: svg.getBoundingClientRect().width / (2 * REACH) }),
    get: () => model.get(name),
    put: (value) => {
      stop();
      put(model, { [name]: value });
    },
  });
  const mean = sideHandle(svg, {
    name: "mean of q",
    shape: "circle",
    ...by("mean", -FRAME.mean, FRAME.mean),
  });
  const width = sideHandle(svg, {
    name: "width of q",
    shape: "diamond",
    ...by("width", FRAME.width[0], FRAME.width[1]),
  });
  let drawn = "";
  let p = [];
  let peak = 0;
  return (m, w, gap) => {
    if (String(gap) !== drawn) {
      p = xs.map((x) => Math.exp(logModes(x, gap)));
      peak = Math.max(...p);
      drawn = String(gap);
    }
    const top = 1.08 * Math.max(peak, Math.exp(logNormal(m, m, w)));
    const toY = (y) => HEIGHT * (1 - y / top);
    set(target, { d: `M0 ${HEIGHT}${path(p, toY).replace("M", "L")}L100 ${HEIGHT}Z` });
    set(fitted, {
      d: path(
        xs.map((x) => Math.exp(logNormal(x, m, w))),
        toY,
      ),
    });
    const edge = Math.min(m + w, REACH);
    const height = toY(Math.exp(logNormal(m + w, m, w)));
    set(arm, { x1: `${percent(m)}%`, x2: `${percent(edge)}%`, y1: height, y2: height });
    mean(m, toY(Math.exp(logNormal(m, m, w))));
    width(edge, height);
  };
}

// where the chosen divergence comes from: its integrand, never negative
function partsPlot(parent) {
  const svg = plot(parent, {
    caption: "what each *x* adds to the divergence",
    height: SMALL + 24,
    label: "Integrand of the divergence",
    inset: [22, 8, 0, 8],
  });
  const stage = stretched(SMALL);
  const area = v("path", {
    class: "gpkl-curve gpkl-purple",
    style: "fill:var(--tone);fill-opacity:.2;stroke-dasharray:none",
  });
  stage.append(area);
  svg.append(stage);
  axis(svg, SMALL);
  return (m, w, gap, direction) => {
    const ys = xs.map((x) => fitPart(x, m, w, gap, direction));
    const top = Math.max(0.1, ...ys) * 1.08;
    set(area, { d: `M0 ${SMALL}${path(ys, (y) => SMALL * (1 - y / top)).replace("M", "L")}L100 ${SMALL}Z` });
  };
}

// the divergence as the mean runs and the width stays
function profilePlot(parent) {
  const svg = plot(parent, {
    caption: "the divergence, as the mean moves and the width stays",
    height: SMALL + 24,
    label: "Divergence against the mean",
    inset: [22, 8, 0, 8],
  });
  const stage = stretched(SMALL);
  const curve = v("path", { class: "gpkl-curve gpkl-green" });
  const dot = v("circle", { r: 6, class: "gpkl-dot gpkl-green" });
  const holder = v("svg", { class: "gpkl-column" }, dot);
  const text = label("", { "text-anchor": "middle", dy: -12 });
  stage.append(curve);
  stage.style.overflow = "hidden";
  holder.append(text);
  svg.append(stage, holder);
  axis(svg, SMALL);
  const means = Array.from({ length: 61 }, (_, i) => -6 + i / 5);
  let drawn = "";
  let toY = (_) => 0;
  return (m, w, gap, direction, now) => {
    const key = `${w} ${gap} ${direction}`;
    if (key !== drawn) {
      const ys = means.map((x) => fitLoss(x, w, gap, direction, 0.25));
      const low = Math.min(...ys);
      const top = Math.min(Math.max(...ys), low + 12);
      const span = Math.max(top - low, 0.5) * 1.1;
      toY = (y) => SMALL * (0.96 - (y - low) / span);
      set(curve, {
        d: ys.map((y, i) => `${i ? "L" : "M"}${percent(means[i]).toFixed(2)} ${toY(y).toFixed(2)}`).join(""),
      });
      drawn = key;
    }
    set(holder, { x: `${percent(m)}%` });
    set(dot, { cy: Math.max(toY(now), 0) });
    set(text, { y: Math.max(toY(now), 0) });
    write(text, num(now, 3));
  };
}

// a button that starts and stops the descent: a few steps a frame, or all at once where motion is not wanted
function descent(parent, model) {
  const button = h("button", { type: "button", class: "gpkl-button", ...KEYS }, "Descend");
  const note = h("span", { class: "gpkl-value" });
  parent.append(
    h(
      "div",
      { class: "gpkl-field" },
      h("span", { class: "gpkl-label" }, "gradient descent"),
      h("div", {}, button, " ", note),
    ),
  );
  let frame = 0;
  let at = null;
  let count = 0;
  const halt = (text) => {
    cancelAnimationFrame(frame);
    frame = 0;
    at = null;
    write(button, "Descend");
    write(note, text);
  };
  const advance = (steps) => {
    for (let k = 0; k < steps; k += 1) {
      const [mean, width, slope] = fitStep(at[0], at[1], model.get("gap"), model.get("direction"), FRAME);
      const still = slope < 1e-7 || (mean === at[0] && width === at[1]);
      at = [mean, width];
      if (still) return true;
      count += 1;
      if (count >= 3000) return true;
    }
    return false;
  };
  const tell = () => put(model, { mean: round(at[0], 1e-4), width: round(at[1], 1e-4) });
  const run = () => {
    const done = advance(2);
    tell();
    if (done) return halt(`${count} steps`);
    write(note, `${count} steps`);
    frame = requestAnimationFrame(run);
    return undefined;
  };
  button.addEventListener("click", () => {
    if (at) return halt(`stopped after ${count}`);
    at = [model.get("mean"), model.get("width")];
    count = 0;
    write(button, "Stop");
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) return run();
    advance(3000);
    tell();
    return halt(`${count} steps`);
  });
  return (text = "") => (at || note.textContent) && halt(text);
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  let stop = () => {};
  const change = (state) => {
    stop();
    put(model, state);
  };
  const ui = frame(el, { kind: "fit-by-kl", title: "Fit by KL", onReset: () => change(first) });
  const densities = densitiesPlot(ui.plots, model, () => stop());
  const parts = partsPlot(ui.plots);
  const profile = profilePlot(ui.plots);
  const tell = readouts(ui.readouts, {
    objective: "made small",
    forward: NAMES.forward,
    reverse: NAMES.reverse,
    symmetric: "their sum",
  });
  const gap = slider(ui.controls, {
    caption: "gap of *p*",
    min: 0,
    max: 8,
    step: 0.1,
    show: (value) => fixed(value, 1),
    put: (value) => change({ gap: value }),
  });
  stop = descent(ui.controls, model);
  ui.controls.style.cssText = "display:flex;flex-wrap:wrap";
  const direction = choice(ui.controls, {
    caption: "make small",
    options: ["forward", "reverse", "symmetric"],
    put: (value) => change({ direction: value }),
  });
  [...ui.controls.children].forEach((field, i) => set(field, { style: `flex:1 1 ${i === 2 ? 14 : 8}rem` }));

  const unfollow = follow(model, TRAITS, () => {
    const [m, w, g, d] = TRAITS.map((name) => model.get(name));
    const forward = forwardKl(m, w, g);
    const reverse = reverseKl(m, w, g);
    const chosen = { forward, reverse, symmetric: forward + reverse }[d];
    densities(m, w, g);
    parts(m, w, g, d);
    profile(m, w, g, d, chosen);
    tell.objective(chosen);
    tell.forward(forward);
    tell.reverse(reverse);
    tell.symmetric(forward + reverse);
    direction(d);
    gap(g);
    write(
      ui.code,
      `from gpkl_lib.explore.fit_by_kl import fit_loss; print(fit_loss(mean=${py(m)}, width=${py(w)}, ` +
        `gap=${py(g)}, direction="${d}"))`,
    );
    ui.say(
      `Mean ${fixed(m, 2)}, width ${fixed(w, 2)}: ${d} ${num(chosen)} nats. KL of p from q ${num(forward)}, of ` +
        `q from p ${num(reverse)}.`,
    );
  });
  return () => {
    stop();
    unfollow();
  };
}
export default { render };
