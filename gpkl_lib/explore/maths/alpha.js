// The maths of "Alpha": means over seeds, Student's interval of a mean, and how long a run stays asleep. Pure
// functions.
import { sum } from "./core.js";

/** @type {(values: number[]) => number} */
export const mean = (values) => sum(values) / values.length;

// the root of the mean square distance from the mean, over n - 1
/** @type {(values: number[]) => number} */
export const deviation = (values) => {
  const m = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - m) ** 2)) / (values.length - 1));
};

// P(-t < T < t) of Student's T with a whole number of degrees of freedom, at t = sqrt(freedom) tan(angle): a finite sum
/** @type {(angle: number, freedom: number) => number} */
export function studentWithin(angle, freedom) {
  const s = Math.sin(angle);
  const c = Math.cos(angle);
  const odd = freedom % 2;
  let term = odd ? c : 1;
  let total = 0;
  for (let k = odd ? 3 : 2; k <= freedom; k += 2) {
    total += term;
    term *= ((k - 1) / k) * c * c;
  }
  return odd ? (2 / Math.PI) * (angle + s * total) : s * total;
}

// the t with P(-t < T < t) = confidence, by halving the angle's range until there are no numbers between its ends
/** @type {(confidence: number, freedom: number) => number} */
export function studentQuantile(confidence, freedom) {
  let low = 0;
  let high = Math.PI / 2;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (studentWithin(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
  return Math.sqrt(freedom) * Math.tan((low + high) / 2);
}

// {mean, low, high}: a mean and the ends of its 95 % interval; of paired differences where they are given
/** @type {(values: number[], confidence?: number) => { mean: number, low: number, high: number }} */
export function interval(values, confidence = 0.95) {
  const m = mean(values);
  const n = values.length;
  const half = (studentQuantile(confidence, n - 1) * deviation(values)) / Math.sqrt(n);
  return { mean: m, low: m - half, high: m + half };
}

/** @type {(values: number[], others: number[]) => number[]} */
export const differences = (values, others) => values.map((value, i) => value - others[i]);

// epoch by epoch, the mean of curves of one length
/** @type {(curves: number[][]) => number[]} */
export const meanCurve = (curves) => curves[0].map((_, epoch) => mean(curves.map((curve) => curve[epoch])));

// how many epochs end before the curve reaches `level`; all of them if it never does
/** @type {(curve: number[], level: number) => number} */
export function epochsBelow(curve, level) {
  const first = curve.findIndex((value) => value >= level);
  return first < 0 ? curve.length : first;
}
