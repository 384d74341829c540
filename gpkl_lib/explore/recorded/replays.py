"""Recorded trainings: what stood after every epoch, as the recorder of replays wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gpkl_lib._storage import Row, read_rows
from gpkl_lib.explore.recorded.boards import unfold
from gpkl_lib.spans import Span, SpanScores, decode_spans, span_scores


@dataclass(frozen=True)
class Epoch:
    """What stood after one epoch.

    Attributes:
        task: cross-entropy, the epoch's mean, in nats.
        term: what the divergence added to it, alpha/4 D.
        f1: on dev.
        scores: float64 (H, L, L), of the replayed sentence, without dropout.
        bins: (candidates, mean sigma, true spans) of ten equal bins of sigma(s) over the candidates of dev.
    """

    task: float
    term: float
    f1: float
    scores: Tensor
    bins: tuple[tuple[int, float, int], ...]

    @property
    def loss(self) -> float:
        """What was minimised."""
        return self.task + self.term

    @property
    def calibration(self) -> float:
        """The mean gap between what was given and what was true; see `calibration_error`."""
        return calibration_error(self.bins)


@dataclass(frozen=True)
class Replay:
    """One training, epoch by epoch.

    Attributes:
        method: "none", "sigmoid", ...
        tokens, types, gold: the replayed sentence; spans are (type, start, end) with `end` exclusive.
        epochs: in order.
        run: settings and provenance, and the epochs as recorded.
    """

    method: str
    tokens: tuple[str, ...]
    types: tuple[str, ...]
    gold: tuple[Span, ...]
    epochs: tuple[Epoch, ...]
    run: Row

    @classmethod
    def from_row(cls, row: Row) -> Replay:
        """The training of one row of a record.

        Raises:
            KeyError, TypeError, ValueError: the row lacks something, or its parts do not fit together.
        """
        tokens, types = tuple(row["tokens"]), tuple(row["types"])
        gold = tuple((str(kind), int(start), int(end)) for kind, start, end in row["gold"])
        epochs = tuple(_epoch(one, len(tokens)) for one in row["epochs"])
        if any(len(one.scores) != len(types) for one in epochs):
            raise TypeError(f"{len(types)} types and scores of {[len(one.scores) for one in epochs]}")
        return cls(str(row["config"]["method"]), tokens, types, gold, epochs, row)

    def decided(self, epoch: int) -> list[Span]:
        """The spans of the sentence decided after an epoch, from 1, by `decode_spans`."""
        return decode_spans(self.epochs[epoch - 1].scores[None], self.types)[0]

    def result(self, epoch: int) -> SpanScores:
        """Precision, recall and F1 of this one sentence after an epoch, from 1."""
        return span_scores([self.decided(epoch)], [self.gold])


def calibration_error(bins: Sequence[tuple[int, float, int]]) -> float:
    """Mean over the candidates of |mean sigma - share of true spans| of their bin; 0 where there are none."""
    total = sum(count for count, _, _ in bins)
    return sum(abs(count * mean - true) for count, mean, true in bins) / total if total else 0.0


def load_replays(path: str | Path) -> list[Replay]:
    """The trainings of a record, in its order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is no JSON object, a training that lacks something or does not fit its tokens and types.
    """
    found = []
    for number, row in enumerate(read_rows(Path(path)), 1):
        try:
            found.append(Replay.from_row(row))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}:{number}: not a record of a training: {error!r}") from error
    return found


def _epoch(row: Row, length: int) -> Epoch:
    scores = unfold([[float(x) for x in cells.split()] for cells in row["scores"]], length)
    bins = tuple((int(count), float(mean), int(true)) for count, mean, true in row["bins"])
    return Epoch(float(row["task"]), float(row["term"]), float(row["f1"]), scores, bins)
