// The maths of "Row sums": rows of attention weights over equal tokens, or over all but the first equal. No page.
import { sigmoid, softmax, sum } from "./core.js";

// the weights of row i from its scores: e^s over their sum, over the root of the sum of their squares, sigma(s) over n,
// or softmax times a factor of the distance, 1 + (j - i)/n; what a causal row does not see has the weight 0
/** @type {(scores: number[], kind: string, i: number, causal: boolean) => number[]} */
export function rowWeights(scores, kind, i, causal) {
  const n = scores.length;
  const seen = causal ? scores.slice(0, i + 1) : scores;
  const p = softmax(seen);
  const length = Math.sqrt(sum(p.map((weight) => weight * weight)));
  /** @type {(weight: number, j: number) => number} */
  const weigh = (weight, j) => {
    if (kind === "sigmoid") return sigmoid(seen[j]) / n;
    if (kind === "l2") return weight / length;
    return kind === "urpe" ? weight * (1 + (j - i) / n) : weight;
  };
  return scores.map((_, j) => (j < seen.length ? weigh(p[j], j) : 0));
}

// the output of a row: its sum where every token is 1; the first may be 0 instead
/** @type {(weights: number[], first: boolean) => number} */
export const rowOutput = (weights, first) => sum(first ? weights.slice(1) : weights);

// scores as relative position gives them to equal tokens: a function of the distance j - i alone, row by row
/** @type {(n: number) => number[]} */
export const byDistance = (n) =>
  Array.from({ length: n * n }, (_, at) => (25 - 8 * Math.abs((at % n) - Math.floor(at / n) - 1)) / 10);
