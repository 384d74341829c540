"""Span board: the scores of every span of a recorded sentence, type by type, and what they decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import traitlets

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.recorded.boards import Board, fold, unfold
from gpkl_lib.explore.traits import Ranged, check_range
from gpkl_lib.spans import Span, SpanScores, decode_spans, span_scores

LONGEST, MANY = 14, 12
VERDICTS = ("none", "missed", "wrong", "right")
SIGNS = {"right": "✓", "wrong": "✗", "missed": "○", "none": ""}
TONES = {"right": "green", "wrong": "vermilion", "missed": "vermilion", "none": "grey"}


class SpanBoard(Explorable):
    """A sentence, its upper-triangular score matrix for each type, and the spans scored above a threshold.

    Args:
        boards: one or more of at most 14 tokens, from `gpkl_lib.explore.recorded.load_boards`.
        board: which of them is shown, from 0.
        type: whose matrix is shown; the first of the board's where not given.
        threshold: decided are the spans scored above it, between -10 and 10; the training is for 0.
        cell: (i, j), the first and last token of the span that is looked at; the best of the type where not given.

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: no board.

    Example:
        >>> from gpkl_lib.explore.recorded import Board
        >>> scores = torch.tensor([[[-2.0, 3.0], [0.0, 1.0]]], dtype=torch.float64)  # (types, L, L)
        >>> gold, run = (("LOC", 0, 2),), {"corpus": {"name": "mine"}}
        >>> board = Board(("New", "York"), ("LOC",), gold, scores, (scores, scores), run)
        >>> SpanBoard([board]).values()["predicted"]
        2
    """

    boards = traitlets.List(traitlets.Dict()).tag(sync=True)
    board = traitlets.Int().tag(sync=True)
    type = traitlets.Unicode().tag(sync=True)
    threshold = Ranged(-10.0, 10.0)
    cell = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        boards: Sequence[Board],
        *,
        board: int = 0,
        type: str | None = None,
        threshold: float = 0.0,
        cell: tuple[int, int] | None = None,
    ) -> None:
        if not boards:
            raise ValueError("boards must hold at least one board")
        if not 0 <= board < len(boards):
            raise traitlets.TraitError(f"board must lie between 0 and {len(boards) - 1}, got {board}")
        types, length = boards[board].types, len(boards[board].tokens)
        type = types[0] if type is None else type
        if type not in types:
            raise traitlets.TraitError(f"type must be one of {', '.join(types)}, got {type!r}")
        if cell is None:
            cell = divmod(int(boards[board].scores[types.index(type)].argmax()), length)
        if not 0 <= cell[0] <= cell[1] < length:
            raise traitlets.TraitError(f"cell must be (i, j) with 0 <= i <= j < {length}, got {tuple(cell)}")
        super().__init__(
            boards=[_state(one) for one in boards], board=board, type=type, threshold=threshold, cell=list(cell)
        )

    @traitlets.validate("boards")
    def _validate_boards(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        for board in proposal["value"]:
            if not 1 <= len(board["tokens"]) <= LONGEST:
                raise traitlets.TraitError(f"a board must have 1 to {LONGEST} tokens, got {len(board['tokens'])}")
        return list(proposal["value"])

    @traitlets.validate("board")
    def _validate_board(self, proposal: dict[str, Any]) -> int:
        return int(check_range("board", proposal["value"], 0, len(self.boards) - 1))

    @traitlets.validate("type")
    def _validate_type(self, proposal: dict[str, Any]) -> str:
        if not any(proposal["value"] in board["types"] for board in self.boards):
            raise traitlets.TraitError(f"type must be one of a board's, got {proposal['value']!r}")
        return str(proposal["value"])

    @traitlets.validate("cell")
    def _validate_cell(self, proposal: dict[str, Any]) -> list[int]:
        longest = max(len(board["tokens"]) for board in self.boards)
        if len(proposal["value"]) != 2 or not 0 <= proposal["value"][0] <= proposal["value"][1] < longest:
            raise traitlets.TraitError(f"cell must be (i, j) with 0 <= i <= j < {longest}, got {proposal['value']}")
        return list(proposal["value"])

    @property
    def _shown(self) -> dict[str, Any]:
        return dict(self.boards[self.board])

    def scores(self) -> torch.Tensor:
        """Return the matrices of the board shown, float64 (H, L, L)."""
        return unfold(self._shown["cells"], len(self._shown["tokens"]))

    def decided(self) -> list[Span]:
        """Return the spans scored above the threshold, of all types."""
        return decode_spans(self.scores()[None], self._shown["types"], threshold=self.threshold)[0]

    def gold(self) -> list[Span]:
        """Return the true spans of the board shown."""
        return [(kind, start, end) for kind, start, end in self._shown["gold"]]

    def result(self) -> SpanScores:
        """Return the comparison of the two, by `span_scores`."""
        return span_scores([self.decided()], [self.gold()])

    def values(self) -> dict[str, float]:
        """Return the score of the cell, the number of candidates, and how the decided spans compare with the gold."""
        scores, result = self.scores(), self.result()
        i, j = self.cell
        return {
            "score": scores[self._shown["types"].index(self.type), i, j].item(),
            "candidates": float(fold(scores).numel()),
            "predicted": result.predicted,
            "gold": result.gold,
            "correct": result.correct,
            "precision": result.precision,
            "recall": result.recall,
            "f1": result.f1,
        }

    def still(self) -> str:
        """The matrix of the type shown, and the spans of all types, as one SVG picture."""
        tokens, values, decided, gold = self._shown["tokens"], self.values(), self.decided(), self.gold()
        told = []
        for span in sorted({*decided, *gold}, key=lambda span: (span[1], -span[2], span[0])):
            words, verdict = " ".join(tokens[span[1] : span[2]]), verdict_of(span, decided, gold)
            told.append((f"{SIGNS[verdict]} {span[0]}: {words}", f"{span[0]} {words}: {verdict}", TONES[verdict]))
        alt = (
            f"Score matrix of type {self.type} for the sentence: {' '.join(tokens)} Threshold {self.threshold:g}. "
            f"Spans of all types: {'; '.join(text for _, text, _ in told[:MANY]) or 'none'}. F1 {values['f1']:.4f}."
        )
        summary = (
            f"all types: {values['correct']} right of {values['predicted']} decided, {values['gold']} true, *F*1 = "
        )
        lines = [(f"type {self.type}, threshold {svg.number(self.threshold, 1)}", "ink")]
        lines += [(summary + f"{values['f1']:.4f}", "ink"), *((text, tone) for text, _, tone in told[:MANY])]
        if len(told) > MANY:
            lines.append((f"and {len(told) - MANY} more", "ink"))
        top = 24 * len(tokens) + 22
        parts = [svg.text(8, top + 18 * n, text, tone, "start") for n, (text, tone) in enumerate(lines)]
        return svg.picture(360, top + 18 * len(lines) - 6, alt, [*self._matrix(), *parts])

    def _matrix(self) -> Iterator[str]:
        tokens, scores = self._shown["tokens"], self.scores()[self._shown["types"].index(self.type)]
        left, decided, gold = 60.0, self.decided(), self.gold()
        side = min(40.0, (356 - left) / len(tokens))
        for i, token in enumerate(tokens):
            yield svg.text(left + side * i - 4, 24 * i + 16, token, "ink", "end")
            for j in range(i, len(tokens)):
                verdict, x = verdict_of((self.type, i, j + 1), decided, gold), left + side * (j + 0.5)
                if verdict != "none":
                    dash = {"stroke_dasharray": "3 2"} if verdict == "missed" else {}
                    yield svg.line(
                        x - side / 2 + 2, 24 * i + 21, x + side / 2 - 2, 24 * i + 21, TONES[verdict], width=2, **dash
                    )
                yield svg.text(x, 24 * i + 16, svg.number(scores[i, j].item(), 0), TONES[verdict])


def verdict_of(span: Span, decided: Sequence[Span], gold: Sequence[Span]) -> str:
    """The verdict on a span, one of VERDICTS: decided and true, decided only, true only, neither."""
    if span in decided:
        return "right" if span in gold else "wrong"
    return "missed" if span in gold else "none"


def _state(board: Board) -> dict[str, Any]:
    return {
        "tokens": list(board.tokens),
        "types": list(board.types),
        "gold": [list(span) for span in board.gold],
        "cells": fold(board.scores).tolist(),
        "corpus": board.corpus,
    }
