"""The span board, over the recorded boards; two made by hand, with a single word and with as many as may be."""

import itertools
from pathlib import Path

import torch
from specimen import Specimen

from gpkl_lib import decode_spans, span_mask, span_scores
from gpkl_lib.explore import SpanBoard
from gpkl_lib.explore.recorded.boards import Board, fold, load_boards, unfold
from gpkl_lib.explore.span_board import LONGEST, VERDICTS, verdict_of
from gpkl_lib.spans import span_lines

BOARDS = load_boards(Path(__file__).parents[3] / "book/_results/span-boards.jsonl")
ONE = unfold([[0.0], [1e3]], 1)
WORD = Board(("Basel",), ("person", "place"), (("place", 0, 1),), ONE, (ONE, ONE), {"corpus": {"name": "by hand"}})
ALL = unfold(torch.linspace(12.0, -25.0, LONGEST * (LONGEST + 1) // 2, dtype=torch.float64)[None].tolist(), LONGEST)
LONG = Board(("Basel",) * LONGEST, ("place",), (("place", 0, 1),), ALL, (ALL, ALL), {"corpus": {"name": "by hand"}})

SPECIMEN = Specimen(
    settings=[
        SpanBoard(BOARDS),
        SpanBoard(BOARDS, board=2, type="organisation", threshold=-5.5),
        SpanBoard(BOARDS, board=4, type="LOC", cell=(0, 8)),
        SpanBoard(BOARDS[3:], threshold=10.0, type="work"),
        SpanBoard(BOARDS[1:2], threshold=-10.0, type="place", cell=(10, 10)),
        SpanBoard([WORD], type="place"),
        SpanBoard([LONG], threshold=-1.3),
    ],
    line="f1",
    slider="threshold θ",
    stops=6,
)


def golden():
    module = "maths/board"
    for length in (1, 2, 9, 14):
        yield module, "cellCount", [length], int(span_mask(torch.ones(1, length)).sum())
        for place, (i, j) in enumerate(torch.triu_indices(length, length).T.tolist()):
            yield module, "cellPlace", [i, j, length], place
            yield module, "cellAt", [place, length], [i, j]
    for board, threshold in itertools.product([*BOARDS, WORD], (-20.0, -5.5, 0.0, 0.54, 2.0, 1e3)):
        cells, types, length = fold(board.scores).tolist(), list(board.types), len(board.tokens)
        (found,) = decode_spans(board.scores[None], types, threshold=threshold)
        decided, gold = ([(types.index(kind), *ends) for kind, *ends in spans] for spans in (found, board.gold))
        result = span_scores([found], [board.gold])
        counts = {name: getattr(result, name) for name in ("correct", "predicted", "gold", "precision", "recall", "f1")}
        yield module, "spansAbove", [cells, length, threshold], decided
        yield module, "compareSpans", [decided, gold], counts
        yield module, "compareSpans", [decided * 2, []], dict.fromkeys(counts, 0) | {"predicted": len(decided)}
        yield module, "spanLines", [decided], span_lines(found)
        for span in {*decided, *gold, (0, 0, 1)}:
            named = (types[span[0]], *span[1:])
            yield module, "verdictOf", [span, decided, gold], VERDICTS.index(verdict_of(named, found, board.gold))
