// The maths of "Choose your f" and "Same divergence, other decisions": any non-decreasing f in <f(s/T) - f(t/T), s -
// t>, one logit at a time, and both divergences of a board of scores whose second view is moved by c. Pure functions of
// numbers.
import { sigmoid, sum, symmetricKl } from "./core.js";

const SLOPE = 1 / 4; // of the sigmoid at 0, and so of the clipped line
/** @type {(z: number) => boolean} */
const within = (z) => z >= -2 && z <= 2;

// each f as a function of z = x/T: its value, its first and second derivative by z
/** @type {Record<string, ((z: number) => number)[]>} */
const FAMILY = {
  identity: [(z) => z, () => 1, () => 0],
  clipped: [(z) => Math.min(1, Math.max(0, z * SLOPE + 0.5)), (z) => (within(z) ? SLOPE : 0), () => 0],
  tanh: [
    Math.tanh,
    (z) => 4 * sigmoid(2 * z) * sigmoid(-2 * z),
    (z) => -8 * Math.tanh(z) * sigmoid(2 * z) * sigmoid(-2 * z),
  ],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z), (z) => -sigmoid(z) * sigmoid(-z) * Math.tanh(z / 2)],
  step: [(z) => (z > 0 ? 1 : 0), () => 0, () => 0],
};
/** @type {(f: string, x: number, T?: number) => number} */
export const decision = (f, x, T = 1) => FAMILY[f][0](x / T);
/** @type {(f: string, x: number, T?: number) => number} */
export const decisionSlope = (f, x, T = 1) => FAMILY[f][1](x / T) / T;
/** @type {(f: string, x: number, T?: number) => number} */
export const decisionBend = (f, x, T = 1) => FAMILY[f][2](x / T) / (T * T);

// f(s/T) - f(t/T), to all its digits where both are near 1
/** @type {(f: string, s: number, t: number, T?: number) => number} */
export function decisionGap(f, s, t, T = 1) {
  if (f === "tanh") return 2 * decisionGap("sigmoid", s, t, T / 2);
  const a = s / T;
  const b = t / T;
  if (f !== "sigmoid") return decision(f, a) - decision(f, b);
  return (sigmoid(a) * sigmoid(-b) + sigmoid(-a) * sigmoid(b)) * Math.tanh(apart(s, t, T) / 2);
}

// D = (f(s/T) - f(t/T))(s - t), and what it and (f(s/T) - f(t/T))^2 say to s; in units of T as the library, digit by
// digit
/** @type {(s: number, t: number, T: number) => number} */
const apart = (s, t, T) => (s - t) / T;
/** @type {(f: string, s: number, t: number, T?: number) => number} */
export const familyDivergence = (f, s, t, T = 1) => T * decisionGap(f, s, t, T) * apart(s, t, T);
/** @type {(f: string, s: number, t: number, T?: number) => number} */
export const familyGradient = (f, s, t, T = 1) => decisionGap(f, s, t, T) + T * decisionSlope(f, s, T) * apart(s, t, T);
/** @type {(f: string, s: number, t: number, T?: number) => number} */
export const familyCurvature = (f, s, t, T = 1) =>
  2 * decisionSlope(f, s, T) + T * decisionBend(f, s, T) * apart(s, t, T);
/** @type {(f: string, s: number, t: number, T?: number) => number} */
export const rivalGradient = (f, s, t, T = 1) => 2 * decisionGap(f, s, t, T) * decisionSlope(f, s, T);

// a board of scores, flat; its second view moved by c
/** @type {(t: number[], c: number) => number[]} */
const moved = (t, c) => t.map((value) => value + c);
/** @type {(s: number[], t: number[], c: number, activation: string) => number} */
export const boardDivergence = (s, t, c, activation) => symmetricKl(s, moved(t, c), activation);
/** @type {(s: number[], c?: number) => number[]} */
export const decided = (s, c = 0) => s.map((_, i) => i).filter((i) => s[i] + c > 0);
/** @type {(s: number[], t: number[], c: number) => number} */
export const flipped = (s, t, c) => sum(s.map((a, i) => Number(a > 0 !== t[i] + c > 0)));
