// Maths of distributions given by their probabilities (code lengths, KL, Jensen-Shannon) and of one Gaussian against
// two modes: pure functions of numbers. Nats throughout; Infinity where that is the value.
import { sigmoid, sum } from "./core.js";

/** @typedef {{ mean: number, width: number[] }} Frame how far the mean may go from 0; least and largest width */

// the length of the best code word for something of probability p
/** @type {(p: number) => number} */
export const surprise = (p) => (p === 1 ? 0 : -Math.log(p));

// the mean of `lengths` under p; what never happens costs nothing, however long its word
/** @type {(p: number[], lengths: number[]) => number} */
const mean = (p, lengths) => sum(p.map((v, i) => (v === 0 ? 0 : v * lengths[i])));
/** @type {(p: number[]) => number} */
export const entropyOf = (p) => mean(p, p.map(surprise));
/** @type {(p: number[], q: number[]) => number} */
export const crossEntropyOf = (p, q) => mean(p, q.map(surprise));

// e^v - 1 - v, by its series where the subtraction would cancel
/** @type {(v: number) => number} */
function beyondTangent(v) {
  if (Math.abs(v) > 0.5) return Math.expm1(v) - v;
  let series = 0;
  for (let k = 18; k > 2; k -= 1) series = ((series + 1) * v) / k;
  return ((series + 1) * v * v) / 2;
}

// q with a share `epsilon` of it spread evenly over all symbols
/** @type {(q: number[], epsilon: number) => number[]} */
export const smoothed = (q, epsilon) => q.map((v) => (1 - epsilon) * v + epsilon / q.length);

// p log(p/q) - p + q: never negative, and it keeps its digits where p and q are close
/** @type {(p: number, q: number) => number} */
export function klPart(p, q) {
  if (p === 0) return q;
  if (q === 0) return Infinity;
  const u = Math.abs(p - q) < q / 2 ? Math.log1p((p - q) / q) : Math.log(p / q);
  return Math.abs(u) > 0.5 ? p * u - p + q : p * beyondTangent(-u);
}

/** @type {(p: number[], q: number[]) => number} */
export const klOf = (p, q) => sum(p.map((v, i) => klPart(v, q[i])));
/** @type {(p: number[], q: number[]) => number} */
export const jeffreysOf = (p, q) => klOf(p, q) + klOf(q, p);
/** @type {(p: number[], q: number[]) => number} */
export function jensenShannonOf(p, q) {
  const m = p.map((v, i) => (v + q[i]) / 2);
  return (klOf(p, m) + klOf(q, m)) / 2;
}

// p with the i-th probability set to `value` and the others scaled to fill the rest, in millionths that add up
/** @type {(p: number[], i: number, value: number) => number[]} */
export function moveMass(p, i, value) {
  const units = 1e6;
  const mine = Math.round(units * value);
  const rest = units - mine;
  const others = sum(p.filter((_, j) => j !== i));
  const ideal = p.map((v, j) => (j === i ? 0 : rest * (others > 0 ? v / others : 1 / (p.length - 1))));
  const whole = ideal.map(Math.floor);
  const order = p.map((_, j) => j).filter((j) => j !== i);
  order.sort((a, b) => ideal[b] - whole[b] - (ideal[a] - whole[a]) || a - b);
  const left = rest - sum(whole);
  for (const j of order.slice(0, left)) whole[j] += 1;
  whole[i] = mine;
  return whole.map((count) => count / units);
}

// ---- Two modes of width 1 at -gap/2 (share 0.6) and gap/2 (share 0.4), and one Gaussian N(mean, width^2)

const SHARE = 0.6;
const HALF_LOG_TAU = Math.log(2 * Math.PI) / 2;
const TAIL = 9.5;
/** @type {(gap: number) => number[]} */
export const modesMoments = (gap) => [(0.5 - SHARE) * gap, 1 + SHARE * (1 - SHARE) * gap * gap];
/** @type {(x: number, mean: number, width: number) => number} */
export const logNormal = (x, mean, width) => -0.5 * ((x - mean) / width) ** 2 - Math.log(width) - HALF_LOG_TAU;

// log of the two modes' density: the larger mode and a softplus of how far the other is below it
/** @type {(x: number, gap: number) => number} */
export function logModes(x, gap) {
  const left = Math.log(SHARE) + logNormal(x, -gap / 2, 1);
  const right = Math.log(1 - SHARE) + logNormal(x, gap / 2, 1);
  return Math.max(left, right) + Math.log1p(Math.exp(-Math.abs(left - right)));
}

// The trapezium rule on an even grid: for what falls off this fast its error is e^(-2 pi 0.39 / step) or less at gap 8.
/** @type {(f: (x: number) => number, low: number, high: number, step: number) => number} */
function integrate(f, low, high, step) {
  const n = Math.ceil((high - low) / step);
  const h = (high - low) / n;
  let total = 0;
  for (let i = 0; i <= n; i += 1) total += f(low + i * h);
  return total * h;
}

