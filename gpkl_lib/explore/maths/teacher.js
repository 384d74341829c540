// The maths of "Temperature of a teacher": T^2 KL(teacher || student), each score a yes-or-no decision of its own, and
// which spans pull on the student. s: the student's scores, t: the teacher's. Pure functions of numbers.
import { klDivergence, sigmoid, sum } from "./core.js";

/** @type {(x: number[], T: number) => number[]} */
const tempered = (x, T) => x.map((value) => value / T);

// T^2 KL(sigma(t/T) || sigma(s/T)), and what it becomes as T grows: an eighth of the squared error
/** @type {(s: number[], t: number[], T: number) => number} */
export const softLoss = (s, t, T) => T * T * klDivergence(tempered(t, T), tempered(s, T), "sigmoid");
/** @type {(s: number[], t: number[]) => number} */
export const squaredLimit = (s, t) => sum(s.map((a, i) => (a - t[i]) ** 2)) / 8;

// the gradient by one score of the student, T (sigma(s/T) - sigma(t/T)), to all its digits; its limit is (s - t)/4
/** @type {(s: number, t: number, T: number) => number} */
export function pullOn(s, t, T) {
  const a = s / T;
  const b = t / T;
  return T * (sigmoid(a) * sigmoid(-b) + sigmoid(-a) * sigmoid(b)) * Math.tanh((a - b) / 2);
}
/** @type {(s: number, t: number) => number} */
export const hotPull = (s, t) => (s - t) / 4;

// the group of each span: 0 gold, 1 open, 2 far: not gold, and neither score above the border
/** @type {(s: number[], t: number[], gold: number[], border: number) => number[]} */
export const groupsOf = (s, t, gold, border) =>
  s.map((a, i) => (gold.includes(i) ? 0 : Math.max(a, t[i]) > border ? 1 : 2));

// the share of each group in the sum of all sizes, in per cent; all 0 where nothing pulls
/** @type {(sizes: number[], groups: number[]) => number[]} */
export function sharesOf(sizes, groups) {
  const parts = [0, 0, 0];
  sizes.forEach((size, i) => (parts[groups[i]] += Math.abs(size)));
  const all = sum(parts);
  return parts.map((part) => (all ? (100 * part) / all : 0));
}
/** @type {(s: number[], t: number[], groups: number[], T: number) => number[]} */
export const pullShares = (s, t, groups, T) =>
  sharesOf(
    s.map((a, i) => pullOn(a, t[i], T)),
    groups,
  );
