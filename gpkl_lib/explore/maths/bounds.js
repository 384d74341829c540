// The bounds of logsumexp: pure functions, without a page. x logits, p a probability vector, T > 0 a temperature, nats.
// F is the smooth maximum T logsumexp(x/T).
import { hardmax, logSoftmax, max, smoothGap, softmax, sum } from "./core.js";

/** @type {(x: number[]) => number} */
export const mean = (x) => sum(x) / x.length;
/** @type {(p: number[], x: number[]) => number} */
export const expectation = (p, x) => sum(p.map((v, i) => v * x[i]));

// H(p) = -sum p log p with 0 log 0 = 0
/** @type {(p: number[]) => number} */
export const shannon = (p) => sum(p.map((v) => (v > 0 ? -v * Math.log(v) : 0)));

// -log sum p^2, between 0 and H(p): what the Cauchy-Schwarz inequality has in the place of the entropy
/** @type {(p: number[]) => number} */
export const collision = (p) => -Math.log(sum(p.map((v) => v * v)));

// T KL(p || softmax(x/T)), each term p log(p/q) - p + q >= 0; for p near q as q ((1 + r) log(1 + r) - r) with r = (p -
// q)/q
/** @type {(x: number[], p: number[], T?: number) => number} */
export function price(x, p, T = 1) {
  const logQ = logSoftmax(x, T);
  return (
    T *
    sum(
      p.map((v, i) => {
        const q = Math.exp(logQ[i]);
        const r = (v - q) / q;
        if (v === 0) return q;
        return Math.abs(r) < 0.1 ? q * ((1 + r) * Math.log1p(r) - r) : v * (Math.log(v) - logQ[i]) - v + q;
      }),
    )
  );
}

// the upper bound and four lower ones: max + T log n, max, mean + T log n, <p, x> + T H(p), <p, x> - T log sum p^2
/** @type {(x: number[], p: number[], T?: number) => number[]} */
export function boundsOf(x, p, T = 1) {
  const room = T * Math.log(x.length);
  const inner = expectation(p, x);
  return [max(x) + room, max(x), mean(x) + room, inner + T * shannon(p), inner + T * collision(p)];
}

// each bound less F; written so that what is small keeps its digits
/** @type {(x: number[], p: number[], T?: number) => number[]} */
export function slacks(x, p, T = 1) {
  const gap = smoothGap(x, T);
  const room = T * Math.log(x.length);
  const cost = price(x, p, T);
  return [room - gap, -gap, mean(x.map((v) => v - max(x))) + room - gap, -cost, T * (collision(p) - shannon(p)) - cost];
}

// the p that the reader chose; "yours" is any weights, over their sum
/** @type {(name: string, x: number[], T: number, weights: number[]) => number[]} */
export function chosen(name, x, T, weights) {
  if (name === "softmax") return softmax(x, T);
  if (name === "argmax") return hardmax(x);
  if (name === "uniform") return x.map(() => 1 / x.length);
  return weights.map((v) => v / sum(weights));
}

// p with its entry i at `share` and the others scaled to fit; where they were all 0, they share alike
/** @type {(p: number[], i: number, share: number) => number[]} */
export function withShare(p, i, share) {
  const rest = 1 - p[i];
  return p.map((v, j) => (j === i ? share : rest > 0 ? (v * (1 - share)) / rest : (1 - share) / (p.length - 1)));
}