const FINE = 0.06;
let knownGap = NaN;
let knownEntropy = 0;
/** @type {(gap: number) => number} */
export function modesEntropy(gap) {
  if (gap !== knownGap) {
    const reach = gap / 2 + TAIL;
    knownEntropy = integrate((x) => -Math.exp(logModes(x, gap)) * logModes(x, gap), -reach, reach, FINE);
    knownGap = gap;
  }
  return knownEntropy;
}

// KL(p || q) of the modes p and the Gaussian q: only p's entropy needs the grid
/** @type {(mean: number, width: number, gap: number) => number} */
export function forwardKl(mean, width, gap) {
  const [m, variance] = modesMoments(gap);
  return HALF_LOG_TAU + Math.log(width) + (variance + (m - mean) ** 2) / (2 * width * width) - modesEntropy(gap);
}

// KL(q || p): the mean under q of log q - log p
/** @type {(mean: number, width: number, gap: number, step?: number) => number} */
export function reverseKl(mean, width, gap, step = FINE) {
  const cross = integrate(
    (x) => -Math.exp(logNormal(x, mean, width)) * logModes(x, gap),
    mean - TAIL * width,
    mean + TAIL * width,
    Math.min(step, width / 2),
  );
  return cross - (HALF_LOG_TAU + Math.log(width) + 0.5);
}

/** @type {(mean: number, width: number, gap: number, direction: string, step?: number) => number} */
export function fitLoss(mean, width, gap, direction, step = FINE) {
  if (direction === "forward") return forwardKl(mean, width, gap);
  if (direction === "reverse") return reverseKl(mean, width, gap, step);
  return forwardKl(mean, width, gap) + reverseKl(mean, width, gap, step);
}

// slope of log p, and the gradient of each direction by mean and by log width (x = mean + width * standard normal)
/** @type {(x: number, gap: number) => number} */
const modesSlope = (x, gap) => -x + gap * (sigmoid(gap * x + Math.log(1 / SHARE - 1)) - 0.5);
/** @type {(mean: number, width: number, gap: number) => number[]} */
function forwardGradient(mean, width, gap) {
  const [m, variance] = modesMoments(gap);
  return [(mean - m) / width ** 2, 1 - (variance + (m - mean) ** 2) / width ** 2];
}
/** @type {(mean: number, width: number, gap: number) => number[]} */
function reverseGradient(mean, width, gap) {
  const step = Math.min(FINE, width / 2);
  const low = mean - TAIL * width;
  const high = mean + TAIL * width;
  /** @type {(x: number) => number} */
  const q = (x) => Math.exp(logNormal(x, mean, width));
  return [
    -integrate((x) => q(x) * modesSlope(x, gap), low, high, step),
    -integrate((x) => q(x) * modesSlope(x, gap) * (x - mean), low, high, step) - 1,
  ];
}
/** @type {(mean: number, width: number, gap: number, direction: string) => number[]} */
export function fitGradient(mean, width, gap, direction) {
  const parts = [];
  if (direction !== "reverse") parts.push(forwardGradient(mean, width, gap));
  if (direction !== "forward") parts.push(reverseGradient(mean, width, gap));
  return [sum(parts.map((part) => part[0])), sum(parts.map((part) => part[1]))];
}

// One step of gradient descent on (mean, log width): the step is halved until the loss falls, and kept inside the
// frame. Returns [mean, width, norm of the gradient before the step].
/** @type {(mean: number, width: number, gap: number, direction: string, frame: Frame) => number[]} */
export function fitStep(mean, width, gap, direction, frame) {
  const [a, b] = fitGradient(mean, width, gap, direction);
  const norm = Math.hypot(a, b);
  const loss = fitLoss(mean, width, gap, direction);
  let rate = Math.min(0.5, 0.4 / norm);
  for (let tries = 0; tries < 40; tries += 1, rate /= 2) {
    const m = Math.min(frame.mean, Math.max(-frame.mean, mean - rate * a));
    const w = Math.min(frame.width[1], Math.max(frame.width[0], width * Math.exp(-rate * b)));
    if (fitLoss(m, w, gap, direction) < loss) return [m, w, norm];
  }
  return [mean, width, norm];
}

// what each x adds to the chosen divergence: p log(p/q) - p + q, or with p and q exchanged, or both
/** @type {(x: number, mean: number, width: number, gap: number, direction: string) => number} */
export function fitPart(x, mean, width, gap, direction) {
  const a = logModes(x, gap);
  const b = logNormal(x, mean, width);
  const p = Math.exp(a);
  const q = Math.exp(b);
  if (direction === "forward") return p * (a - b) - p + q;
  if (direction === "reverse") return q * (b - a) - q + p;
  return (p - q) * (a - b);
}
