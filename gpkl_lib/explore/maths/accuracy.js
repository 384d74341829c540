// The maths of "Three points": losses of a line between three labelled points, and where each is best. Means over the
// three; b is where the line stands, w > 0 the scale of the logits w(x - b), T > 0 the width of the smooth accuracy.
import { sigmoid, sum } from "./core.js";

const POINTS = [-0.25, 0, 0.25];
const SIDES = [-1, -1, 1];

/** @type {(term: (margin: number) => number, b: number) => number} */
const mean = (term, b) => sum(POINTS.map((x, i) => term(SIDES[i] * (x - b)))) / 3;
// the slope of a sigmoid, to the last digit on both sides
/** @type {(z: number) => number} */
const bell = (z) => sigmoid(z) * sigmoid(-z);

/** @type {(b: number) => number} */
export const rightShare = (b) => mean((m) => Number(m > 0), b);
/** @type {(b: number, w: number) => number} */
export const hingeLoss = (b, w) => mean((m) => Math.max(1 - w * m, 0), b);
/** @type {(b: number, w: number) => number} */
export const lineLoss = (b, w) => mean((m) => Math.max(-w * m, 0) + Math.log1p(Math.exp(-Math.abs(w * m))), b);
/** @type {(b: number, T: number) => number} */
export const smoothAccuracy = (b, T) => mean((m) => sigmoid(m / T), b);

// their slopes by b
/** @type {(b: number, w: number) => number} */
export const lineSlope = (b, w) => (w / 3) * (1 - sum(POINTS.map((x) => sigmoid(w * (x - b)))));
/** @type {(b: number, T: number) => number} */
export const smoothSlope = (b, T) => -sum(POINTS.map((x, i) => SIDES[i] * bell((x - b) / T))) / (3 * T);

// where `rises` turns from true to false
/** @type {(rises: (b: number) => boolean, low: number, high: number) => number} */
function turn(rises, low, high) {
  let [a, b] = [low, high];
  for (let k = 0; k < 200; k += 1) {
    const middle = (a + b) / 2;
    if (rises(middle)) a = middle;
    else b = middle;
  }
  return (a + b) / 2;
}

// the least cross-entropy, where the slope is 0: above 0, and below where three points at 1/4 would have it
/** @type {(w: number) => number} */
export const lineBest = (w) => turn((b) => lineSlope(b, w) < 0, 0, 0.25 + Math.LN2 / w);

// the largest smooth accuracy; there is none once e^(1/(4T)) is at most the golden ratio
const WARM = 0.25 / Math.log((1 + Math.sqrt(5)) / 2);
/** @type {(T: number) => number} */
export function smoothBest(T) {
  if (T >= WARM) return Infinity;
  let high = 0.25;
  while (smoothSlope(high, T) > 0) high *= 2;
  return turn((b) => smoothSlope(b, T) > 0, 0, high);
}
