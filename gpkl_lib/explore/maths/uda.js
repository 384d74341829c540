// The maths of consistency with a fixed target: pure functions. s are the scores of an altered copy, t those of the
// sentence itself, T the temperature of the target alone; every span is a decision of its own. In nats.
import { klTerms, sigmoid, sum } from "./core.js";

// the probability that the target gives its own decision
/** @type {(t: number[]) => number[]} */
export const confidence = (t) => t.map((x) => sigmoid(Math.abs(x)));

// which spans count: the target surer than the threshold and, if only a yes may count, above 0
/** @type {(t: number[], threshold: number, yesOnly: boolean) => boolean[]} */
export const countedSpans = (t, threshold, yesOnly) =>
  confidence(t).map((c, i) => c > threshold && (!yesOnly || t[i] > 0));

// KL(sigmoid(t/T) || sigmoid(s)) span by span
/** @type {(s: number[], t: number[], T: number) => number[]} */
export const targetTerms = (s, t, T) =>
  klTerms(
    t.map((x) => x / T),
    s,
    "sigmoid",
  );

// the loss divided by all spans and by those counted; 0 where none is
/** @type {(terms: number[], counted: boolean[]) => { all: number, sure: number }} */
export function dividedLoss(terms, counted) {
  const total = sum(terms.filter((_, i) => counted[i]));
  const many = counted.filter(Boolean).length;
  return { all: total / terms.length, sure: many ? total / many : 0 };
}

// the part of the counted loss that spans with a yes pay; 0 of nothing
/** @type {(terms: number[], counted: boolean[], t: number[]) => number} */
export function shareOfYes(terms, counted, t) {
  const total = sum(terms.filter((_, i) => counted[i]));
  return total ? sum(terms.filter((_, i) => counted[i] && t[i] > 0)) / total : 0;
}

// the sum of the gradients by s over the counted spans: above 0 descent moves all scores down
/** @type {(s: number[], t: number[], T: number, counted: boolean[]) => number} */
export const netPush = (s, t, T, counted) => sum(s.map((x, i) => (counted[i] ? sigmoid(x) - sigmoid(t[i] / T) : 0)));

// the divided loss at each of some thresholds
/** @type {(terms: number[], t: number[], thresholds: number[], yesOnly: boolean) => { all: number, sure: number }[]} */
export const lossAgainstThreshold = (terms, t, thresholds, yesOnly) =>
  thresholds.map((threshold) => dividedLoss(terms, countedSpans(t, threshold, yesOnly)));
