// A sentence and its spans below the words, as several explorables show it. No maths here.
import { spanLines } from "../maths/board.js";
import { h, rebuild } from "./kit.js";

/** @typedef {import("./kit.js").Child} Child */
/** @typedef {number[]} Judged a span and its verdict: type, start, end, 0 to 3 */

// by verdict: neither, missed, wrong, right
const VERDICT = ["none", "missed", "wrong", "right"];
export const SIGN = ["", "○", "✗", "✓"];
export const TONE = ["grey", "vermilion", "vermilion", "green"];
export const SENTENCE_STYLE = `
.gpkl-sb-text {
  display: flex; flex-wrap: wrap; margin-top: 0.35rem; overflow: hidden;
  touch-action: pan-y; user-select: none; -webkit-user-select: none;
}
.gpkl-sb-token { display: flex; flex-direction: column; padding-bottom: 4px; }
.gpkl-sb-word { padding: 1px 5px; border-radius: 4px; font-size: 1.05rem; }
.gpkl-sb-on .gpkl-sb-word { background: color-mix(in srgb, var(--gpkl-blue) 22%, var(--gpkl-paper)); }
.gpkl-sb-on + .gpkl-sb-on .gpkl-sb-word { border-radius: 0; }
.gpkl-sb-lane {
  width: 0; min-width: 100%; height: 20px; padding: 0 1px; border-top: 3px none var(--tone);
  color: var(--tone); font-size: 12px; line-height: 16px; white-space: nowrap;
}
.gpkl-sb-right { border-top-style: solid; }
.gpkl-sb-wrong { border-top-style: double; }
.gpkl-sb-missed { border-top-style: dashed; }
.gpkl-sb-none { padding-top: 3px; }
.gpkl-sb-first { margin-left: 4px; min-width: calc(100% - 4px); }
.gpkl-sb-last { margin-right: 4px; min-width: calc(100% - 4px); }
.gpkl-sb-first.gpkl-sb-last { min-width: calc(100% - 8px); }
.gpkl-sb-mine { font-weight: 700; }
`;

// where the pointer of a plot or a text is: `seen(event, pressed, held)` on the press and on every move
/**
 * @type {(
 *   node: GlobalEventHandlers & Element,
 *   seen: (event: PointerEvent, pressed: boolean, held: boolean) => void,
 * ) => void}
 */
export function track(node, seen) {
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    seen(event, true, true);
  });
  node.addEventListener("pointermove", (event) => seen(event, false, node.hasPointerCapture(event.pointerId)));
}

// The sentence; below each word one lane for every line of spans. `look(i, j)`, if given, is told of words dragged
// over. The function returned draws tokens, types, spans [type, start, end, verdict], the type in bold and the words
// marked.
/**
 * @type {(parent: Element, caption: Child, look?: ((first: number, last: number) => void) | null) =>
 *   (tokens: string[], types: string[], spans: Judged[], chosen?: number, marked?: number[]) => void}
 */
export function sentencePanel(parent, caption, look = null) {
  const words = h("div", { class: "gpkl-sb-text" });
  parent.append(h("div", { class: "gpkl-panel gpkl-wide" }, h("div", { class: "gpkl-label" }, caption), words));
  let from = 0;
  if (look)
    track(words, (event, pressed, held) => {
      /** @type {HTMLElement | null | undefined} */
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-token]");
      if (!under || !words.contains(under) || !(pressed || held)) return;
      const at = Number(under.dataset.token);
      if (pressed) from = at;
      look(Math.min(from, at), Math.max(from, at));
    });
  return (tokens, types, spans, chosen = -1, [start, last] = [0, -1]) => {
    rebuild(words, [tokens, spans, chosen], () => {
      const lines = spanLines(spans);
      return tokens.map((token, i) => {
        /** @type {Judged[]} */
        const over = []; // by line, the span over this word
        spans.forEach((span, k) => {
          if (span[1] <= i && i < span[2]) over[lines[k]] = span;
        });
        return h(
          "div",
          { class: "gpkl-sb-token", "data-token": i },
          h("span", { class: "gpkl-sb-word" }, token),
          Array.from(over, (span) => spanLane(span, i, types, chosen)),
        );
      });
    });
    [...words.children].forEach((word, i) => word.classList.toggle("gpkl-sb-on", start <= i && i <= last));
  };
}

/** @type {(span: Judged | undefined, i: number, types: string[], chosen: number) => Element} */
function spanLane(span, i, types, chosen) {
  if (!span) return h("span", { class: "gpkl-sb-lane gpkl-sb-none" });
  const [kind, start, end, verdict] = span;
  const text = `${types[kind]} ${SIGN[verdict]}`;
  const first = i === start ? " gpkl-sb-first" : "";
  const last = i === end - 1 ? " gpkl-sb-last" : "";
  const mine = kind === chosen ? " gpkl-sb-mine" : "";
  const node = h(
    "span",
    { class: `gpkl-sb-lane gpkl-sb-${VERDICT[verdict]} gpkl-${TONE[verdict]}${first}${last}${mine}` },
    first ? text : "",
  );
  const margins = (first ? 4 : 0) + (last ? 4 : 0);
  node.style.minWidth = `max(${(text.length * 6.6 + 10) / (end - start)}px, 100% - ${margins}px)`;
  return node;
}
