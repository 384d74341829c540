// The maths of "Draw the noise": who has the largest of n scores when each has noise of its own, by the library's
// quadrature and by draws; and two views with the same noise. s, t are arrays of scores, T > 0 the width of the noise.
import { max, sigmoid, sum } from "./core.js";

/** @typedef {[cdf: (x: number) => number, quantile: (u: number, rest: number) => number, bends: number[]]} Law */
/** @typedef {{ shares: number[][], drawn: number, least: number, apart: number }} Coupling */

// the share of a normal variable above z > 0, over its density there: the difference of 1/2 and a series, or a
// continued fraction
/** @type {(z: number) => number} */
const density = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
/** @type {(z: number) => number} */
function normalTail(z) {
  let value = 0;
  if (z > 2.5) {
    for (let k = 60; k > 0; k -= 1) value = k / (z + value);
    return density(z) / (z + value);
  }
  for (let k = 60; k >= 0; k -= 1) value = (z * (1 + value * z)) / (2 * k + 1);
  return 0.5 - density(z) * value;
}
/** @type {(x: number) => number} */
export const normalCdf = (x) => (x < 0 ? normalTail(-x) : 1 - normalTail(x));

// its inverse for u < 1/2, by two steps of Halley's method from a well-known start
/** @type {(u: number) => number} */
function lowerNormal(u) {
  const r = Math.sqrt(-2 * Math.log(u));
  let z = r - (2.515517 + r * (0.802853 + r * 0.010328)) / (1 + r * (1.432788 + r * (0.189269 + r * 0.001308)));
  for (let k = 0; k < 2; k += 1) {
    const step = (u - normalTail(z)) / density(z);
    z -= step / (1 + (z * step) / 2);
  }
  return -z;
}

/** @type {(lower: (u: number) => number) => (u: number, rest: number) => number} */
const mirrored = (lower) => (u, rest) => (u < 0.5 ? lower(u) : -lower(rest));
/** @type {Record<string, Law>} */
const LAWS = {
  gumbel: [(x) => Math.exp(-Math.exp(-x)), (u, rest) => -Math.log(-(u < 0.5 ? Math.log(u) : Math.log1p(-rest))), []],
  exponential: [(x) => (x > 0 ? -Math.expm1(-x) : 0), (_, rest) => -Math.log(rest), [0]],
  uniform: [(x) => Math.min(1, Math.max(0, x)), (u) => u, [0, 1]],
  normal: [normalCdf, mirrored(lowerNormal), []],
  laplace: [(x) => (x < 0 ? Math.exp(x) / 2 : 1 - Math.exp(-x) / 2), mirrored((u) => Math.log(2 * u)), [0]],
  logistic: [sigmoid, (u, rest) => Math.log(u) - Math.log(rest), []],
  cauchy: [(x) => Math.atan2(1, -x) / Math.PI, mirrored((u) => -1 / Math.tan(Math.PI * u)), [0]],
};

// the trapezoid rule over v from -40 to 40, u = sigmoid(v), on every piece between two bends: [u, 1 - u, weight]
const NODES = Array.from({ length: 321 }, (_, k) => {
  const v = (k - 160) / 4;
  return [sigmoid(v), sigmoid(-v), (sigmoid(v) * sigmoid(-v)) / 4];
});

/** @type {(noise: string, s: number[], T?: number) => number[]} */
export function argmaxProbabilities(noise, s, T = 1) {
  const [cdf, quantile, bends] = LAWS[noise];
  return s.map((own, i) => {
    const leads = s.map((rival) => (own - rival) / T);
    const cuts = [0, 1, ...bends.flatMap((bend) => leads.map((lead) => cdf(bend - lead)))].sort((a, b) => a - b);
    return sum(
      cuts.slice(1).map((high, piece) => {
        const low = cuts[piece];
        const wide = high - low;
        if (wide === 0) return 0;
        let part = 0;
        for (const [share, other, weight] of NODES) {
          const noisy = quantile(low + wide * share, 1 - low - wide + wide * other);
          let wins = wide * weight;
          for (let j = 0; j < s.length; j += 1) if (j !== i) wins *= cdf(noisy + leads[j]);
          part += wins;
        }
        return part;
      }),
    );
  });
}

// D = <p(s/T) - p(t/T), s - t>
/** @type {(noise: string, s: number[], t: number[], T?: number) => number} */
export function noiseDivergence(noise, s, t, T = 1) {
  const p = argmaxProbabilities(noise, s, T);
  const q = argmaxProbabilities(noise, t, T);
  return sum(p.map((value, i) => (value - q[i]) * (s[i] - t[i])));
}

// a number between 0 and 1 that looks random, one for each k: its bits mixed
/** @type {(k: number) => number} */
export function mixed(k) {
  let x = Math.imul(k ^ (k >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (((x ^ (x >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

// where a normal variable is with the probability u below it
/** @type {(u: number) => number} */
export const normalQuantile = (u) => LAWS.normal[1](u, 1 - u);

// the first `count` draws of n noises each, always the same
const SEED = 2 ** 21;
/** @type {(noise: string, n: number, count: number) => number[][]} */
export function noiseDraws(noise, n, count) {
  const quantile = LAWS[noise][1];
  return Array.from({ length: count }, (_, draw) =>
    Array.from({ length: n }, (__, i) => {
      const u = mixed(SEED + n * draw + i);
      return quantile(u, 1 - u);
    }),
  );
}

/** @type {(s: number[], noise: number[], T?: number) => number} */
export function winner(s, noise, T = 1) {
  let best = 0;
  for (let i = 1; i < s.length; i += 1) if (s[i] + T * noise[i] > s[best] + T * noise[best]) best = i;
  return best;
}

// how often each score won
/** @type {(s: number[], draws: number[][], T?: number) => number[]} */
export function winShares(s, draws, T = 1) {
  const counts = s.map(() => 0);
  for (const noise of draws) counts[winner(s, noise, T)] += 1;
  return counts.map((count) => count / draws.length);
}

// what a draw adds to D when i wins in the first view and j in the second
/** @type {(s: number[], t: number[], i: number, j: number) => number} */
export const term = (s, t, i, j) => s[i] - t[i] - (s[j] - t[j]);

// two views with the same noise: how often each pair of winners came, the mean term, the least, and the share of draws
// in which the views decide differently
/** @type {(s: number[], t: number[], draws: number[][], T?: number) => Coupling} */
export function coupled(s, t, draws, T = 1) {
  const counts = s.map(() => s.map(() => 0));
  for (const noise of draws) counts[winner(s, noise, T)][winner(t, noise, T)] += 1;
  const shares = counts.map((row) => row.map((count) => count / draws.length));
  const met = shares.flatMap((row, i) => row.map((share, j) => ({ share, i, j }))).filter(({ share }) => share > 0);
  return {
    shares,
    drawn: sum(met.map(({ share, i, j }) => share * term(s, t, i, j))),
    least: -max(met.map(({ i, j }) => -term(s, t, i, j))),
    apart: sum(met.map(({ share, i, j }) => (i === j ? 0 : share))),
  };
}
