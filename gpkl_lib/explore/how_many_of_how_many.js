// "How many of how many?": more keys, and as many relevant ones or as large a share: which scale keeps their mass?

import { choice, dragAcross, follow, frame, put, readouts, slider } from "./kit/controls.js";
import {
  captionOf,
  clamp,
  columns,
  fixed,
  grid,
  h,
  label,
  num,
  plot,
  py,
  rich,
  set,
  stretched,
  v,
  write,
} from "./kit/kit.js";
import { leadForMass, relevantKeys, relevantMass } from "./maths/many.js";

const REFERENCE = 64;
const LOW = 6;
const HIGH = 16;
const HEIGHT = 200;
const BARS = 150;
const MOST = 25; // of lambda m: log n at 65,536 with the largest mass
const TRAITS = ["length", "relevant", "share", "mass"];
const GROWS = ["fixed number", "fixed share"];
const RULES = [
  { key: "fixed", name: "fixed", text: "◆ fixed", tone: "gpkl-vermilion", dash: "9 4" },
  { key: "log", name: "log *n*", text: "● log *n*", tone: "gpkl-blue", dash: "none" },
  { key: "exact", name: "exact", text: "■ exact", tone: "gpkl-green", dash: "2 4" },
];
const POWERS = Array.from({ length: 41 }, (_, i) => LOW + i / 4);
const toX = (power) => (100 * (power - LOW)) / (HIGH - LOW);
const toY = (mass) => HEIGHT * (1 - mass);
const lengthAt = (power) => Math.round(2 ** power);

// lambda m of the three rules at n keys
function leadsAt(n, k, share, mass) {
  const start = leadForMass(REFERENCE, k, mass);
  const exact = leadForMass(n, relevantKeys(n, k, share), mass);
  return [start, (start * Math.log(n)) / Math.log(REFERENCE), exact];
}

// the mass over n, a curve for each rule; drag across for n
function massPlot(parent, model) {
  const svg = plot(parent, {
    caption: "mass on the relevant keys over *n*: drag across.",
    height: HEIGHT + 26,
    label: "Mass over the number of keys",
    wide: true,
    inset: [8, 22, 4, 34],
  });
  captionOf(svg).append(...RULES.map(({ text, tone }) => h("span", { class: `gpkl-key ${tone}` }, rich(text))));
  const lines = v("g");
  const stage = stretched(HEIGHT);
  const curves = RULES.map(({ tone, dash }) =>
    v("path", { class: `gpkl-curve ${tone}`, style: `stroke-dasharray:${dash}` }),
  );
  stage.append(...curves);
  grid(lines, [0, 0.25, 0.5, 0.75, 1], toY, { digits: 2 });
  const axis = [6, 8, 10, 12, 14, 16].map((power) =>
    v("text", { x: `${toX(power)}%`, y: HEIGHT + 18, "text-anchor": "middle", class: "gpkl-tick" }, String(2 ** power)),
  );
  const cursor = v("line", { y1: -2, y2: HEIGHT, class: "gpkl-cursor" });
  const marks = RULES.map(({ tone }) => v("path", { class: `gpkl-dot ${tone}` }));
  const holder = v("svg", { class: "gpkl-column" }, ...marks);
  svg.append(
    v("rect", { width: "100%", height: HEIGHT + 26, class: "gpkl-ground" }),
    lines,
    stage,
    cursor,
    ...axis,
    holder,
  );
  dragAcross(svg, (place) => put(model, { length: lengthAt(LOW + (HIGH - LOW) * clamp(place, 0, 1)) }));
  const shapes = ["M0-7 7 0 0 7-7 0Z", "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1-5 0Z", "M-5-5H5V5H-5Z"];
  return (rows, n, masses) => {
    curves.forEach((curve, rule) =>
      set(curve, {
        d: rows.map((row, i) => `${i ? "L" : "M"}${toX(POWERS[i]).toFixed(2)} ${toY(row[rule]).toFixed(2)}`).join(""),
      }),
    );
    const x = `${toX(Math.log2(n))}%`;
    set(cursor, { x1: x, x2: x });
    set(holder, { x });
    marks.forEach((mark, rule) => set(mark, { d: shapes[rule], transform: `translate(0 ${toY(masses[rule])})` }));
  };
}

