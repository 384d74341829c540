// The maths of score boards: pure functions. A board of L tokens has for each type the upper triangle of its scores,
// row by row: cell (i, j) with i <= j is the span of tokens i ... j. A span is [h, start, end], end exclusive, h the
// number of its type.

/** @typedef {number[]} Span a type's number, the start, the end */

/** @type {(length: number) => number} */
export const cellCount = (length) => (length * (length + 1)) / 2;

// the place of cell (i, j) in the triangle: before row i stand L + (L - 1) + ... + (L - i + 1) cells
/** @type {(i: number, j: number, length: number) => number} */
export const cellPlace = (i, j, length) => i * length - (i * (i - 1)) / 2 + j - i;

// the cell (i, j) at a place, the inverse of cellPlace
/** @type {(place: number, length: number) => number[]} */
export function cellAt(place, length) {
  let i = 0;
  let left = place;
  for (; left >= length - i; i += 1) left -= length - i;
  return [i, i + left];
}

// every span scored above the threshold, by start, then end, then type; cells: one triangle a type
/** @type {(cells: number[][], length: number, threshold?: number) => Span[]} */
export function spansAbove(cells, length, threshold = 0) {
  /** @type {Span[]} */
  const found = [];
  cells.forEach((triangle, h) =>
    triangle.forEach((score, place) => {
      if (!(score > threshold)) return;
      const [i, j] = cellAt(place, length);
      found.push([h, i, j + 1]);
    }),
  );
  return found.sort((a, b) => a[1] - b[1] || a[2] - b[2] || a[0] - b[0]);
}

/** @type {(span: Span) => string} */
const textOf = (span) => JSON.stringify(span);
/** @type {(part: number, whole: number) => number} */
const shareOf = (part, whole) => (whole ? part / whole : 0);

// exact match: counts, and precision, recall and F1 with 0/0 = 0
/** @type {(decided: Span[], gold: Span[]) => Record<string, number>} */
export function compareSpans(decided, gold) {
  const guesses = new Set(decided.map(textOf));
  const truths = new Set(gold.map(textOf));
  const correct = [...guesses].filter((span) => truths.has(span)).length;
  const predicted = guesses.size;
  return {
    correct,
    predicted,
    gold: truths.size,
    precision: shareOf(correct, predicted),
    recall: shareOf(correct, truths.size),
    f1: shareOf(2 * correct, predicted + truths.size),
  };
}

// 3: decided and gold (right), 2: decided only (wrong), 1: gold only (missed), 0: neither
/** @type {(span: Span, decided: Span[], gold: Span[]) => number} */
export function verdictOf(span, decided, gold) {
  /** @type {(spans: Span[]) => number} */
  const among = (spans) => Number(spans.some((one) => textOf(one) === textOf(span)));
  return 2 * among(decided) + among(gold);
}

// the line below the text on which each span is drawn: as high as the spans drawn before leave room, longest first
/** @type {(spans: Span[]) => number[]} */
export function spanLines(spans) {
  const lines = spans.map(() => 0);
  /** @type {number[][][]} */
  const taken = [];
  const longest = spans
    .map((_, k) => k)
    .sort((a, b) => spans[b][2] - spans[b][1] - (spans[a][2] - spans[a][1]) || a - b);
  for (const k of longest) {
    const [, start, end] = spans[k];
    let line = 0;
    while ((taken[line] ?? []).some(([from, to]) => start < to && from < end)) line += 1;
    taken[line] = [...(taken[line] ?? []), [start, end]];
    lines[k] = line;
  }
  return lines;
}
