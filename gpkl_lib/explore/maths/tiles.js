// The maths of "Tiles": pure functions, without a page. A board of n tokens is its upper triangle, row by row; r rows
// at a time are scored from the diagonal of their first row to the last column.

/** @typedef {{ maximum: number, sum: number, factor: number, logsumexp: number, forgotten: number }} Walk */

/** @type {(n: number, rows: number) => number} */
export const blockCount = (n, rows) => Math.ceil(n / rows);

// [first row, row after the last] of the block
/** @type {(n: number, rows: number, block: number) => number[]} */
export const blockRows = (n, rows, block) => [block * rows, Math.min((block + 1) * rows, n)];

// where in the list the cell of row i and column j stands
/** @type {(n: number, i: number, j: number) => number} */
const place = (n, i, j) => i * n - (i * (i - 1)) / 2 + (j - i);

// [row, column] of the k-th score of the list
/** @type {(k: number, n: number) => number[]} */
export function rowColumn(k, n) {
  let i = 0;
  while (place(n, i + 1, i + 1) <= k) i += 1;
  return [i, i + k - place(n, i, i)];
}

// the scores of a block's spans
/** @type {(scores: number[], n: number, rows: number, block: number) => number[]} */
export function blockScores(scores, n, rows, block) {
  const [from, until] = blockRows(n, rows, block);
  const found = [];
  for (let i = from; i < until; i += 1) for (let j = i; j < n; j += 1) found.push(scores[place(n, i, j)]);
  return found;
}

// cells computed for the first blocks, those below the diagonal among them
/** @type {(n: number, rows: number, blocks: number) => number} */
export function cellsComputed(n, rows, blocks) {
  let cells = 0;
  for (let block = 0; block < blocks; block += 1) {
    const [from, until] = blockRows(n, rows, block);
    cells += (until - from) * (n - from);
  }
  return cells;
}

// [m', z', e^(m - m')]: the largest score and the sum in its unit once more scores x have come
/** @type {(m: number, z: number, x: number[]) => number[]} */
export function mergeBlock(m, z, x) {
  const top = x.reduce((a, b) => Math.max(a, b), m);
  const factor = Math.exp(m - top);
  return [top, x.reduce((a, b) => a + Math.exp(b - top), z * factor), factor];
}

// After so many blocks: m, z, the last factor, m + log z, and what m + log z were without any factor. The threshold,
// score 0, is there from the start.
/** @type {(scores: number[], n: number, rows: number, blocks: number) => Walk} */
export function walkTiles(scores, n, rows, blocks) {
  let m = 0;
  let z = 1;
  let factor = 1;
  let wrong = 1;
  for (let block = 0; block < Math.min(blocks, blockCount(n, rows)); block += 1) {
    const x = blockScores(scores, n, rows, block);
    [m, z, factor] = mergeBlock(m, z, x);
    wrong = x.reduce((a, b) => a + Math.exp(b - m), wrong);
  }
  return { maximum: m, sum: z, factor, logsumexp: m + Math.log(z), forgotten: m + Math.log(wrong) };
}

// log(1 + sum of e^x over the whole board)
/** @type {(scores: number[], n: number) => number} */
export const lossOfAll = (scores, n) => walkTiles(scores, n, n, 1).logsumexp;

// bytes of one float32 board of two views: 4 * 2 B H L^2
/** @type {(batch: number, heads: number, length: number) => number} */
export const boardBytes = (batch, heads, length) => 4 * 2 * batch * heads * length ** 2;

// most bytes at a time: gradients of queries and keys in two views, blocks of scores at work, and the scores that wait
/**
 * @type {(batch: number, heads: number, length: number, features: number, block: number, blocks: number,
 *   hold: number) => number}
 */
export const tiledBytes = (batch, heads, length, features, block, blocks, hold) => {
  const pairs = 2 * batch * heads;
  const all = pairs * length ** 2;
  return 4 * (pairs * 2 * length * features + blocks * Math.min(block, all) + Math.min(hold, all));
};
