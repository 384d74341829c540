// The maths of "One noise, many roads": samplers that go from noise to data of one dimension, by the best denoiser that
// there is. Bumps are [share, mean, width]; a move is [a, b, a next, b next, old noise kept, new noise].
import { sum } from "./core.js";
import { noiseDraws, normalQuantile } from "./noise.js";

const LEVELS = 1000;
/** @type {Record<string, number[][]>} */
const DATA = {
  "two bumps": [
    [0.3, -1.5, 0.2],
    [0.7, 1, 0.3],
  ],
  "one bump": [[1, 1.5, 0.2]],
};
/** @type {(name: string) => number[][]} */
export const bumpsOf = (name) => DATA[name];

// a and b of every level
/** @type {[number, number][]} */
const SCHEDULE = [[1, 0]];
for (let k = 0, product = 1; k < LEVELS; k += 1) {
  product *= 1 - (1e-4 + ((0.02 - 1e-4) * k) / (LEVELS - 1));
  SCHEDULE.push([Math.sqrt(product), Math.sqrt(1 - product)]);
}

/** @type {(steps: number, eta?: number, added?: string) => number[][]} */
export function plan(steps, eta = 0, added = "matching") {
  const level = (/** @type {number} */ k) => Math.floor((2 * LEVELS * k + steps) / (2 * steps));
  return Array.from({ length: steps }, (_, done) => {
    const lower = level(steps - done - 1);
    const [a, b] = SCHEDULE[level(steps - done)];
    const [aNext, bNext] = SCHEDULE[lower];
    const large = Math.sqrt((aNext - a) * (aNext + a)) / aNext;
    const omega = ((eta * bNext) / b) * large;
    const other = lower || added === "large" ? large : 0;
    return [a, b, aNext, bNext, Math.sqrt(bNext ** 2 - omega ** 2), added === "matching" ? omega : other];
  });
}

// the mean of the noise in x = a x0 + b e, given x: a softmax over the bumps weighs what each would say
/** @type {(x: number, a: number, b: number, bumps: number[][]) => number} */
export function guess(x, a, b, bumps) {
  let top = -Infinity;
  let total = 0;
  let noise = 0;
  for (const [share, mean, width] of bumps) {
    const variance = (a * width) ** 2 + b * b;
    const off = x - a * mean;
    const logit = Math.log(share) - Math.log(variance) / 2 - off ** 2 / (2 * variance);
    const old = logit > top ? Math.exp(top - logit) : 1;
    const own = logit > top ? 1 : Math.exp(logit - top);
    total = total * old + own;
    noise = noise * old + (own * b * off) / variance;
    top = Math.max(top, logit);
  }
  return noise / total;
}

// where roads that begin at `starts` are, at first and after each move; the new noise is always the same
/** @type {(starts: number[], moves: number[][], bumps: number[][]) => number[][]} */
export function roads(starts, moves, bumps) {
  const fresh = newNoise(starts.length, moves.length);
  const places = [starts];
  moves.forEach(([a, b, aNext, , kept, added], step) => {
    const next = places[step].map((x, road) => {
      const e = guess(x, a, b, bumps);
      return (aNext * (x - b * e)) / a + kept * e + added * fresh[step][road];
    });
    places.push(next);
  });
  return places;
}

// the noise of n roads in each of as many steps; drawn once, for drawing it takes longer than all the rest
/** @type {Map<number, number[][]>} */
const DRAWN = new Map();
/** @type {(n: number, steps: number) => number[][]} */
function newNoise(n, steps) {
  const known = DRAWN.get(n) ?? [];
  if (known.length >= steps) return known;
  const more = noiseDraws("normal", n, steps);
  DRAWN.set(n, more);
  return more;
}

// the middles of n equal shares of a normal distribution
/** @type {(n: number) => number[]} */
export const quantiles = (n) => Array.from({ length: n }, (_, i) => normalQuantile((i + 0.5) / n));

// mean and standard deviation at the end, where the data are one bump
/** @type {(moves: number[][], bump: number[]) => number[]} */
export function gaussian(moves, [, mean, width]) {
  let off = -moves[0][0] * mean;
  let variance = 1;
  for (const [a, b, aNext, , kept, added] of moves) {
    const shrink = (a * aNext * width ** 2 + b * kept) / ((a * width) ** 2 + b * b);
    off *= shrink;
    variance = shrink ** 2 * variance + added ** 2;
  }
  return [mean + off, Math.sqrt(variance)];
}

// KL(found || data) of two Gaussians, each a mean and a standard deviation
/** @type {(found: number[], data: number[]) => number} */
export const gaussianKl = ([mean, width], [to, wide]) =>
  Math.log(wide / width) + (width ** 2 + (mean - to) ** 2) / (2 * wide ** 2) - 0.5;

/** @type {(values: number[]) => number} */
export function deviation(values) {
  const mean = sum(values) / values.length;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / values.length);
}

/** @type {(bumps: number[][]) => number} */
export function dataDeviation(bumps) {
  const middle = sum(bumps.map(([share, mean]) => share * mean));
  return Math.sqrt(sum(bumps.map(([share, mean, width]) => share * (width ** 2 + (mean - middle) ** 2))));
}

/** @type {(x: number, bumps: number[][]) => number} */
export function bumpDensity(x, bumps) {
  const root = Math.sqrt(2 * Math.PI);
  return sum(
    bumps.map(([share, mean, width]) => (share * Math.exp(-(((x - mean) / width) ** 2) / 2)) / (width * root)),
  );
}

// the share of the ends in each of equal cells from -reach to reach; what lies outside counts in the outermost
/** @type {(ends: number[], cells: number, reach: number) => number[]} */
export function histogram(ends, cells, reach) {
  const shares = Array(cells).fill(0);
  for (const x of ends) {
    const cell = Math.floor(((x + reach) * cells) / (2 * reach));
    shares[Math.min(cells - 1, Math.max(0, cell))] += 1 / ends.length;
  }
  return shares;
}

// pairs that end in another order than they began in
/** @type {(ends: number[]) => number} */
export const swaps = (ends) => sum(ends.map((x, i) => ends.slice(i + 1).filter((y) => x > y).length));
