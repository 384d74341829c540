// All the maths of the explorables: pure functions of numbers, without a page. Names and forms follow the Python
// library, whose values the tests compare with these in a browser. x, s, t are arrays of logits, T > 0 a temperature,
// nats throughout.

/** @type {(values: number[]) => number} */
export const sum = (values) => values.reduce((a, b) => a + b, 0);
/** @type {(values: number[]) => number} */
export const max = (values) => values.reduce((a, b) => Math.max(b, a), -Infinity);

// indices of the largest logit; more than one if they tie
/** @type {(x: number[]) => number[]} */
export const argmax = (x) => x.map((_, i) => i).filter((i) => x[i] === max(x));

// T logsumexp(x/T) - max(x), in (0, T log n]: log1p keeps the digits when one logit is far above the rest
/** @type {(x: number[], T?: number) => number} */
export function smoothGap(x, T = 1) {
  const m = max(x);
  const top = x.indexOf(m);
  return T * Math.log1p(sum(x.map((v, i) => (i === top ? 0 : Math.exp((v - m) / T)))));
}

/** @type {(x: number[], T?: number) => number} */
export const logsumexp = (x, T = 1) => max(x) + smoothGap(x, T);

/** @type {(x: number[], T?: number) => number[]} */
export function logSoftmax(x, T = 1) {
  const m = max(x);
  const gap = smoothGap(x, T);
  return x.map((v) => (v - m - gap) / T);
}

/** @type {(x: number[], T?: number) => number[]} */
export function softmax(x, T = 1) {
  const m = max(x);
  const e = x.map((v) => Math.exp((v - m) / T));
  const z = sum(e);
  return e.map((v) => v / z);
}

// the limit of softmax(x/T) as T goes to 0: one over the number of winners
/** @type {(x: number[]) => number[]} */
export function hardmax(x) {
  const winners = argmax(x);
  return x.map((_, i) => (winners.includes(i) ? 1 / winners.length : 0));
}

/** @type {(x: number[], T?: number) => number} */
export function entropy(x, T = 1) {
  const logP = logSoftmax(x, T);
  return -sum(logP.map((l) => Math.exp(l) * l));
}

// [lower, upper] with lower < T logsumexp(x/T) <= upper
/** @type {(x: number[], T?: number) => number[]} */
export const logsumexpBounds = (x, T = 1) => [max(x), max(x) + T * Math.log(x.length)];

/** @type {(x: number) => number} */
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// p, q and u = log(p/q) to all its digits: u is s - t less a constant, whose rounding error is what keeps sum(p - q)
// from 0
/** @type {(s: number[], t: number[]) => number[][]} */
function distributions(s, t) {
  const p = softmax(s);
  const q = softmax(t);
  const shift = logsumexp(s) - logsumexp(t);
  const u = s.map((v, i) => v - t[i] - shift);
  const excess = sum(u.map((v, i) => (p[i] + q[i]) * Math.tanh(v / 2)));
  return [p, q, u.map((v) => v - excess)];
}

// D(s, t) class by class, each term >= 0: (p - q)(log p - log q) with p - q = (p + q) tanh(u/2), nothing cancels
/** @type {(s: number[], t: number[], activation: string) => number[]} */
export function symmetricKlTerms(s, t, activation) {
  if (activation === "sigmoid") {
    return s.map((a, i) => {
      const b = t[i];
      const gap = a - b;
      return (sigmoid(a) * sigmoid(-b) + sigmoid(b) * sigmoid(-a)) * Math.tanh(gap / 2) * gap;
    });
  }
  const [p, q, u] = distributions(s, t);
  return u.map((v, i) => (p[i] + q[i]) * Math.tanh(v / 2) * v);
}

// e^v - 1 - v for |v| <= 1/2, by its series, since the subtraction would cancel
/** @type {(v: number) => number} */
function smallRest(v) {
  let series = 0;
  for (let k = 18; k > 2; k -= 1) series = ((series + 1) * v) / k;
  return ((series + 1) * v * v) / 2;
}

// KL(p || q) class by class: p log(p/q) - p + q, each term >= 0
/** @type {(s: number[], t: number[]) => number[]} */
function bregmanTerms(s, t) {
  const [p, q, u] = distributions(s, t);
  return u.map((v, i) => (Math.abs(v) <= 0.5 ? p[i] * smallRest(-v) : p[i] * v - p[i] + q[i]));
}

/** @type {(s: number[], t: number[], activation: string) => number[]} */
export function klTerms(s, t, activation) {
  if (activation === "sigmoid") return s.map((a, i) => sum(bregmanTerms([a, 0], [t[i], 0])));
  return bregmanTerms(s, t);
}

/** @type {(s: number[], t: number[], activation: string) => number} */
export const symmetricKl = (s, t, activation) => sum(symmetricKlTerms(s, t, activation));
/** @type {(s: number[], t: number[], activation: string) => number} */
export const klDivergence = (s, t, activation) => sum(klTerms(s, t, activation));

// what is decided: the classes above 0 (sigmoid), or the largest (softmax)
/** @type {(x: number[], activation: string) => number[]} */
export const decode = (x, activation) =>
  activation === "sigmoid" ? x.map((_, i) => i).filter((i) => x[i] > 0) : argmax(x);