// three bars with their numbers, up to `most`
function barsPlot(parent, { caption, name, most, ticks, digits, shown }) {
  const svg = plot(parent, { caption, height: BARS, label: name, inset: [20, 4, 28, 34] });
  const lines = v("g");
  const stage = v("g");
  svg.append(lines, stage);
  const at = (value) => (BARS * (most - Math.min(value, most))) / most;
  grid(lines, ticks, at, { digits });
  const parts = columns(stage, RULES.length, (group, i) => {
    const bar = v("rect", { x: "-9%", width: "18%", class: `gpkl-bar ${RULES[i].tone}` });
    const text = label("", { "text-anchor": "middle", class: "gpkl-text" });
    group.append(bar, text, label(RULES[i].name, { y: BARS + 20, "text-anchor": "middle" }));
    return { bar, text };
  });
  return (values) =>
    parts.forEach(({ bar, text }, i) => {
      set(bar, { y: at(values[i]), height: BARS - at(values[i]) });
      set(text, { y: at(values[i]) - 6 });
      write(text, fixed(values[i], shown));
    });
}

function render({ model, el }) {
  const first = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const ui = frame(el, {
    kind: "how-many-of-how-many",
    title: "How many of how many?",
    onReset: () => put(model, first),
  });
  const curves = massPlot(ui.plots, model);
  const masses = barsPlot(ui.plots, {
    caption: "mass on the relevant keys at this *n*",
    name: "Mass by rule",
    most: 1,
    ticks: [0, 0.5, 1],
    digits: 1,
    shown: 3,
  });
  const leads = barsPlot(ui.plots, {
    caption: "scale times lead, *λm*",
    name: "Scale times lead by rule",
    most: MOST,
    ticks: [0, 5, 10, 15, 20, 25],
    digits: 0,
    shown: 2,
  });
  const length = slider(ui.controls, {
    caption: "keys *n*",
    min: LOW,
    max: HIGH,
    step: 0.25,
    fromValue: Math.log2,
    toValue: lengthAt,
    show: String,
    put: (value) => put(model, { length: value }),
  });
  const relevant = slider(ui.controls, {
    caption: "relevant keys *k* of 64",
    min: 1,
    max: REFERENCE / 2,
    step: 1,
    show: String,
    put: (value) => put(model, { relevant: value }),
  });
  const grows = choice(ui.controls, {
    caption: "with *n*, the relevant keys are a",
    options: GROWS,
    put: (value) => put(model, { share: value === GROWS[1] }),
  });
  const mass = slider(ui.controls, {
    caption: "their mass *π* at 64",
    min: 0.5,
    max: 0.99,
    step: 0.01,
    show: (value) => fixed(value, 2),
    put: (value) => put(model, { mass: value }),
  });
  const show = readouts(ui.readouts, {
    fixed: "mass, fixed scale",
    log: "mass, log *n*",
    exact: "mass, exact scale",
    keys: "relevant keys *k*",
    lead_fixed: "*λm*, fixed",
    lead_log: "*λm*, log *n*",
    lead_exact: "*λm*, exact",
  });

  return follow(model, TRAITS, () => {
    const [n, k, share, pi] = TRAITS.map((name) => model.get(name));
    const found = (m) => leadsAt(m, k, share, pi).map((lead) => relevantMass(m, relevantKeys(m, k, share), lead));
    const now = found(n);
    const scales = leadsAt(n, k, share, pi);
    const asked = relevantKeys(n, k, share);
    curves(
      POWERS.map((power) => found(2 ** power)),
      n,
      now,
    );
    masses(now);
    leads(scales);
    length(n);
    relevant(k);
    grows(GROWS[Number(share)]);
    mass(pi);
    RULES.forEach(({ key }, i) => {
      show[key](now[i]);
      show[`lead_${key}`](scales[i]);
    });
    show.keys(asked, fixed(asked, Number.isInteger(asked) ? 0 : 1));
    const said = RULES.map(({ key }, i) => `${num(now[i], 2)} ${key}`).join(", ");
    ui.say(`${fixed(asked, 0)} of ${n} keys have the mass ${said}.`);
    write(
      ui.code,
      `from gpkl_lib.explore.how_many_of_how_many import relevant_mass; ` +
        `print(relevant_mass(${n}, ${py(asked)}, ${py(scales[0])}))`,
    );
  });
}
export default { render };
