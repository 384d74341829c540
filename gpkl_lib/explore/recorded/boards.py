"""Recorded boards: every score that a trained tagger gives to a sentence, as the recorder of boards wrote them.

A board of L tokens and H types has H upper triangles of L(L+1)/2 scores. Row by row they are the flat lists of the
record; as matrices they have the form that the heads give, the dtype's lowest number below the diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gpkl_lib._storage import Row, read_rows
from gpkl_lib.spans import Span, SpanScores, decode_spans, span_scores


@dataclass(frozen=True)
class Board:
    """One sentence under one tagger.

    Attributes:
        tokens: L words.
        types: H span types, in the order of the scores.
        gold: the true spans, (type, start, end) with `end` exclusive.
        scores: float64 (H, L, L), without dropout; cell (h, i, j) is the span of tokens i ... j of type h.
        views: two more of the same form, from two rows of one forward pass with dropout.
        run: corpus, model, settings, test scores and provenance of the tagger, as recorded.
    """

    tokens: tuple[str, ...]
    types: tuple[str, ...]
    gold: tuple[Span, ...]
    scores: Tensor
    views: tuple[Tensor, Tensor]
    run: Row

    @property
    def corpus(self) -> str:
        """Name of the corpus whose test part the sentence is from."""
        return str(self.run["corpus"]["name"])

    def decided(self, threshold: float = 0.0, scores: Tensor | None = None) -> list[Span]:
        """The spans scored above `threshold`, by `decode_spans`; of a view where `scores` is one."""
        return decode_spans((self.scores if scores is None else scores)[None], self.types, threshold=threshold)[0]

    def result(self, threshold: float = 0.0) -> SpanScores:
        """Precision, recall and F1 of this one sentence."""
        return span_scores([self.decided(threshold)], [self.gold])


def load_boards(path: str | Path) -> list[Board]:
    """The boards of a record, in its order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is no JSON object, a board that lacks something or does not fit its tokens and types.
    """
    boards = []
    for number, row in enumerate(read_rows(Path(path)), 1):
        try:
            types, run = tuple(row["types"]), {name: value for name, value in row.items() if name != "boards"}
            boards += [_board(board, types, run) for board in row["boards"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}:{number}: not a record of boards: {error!r}") from error
    return boards


def _board(row: Row, types: tuple[str, ...], run: Row) -> Board:
    tokens = tuple(row["tokens"])
    gold = tuple((str(kind), int(start), int(end)) for kind, start, end in row["gold"])
    scores, first, second = (unfold(cells, len(tokens)) for cells in (row["scores"], *row["views"]))
    if {len(x) for x in (scores, first, second)} != {len(types)}:
        raise TypeError(f"{len(types)} types and scores of {len(scores)}, {len(first)} and {len(second)}")
    return Board(tokens, types, gold, scores, (first, second), run)


def unfold(cells: Sequence[Sequence[float]], length: int) -> Tensor:
    """(H, L(L+1)/2) cells, row by row, as float64 matrices (H, L, L) with the lowest number below the diagonal.

    Raises:
        ValueError: not L(L+1)/2 cells for each type.
    """
    flat = torch.tensor(cells, dtype=torch.float64)
    if flat.ndim != 2 or flat.shape[1] != length * (length + 1) // 2:
        raise ValueError(f"{length} tokens have {length * (length + 1) // 2} cells a type, got {tuple(flat.shape)}")
    rows, columns = torch.triu_indices(length, length)
    matrices = torch.full((len(flat), length, length), torch.finfo(torch.float64).min, dtype=torch.float64)
    matrices[:, rows, columns] = flat
    return matrices


def fold(scores: Tensor) -> Tensor:
    """The upper triangles of (..., L, L), row by row: (..., L(L+1)/2)."""
    rows, columns = torch.triu_indices(scores.shape[-1], scores.shape[-1])
    return scores[..., rows, columns]
