// The maths of "Variance along the way": two views s and t, and the softmax r at the place between them, from t at 0 to
// s at 1. Pure functions of numbers.
import { softmax, sum, symmetricKl } from "./core.js";

// the logits at a place on the straight way from t to s
/** @type {(s: number[], t: number[], place: number) => number[]} */
export const logitsAt = (s, t, place) => t.map((from, i) => from + place * (s[i] - from));

// the variance of s - t under r
/** @type {(s: number[], t: number[], place: number) => number} */
export function varianceAt(s, t, place) {
  const r = softmax(logitsAt(s, t, place));
  const gaps = s.map((to, i) => to - t[i]);
  const mean = sum(gaps.map((gap, i) => r[i] * gap));
  return sum(gaps.map((gap, i) => r[i] * (gap - mean) ** 2));
}

// the variance added up from t to the place, <r - q, s - t>: the divergence of that part of the way over its length
/** @type {(s: number[], t: number[], place: number) => number} */
export const areaUpTo = (s, t, place) => (place ? symmetricKl(logitsAt(s, t, place), t, "softmax") / place : 0);
