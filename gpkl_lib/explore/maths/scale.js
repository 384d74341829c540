// The maths of "Scale for C classes" and "Entropy against length": pure functions, without a page. Nats throughout.

// log(1 + (C - 1) e^(-s C/(C - 1))): the least cross-entropy of unit features and unit weights at the scale s
/** @type {(classes: number, scale: number) => number} */
export const scaleBound = (classes, scale) => Math.log1p((classes - 1) * Math.exp((-scale * classes) / (classes - 1)));

// log((C - 1)/(e^eps - 1)): how far ahead, times the scale, the target must be for a loss of eps
/** @type {(classes: number, loss: number) => number} */
const lead = (classes, loss) => Math.log(classes - 1) - Math.log(Math.expm1(loss));

// the scale at which the bound is eps; below it no features can reach eps
/** @type {(classes: number, loss: number) => number} */
export const scaleFor = (classes, loss) => ((classes - 1) / classes) * lead(classes, loss);

// the cosine margin over every other class that a loss of eps asks for at the scale s; more than C/(C - 1) there is not
/** @type {(classes: number, scale: number, loss: number) => number} */
export const marginFor = (classes, scale, loss) => lead(classes, loss) / scale;

// which of the scales is nearest to s in ratio
/** @type {(scales: number[], scale: number) => number} */
export const nearest = (scales, scale) =>
  scales.reduce(
    (best, one, i) => (Math.abs(Math.log(one / scale)) < Math.abs(Math.log(scales[best] / scale)) ? i : best),
    0,
  );

// A number in (0, 1) from a counter: the finishing steps of MurmurHash3 on i, the same 32 bits in every language.
/** @type {(i: number) => number} */
export function uniform(i) {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

// The i-th random score, of mean 0 and variance 1, in whole 64ths: so fine a grid changes nothing that is shown, and a
// row of any length is then the same few hundred counts.
const GRID = 64;
/** @type {(kind: string, i: number) => number} */
export function score(kind, i) {
  const exact =
    kind === "normal"
      ? Math.sqrt(-2 * Math.log(uniform(2 * i))) * Math.cos(2 * Math.PI * uniform(2 * i + 1))
      : Math.sqrt(3) * (2 * uniform(2 * i) - 1);
  return Math.floor(GRID * exact + 0.5) / GRID;
}

// how often each score from the least to the largest, in steps of 1/64, stands among the n from place `from` on
/** @type {(scores: ArrayLike<number>, from: number, n: number) => number[]} */
export function countsOf(scores, from, n) {
  let least = Infinity;
  let most = -Infinity;
  for (let i = from; i < from + n; i += 1) {
    if (scores[i] < least) least = scores[i];
    if (scores[i] > most) most = scores[i];
  }
  const counts = new Array(GRID * (most - least) + 1).fill(0);
  for (let i = from; i < from + n; i += 1) counts[GRID * (scores[i] - least)] += 1;
  return counts;
}

// largest score less the mean, from counts
/** @type {(counts: number[]) => number} */
export function gapOf(counts) {
  const top = counts.length - 1;
  let many = 0;
  let below = 0;
  counts.forEach((count, b) => {
    many += count;
    below += count * (top - b);
  });
  return below / many / GRID;
}

// e^(-lambda k/64): the weight of a score k steps below the largest
/** @type {(lambda: number, size: number) => number[]} */
export const decay = (lambda, size) => Array.from({ length: size }, (_, k) => Math.exp((-lambda * k) / GRID));

// sum e^y and sum y e^y over y = lambda (x - max), from counts
/** @type {(counts: number[], lambda: number, weights?: number[]) => number[]} */
export function sumsOf(counts, lambda, weights = decay(lambda, counts.length)) {
  const top = counts.length - 1;
  let z = 0;
  let moment = 0;
  for (let k = top; k >= 0; k -= 1) {
    const part = counts[top - k] * weights[k];
    z += part;
    moment -= part * k;
  }
  return [z, (lambda * moment) / GRID];
}

// H(softmax(lambda x)) from these: log Z - lambda <p, x - max>
/** @type {(z: number, moment: number) => number} */
export const entropyOf = (z, moment) => Math.log(z) - moment / z;

// kappa log n
/** @type {(n: number, kappa: number) => number} */
export const invariantScale = (n, kappa) => kappa * Math.log(n);
