// The maths of "Balance": two losses of scores s + c with many negatives, their forces, and the c at which these come
// to rest. positives: a score each. negatives: one score a group, `counts` how many classes are in the group. Nats
// throughout.
import { logsumexp, max, sigmoid, sum } from "./core.js";

// log(1 + sum_i counts_i e^(x_i)), to the last digit of large and small results
/** @type {(x: number[], counts?: number[]) => number} */
export function logOnePlus(x, counts = x.map(() => 1)) {
  const m = Math.max(0, max(x));
  return m + Math.log1p(sum(x.map((v, i) => counts[i] * Math.exp(v - m))) + Math.expm1(-m));
}

/** @type {(x: number[]) => number[]} */
const negated = (x) => x.map((v) => -v);
/** @type {(positives: number[], negatives: number[], counts: number[]) => number} */
export const multilabelLoss = (positives, negatives, counts) =>
  logOnePlus(negatives, counts) + logOnePlus(negated(positives));

// n binary cross-entropies, added up
/** @type {(positives: number[], negatives: number[], counts: number[]) => number} */
export const binaryLoss = (positives, negatives, counts) =>
  sum(positives.map((s) => logOnePlus([-s]))) + sum(negatives.map((s, i) => counts[i] * logOnePlus([s])));

// shares counts_i e^(x_i) / (1 + sum): what a softmax with one more class of score 0 gives each group
/** @type {(x: number[], counts?: number[]) => number[]} */
function sharesBesideZero(x, counts = x.map(() => 1)) {
  const m = Math.max(0, max(x));
  const e = x.map((v, i) => counts[i] * Math.exp(v - m));
  const z = sum(e) + Math.exp(-m);
  return e.map((v) => v / z);
}

// minus the gradient: what a step downhill does to each positive (up, > 0) and to each group of negatives (down, < 0)
/** @type {(positives: number[], negatives: number[], counts: number[]) => number[]} */
export const multilabelForces = (positives, negatives, counts) => [
  ...sharesBesideZero(negated(positives)),
  ...negated(sharesBesideZero(negatives, counts)),
];

/** @type {(positives: number[], negatives: number[], counts: number[]) => number[]} */
export const binaryForces = (positives, negatives, counts) => [
  ...positives.map((s) => sigmoid(-s)),
  ...negatives.map((s, i) => -counts[i] * sigmoid(s)),
];

// what pulls a bias common to all scores up, and what pushes it down
/** @type {(forces: number[]) => number} */
export const pull = (forces) => sum(forces.filter((f) => f > 0));
/** @type {(forces: number[]) => number} */
export const push = (forces) => -sum(forces.filter((f) => f < 0));
// which way it tips: from -1 (only push) through 0 (rest) to 1 (only pull)
/** @type {(forces: number[]) => number} */
export const tilt = (forces) => (pull(forces) - push(forces)) / (pull(forces) + push(forces));

// the c at which pull and push are equal: sum counts e^(s + c) over the negatives = sum e^(-s - c) over the positives
/** @type {(positives: number[], negatives: number[], counts: number[]) => number} */
export const multilabelRest = (positives, negatives, counts) =>
  (logsumexp(negated(positives)) - logsumexp(negatives.map((s, i) => s + Math.log(counts[i])))) / 2;

// the same for the binary ones has no closed form: halving. A force near 1 is counted as 1 less what it lacks, so that
// where several are saturated the whole ones cancel and what is left keeps its digits.
/** @type {(positives: number[], negatives: number[], counts: number[]) => number} */
export function binaryRest(positives, negatives, counts) {
  const all = [...negatives, ...negated(positives)];
  const weights = [...counts, ...positives.map(() => -1)];
  /** @type {(c: number) => number} */
  const excess = (c) => {
    const x = all.map((s, i) => s + (i < negatives.length ? c : -c));
    return (
      sum(weights.map((w, i) => (x[i] > 0 ? w : 0))) +
      sum(weights.map((w, i) => (x[i] > 0 ? -w * sigmoid(-x[i]) : w * sigmoid(x[i]))))
    );
  };
  const reach = max(all.map(Math.abs)) + Math.log(sum(counts) + positives.length) + 50;
  let [low, high] = [-reach, reach];
  for (let middle = 0; low < middle && middle < high; middle = (low + high) / 2) {
    if (excess(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
