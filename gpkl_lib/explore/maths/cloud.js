// The maths of "Sphere the cloud": points of the plane, whitened with two exponents. Names follow sphere_the_cloud.py.
import { sum } from "./core.js";

// point k of the cloud: fractional parts of multiples of four irrational numbers, as good as random
/** @type {(k: number) => number[]} */
function cloudPoint(k) {
  const [a, b, c, d] = [0.8566748838545029, 0.733891856627126, 0.6287067210378087, 0.5385972572236101].map(
    (step) => (k * step) % 1,
  );
  const [far, near] = [a + b - 1, c + d - 1];
  return [1.53 + 1.9 * far + 0.5 * near, 0.83 + 0.5 * far + 0.9 * near];
}

// `count` points, the first of them x
/** @type {(count: number, x: number[]) => number[][]} */
export const cloud = (count, x) => [x, ...Array.from({ length: count - 1 }, (_, k) => cloudPoint(k + 1))];

// mean [x, y], and the second moment about `share` of it as [xx, xy, yy], over N
/** @type {(points: number[][], share: number) => [number[], number[]]} */
export function cloudMoments(points, share) {
  const mean = [0, 1].map((axis) => sum(points.map((p) => p[axis])) / points.length);
  const away = points.map((p) => p.map((value, axis) => value - share * mean[axis]));
  /** @type {(i: number, j: number) => number} */
  const moment = (i, j) => sum(away.map((p) => p[i] * p[j])) / points.length;
  return [mean, [moment(0, 0), moment(0, 1), moment(1, 1)]];
}

// eigenvalues, the larger first, and the unit vector of the larger
/** @type {(moment: number[]) => { values: number[], axis: number[] }} */
export function cloudAxes([a, b, c]) {
  const top = (a + c) / 2 + Math.hypot((a - c) / 2, b);
  const angle = Math.atan2(2 * b, a - c) / 2;
  return { values: [top, (a * c - b * b) / top], axis: [Math.cos(angle), Math.sin(angle)] };
}

// the symmetric matrix U Lambda^(-gamma/2) U' as [xx, xy, yy]
/** @type {(moment: number[], gamma: number) => number[]} */
export function whitener(moment, gamma) {
  const { values, axis } = cloudAxes(moment);
  const [p, q] = values.map((value) => value ** (-gamma / 2));
  const [x, y] = axis;
  return [p * x * x + q * y * y, (p - q) * x * y, p * y * y + q * x * x];
}

// (x - beta mu) U Lambda^(-gamma/2) U': turned back by U', which changes no length and no angle
/** @type {(points: number[][], beta: number, gamma: number) => number[][]} */
export function whitened(points, beta, gamma) {
  const [mean, moment] = cloudMoments(points, beta);
  const [a, b, c] = whitener(moment, gamma);
  return points.map(([x, y]) => {
    const [u, w] = [x - beta * mean[0], y - beta * mean[1]];
    return [a * u + b * w, b * u + c * w];
  });
}

// the cosine of two arrows; of one without length 0, as torch has it
/** @type {(p: number[], q: number[]) => number} */
export const cosine = (p, q) => (p[0] * q[0] + p[1] * q[1]) / Math.max(Math.hypot(...p) * Math.hypot(...q), 1e-8);

// [least, largest] cosine of two of the arrows
/** @type {(points: number[][]) => number[]} */
export function cosineRange(points) {
  const all = points.flatMap((p, i) => points.slice(i + 1).map((q) => cosine(p, q)));
  return [Math.min(...all), Math.max(...all)];
}

// KL of the Gaussian with the mean and the covariance of these points to N(0, I), in nats
/** @type {(points: number[][]) => number} */
export function natsFromRound(points) {
  const [mean, [a, b, c]] = cloudMoments(points, 1);
  return (a + c + mean[0] ** 2 + mean[1] ** 2 - 2 - Math.log(a * c - b * b)) / 2;
}
