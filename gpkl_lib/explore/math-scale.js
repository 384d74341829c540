// The maths of "Scale for C classes" and "Entropy against length": pure functions, without a page. Nats throughout.

// log(1 + (C - 1) e^(-s C/(C - 1))): the least cross-entropy of unit features and unit weights at the scale s
export const scaleBound = (classes, scale) => Math.log1p((classes - 1) * Math.exp((-scale * classes) / (classes - 1)));

// log((C - 1)/(e^eps - 1)): how far ahead, times the scale, the target must be for a loss of eps
const lead = (classes, loss) => Math.log(classes - 1) - Math.log(Math.expm1(loss));

// the scale at which the bound is eps; below it no features can reach eps
export const scaleFor = (classes, loss) => ((classes - 1) / classes) * lead(classes, loss);

// the cosine margin over every other class that a loss of eps asks for at the scale s; more than C/(C - 1) there is not
export const marginFor = (classes, scale, loss) => lead(classes, loss) / scale;

// which of the scales is nearest to s in ratio
export const nearest = (scales, scale) =>
  scales.reduce((best, one, i) => (Math.abs(Math.log(one / scale)) < Math.abs(Math.log(scales[best] / scale)) ? i : best), 0);

// A number in (0, 1) from a counter: the finishing steps of MurmurHash3 on i, the same 32 bits in every language.
export function uniform(i) {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

// the i-th random score, of mean 0 and variance 1
export const score = (kind, i) =>
  kind === "normal"
    ? Math.sqrt(-2 * Math.log(uniform(2 * i))) * Math.cos(2 * Math.PI * uniform(2 * i + 1))
    : Math.sqrt(3) * (2 * uniform(2 * i) - 1);

// how many rows of n scores an entropy is averaged over
export const rowsOf = (n) => Math.max(1, Math.min(16, 16384 / n));

// the largest of x[from], ..., x[from + n - 1]
export function largest(x, from, n) {
  let best = -Infinity;
  for (let i = from; i < from + n; i += 1) if (x[i] > best) best = x[i];
  return best;
}

// H(softmax(lambda x)) of n entries of x from `from` on, in one pass: log Z - lambda <p, x - max>
export function entropyOfRow(x, from, n, lambda, top = largest(x, from, n)) {
  let z = 0, moment = 0;
  for (let i = from; i < from + n; i += 1) {
    const below = lambda * (x[i] - top), e = Math.exp(below);
    z += e;
    moment += e * below;
  }
  return Math.log(z) - moment / z;
}

// log n + lambda (mean - max) of the same entries: never above the entropy
export function estimateOfRow(x, from, n, lambda, top = largest(x, from, n)) {
  let total = 0;
  for (let i = from; i < from + n; i += 1) total += x[i];
  return Math.log(n) + lambda * (total / n - top);
}

// kappa log n
export const invariantScale = (n, kappa) => kappa * Math.log(n);
