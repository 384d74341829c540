// The maths of recorded trainings: pure functions. `bins` are [candidates, mean sigma, true spans] of ten equal bins.

// one type's upper triangle as recorded: numbers with spaces between
/** @type {(text: string) => number[]} */
export const readCells = (text) => text.split(" ").map(Number);

// mean over the candidates of |mean sigma - share of true spans| of their bin
/** @type {(bins: number[][]) => number} */
export function calibrationError(bins) {
  let total = 0;
  let gap = 0;
  for (const [count, mean, hits] of bins) {
    total += count;
    gap += Math.abs(count * mean - hits);
  }
  return total ? gap / total : 0;
}

// [mean sigma, share of true spans, candidates] of the bins that hold any
/** @type {(bins: number[][]) => number[][]} */
export const reliabilityPoints = (bins) =>
  bins.filter(([count]) => count).map(([count, mean, hits]) => [mean, hits / count, count]);

// what was minimised: cross-entropy and what the divergence added
/** @type {(task: number, term: number) => number} */
export const lossOf = (task, term) => task + term;
