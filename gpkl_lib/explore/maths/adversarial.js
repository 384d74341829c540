// The maths of "Adversarial direction": three spans whose scores are affine in an embedding of two numbers, the
// divergence around it, its metric, and power iteration by the gradient at a step of length xi. Pure functions of
// numbers.
import { sigmoid, sum } from "./core.js";

export const spanWeights = () => [
  [3, 0.8],
  [-1.2, 2.2],
  [0.5, -3.2],
];
export const spanBiases = () => [-1, -3.5, -4];
const J = spanWeights();
const B = spanBiases();
const REACH_OF_RAYS = 12;

/** @type {(x: number[]) => number[]} */
export const planeScores = (x) => J.map((w, k) => w[0] * x[0] + w[1] * x[1] + B[k]);
/** @type {(degrees: number) => number[]} */
export const unitVector = (degrees) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];

// sigma(a + g) - sigma(a), to all its digits
/** @type {(a: number, g: number) => number} */
const rise = (a, g) => (sigmoid(a + g) * sigmoid(-a) + sigmoid(a) * sigmoid(-a - g)) * Math.tanh(g / 2);

/** @type {(x: number[], r: number[]) => number} */
export function planeDivergence(x, r) {
  let D = 0;
  planeScores(x).forEach((a, k) => {
    const g = J[k][0] * r[0] + J[k][1] * r[1];
    D += rise(a, g) * g;
  });
  return D;
}

// by r: the two forces of every span, through J
/** @type {(x: number[], r: number[]) => number[]} */
export function planeGradient(x, r) {
  const found = [0, 0];
  planeScores(x).forEach((a, k) => {
    const g = J[k][0] * r[0] + J[k][1] * r[1];
    const force = rise(a, g) + sigmoid(a + g) * sigmoid(-a - g) * g;
    found[0] += force * J[k][0];
    found[1] += force * J[k][1];
  });
  return found;
}

/** @type {(x: number[], start: number, xi: number, steps: number) => number[][]} */
export function powerSteps(x, start, xi, steps) {
  const found = [unitVector(start)];
  for (let m = 0; m < steps; m += 1) {
    const felt = planeGradient(
      x,
      found[m].map((d) => xi * d),
    );
    const size = Math.hypot(...felt);
    found.push(felt.map((f) => f / size));
  }
  return found;
}

// G = J' diag(sigma') J as [g11, g12, g22]
/** @type {(x: number[]) => number[]} */
export function planeMetric(x) {
  const weight = planeScores(x).map((a) => sigmoid(a) * sigmoid(-a));
  return [
    [0, 0],
    [0, 1],
    [1, 1],
  ].map(([a, b]) => sum(J.map((w, k) => weight[k] * w[a] * w[b])));
}
/** @type {(G: number[], d: number[]) => number} */
export const planeQuadratic = ([a, b, c], d) => a * d[0] * d[0] + 2 * b * d[0] * d[1] + c * d[1] * d[1];

// the eigenvalues of a metric, larger first, and the larger one's eigenvector
/** @type {(G: number[]) => [number, number, number[]]} */
export function planeEigen([a, b, c]) {
  const middle = (a + c) / 2;
  const radius = Math.hypot((a - c) / 2, b);
  const angle = Math.atan2(2 * b, a - c) / 2;
  return [middle + radius, (a * c - b * b) / (middle + radius), [Math.cos(angle), Math.sin(angle)]];
}
// the angle between two lines, in degrees
/** @type {(d: number[], e: number[]) => number} */
export const lineAngle = (d, e) =>
  (Math.atan2(Math.abs(d[0] * e[1] - d[1] * e[0]), Math.abs(d[0] * e[0] + d[1] * e[1])) * 180) / Math.PI;

// D at distance epsilon, in `count` directions from -180 degrees on
/** @type {(x: number[], epsilon: number, count: number) => number[]} */
export const divergenceRing = (x, epsilon, count) =>
  Array.from({ length: count }, (_, i) =>
    planeDivergence(
      x,
      unitVector(-180 + (360 * i) / count).map((d) => epsilon * d),
    ),
  );

// how far from x each level is reached, in `count` directions from 0 degrees on; D rises along every ray
/** @type {(x: number[], levels: number[], count?: number, radii?: number) => number[][]} */
export function levelRadii(x, levels, count = 96, radii = 48) {
  const roots = levels.map(Math.sqrt);
  /** @type {number[][]} */
  const found = levels.map(() => []);
  for (let i = 0; i < count; i += 1) {
    const d = unitVector((360 * i) / count);
    const reached = levels.map(() => REACH_OF_RAYS);
    let from = 0;
    let low = 0;
    let next = 0;
    for (let k = 1; k <= radii && next < levels.length; k += 1) {
      const to = REACH_OF_RAYS * (k / radii) ** 2;
      const high = Math.sqrt(planeDivergence(x, [to * d[0], to * d[1]]));
      while (next < levels.length && high >= roots[next]) {
        reached[next] = from + ((to - from) * (roots[next] - low)) / (high - low);
        next += 1;
      }
      [from, low] = [to, high];
    }
    reached.forEach((radius, n) => found[n].push(radius));
  }
  return found;
}
