"""Training, replayed: recorded epochs of a few methods, with score boards, loss parts, F1 and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import traitlets

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.recorded.replays import Epoch, Replay
from gpkl_lib.explore.span_board import SIGNS, TONES, verdict_of
from gpkl_lib.explore.traits import check_range
from gpkl_lib.spans import Span

SIDE = 64.0  # of a board in the still picture


class TrainingReplayed(Explorable):
    """What stood after each epoch of recorded trainings of one model on one corpus, by different methods.

    Args:
        replays: two to four of one sentence and one number of epochs, from `gpkl_lib.explore.recorded.load_replays`.
        method: which is shown; the first of them where not given.
        epoch: shown, from 1; the last one where not given.

    Raises:
        traitlets.TraitError: a method or an epoch that was not recorded.
        ValueError: too few or too many replays, two of one method, other sentences or numbers of epochs.

    Example:
        >>> from gpkl_lib.explore.recorded import Replay
        >>> epoch = {"task": 1.0, "term": 0.0, "f1": 0.5, "scores": ["-2 3 1"], "bins": [[10, 0.5, 5]]}
        >>> row = {"tokens": ["New", "York"], "types": ["LOC"], "gold": [["LOC", 0, 2]], "epochs": [epoch]}
        >>> replays = [Replay.from_row(row | {"config": {"method": method}}) for method in ("none", "sigmoid")]
        >>> TrainingReplayed(replays).values()["correct"]
        1
    """

    sentence = traitlets.Dict().tag(sync=True)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    method = traitlets.Unicode().tag(sync=True)
    epoch = traitlets.Int().tag(sync=True)

    def __init__(self, replays: Sequence[Replay], *, method: str | None = None, epoch: int | None = None) -> None:
        methods = [replay.method for replay in replays]
        if not 2 <= len(replays) <= 4 or len(set(methods)) != len(methods):
            raise ValueError(f"replays must be two to four of distinct methods, got {', '.join(methods) or 'none'}")
        same = {(r.tokens, r.types, r.gold, len(r.epochs)) for r in replays}
        if len(same) != 1:
            raise ValueError("replays must be of one sentence, with the same types and number of epochs")
        self.replays = {replay.method: replay for replay in replays}
        first = replays[0]
        super().__init__(
            sentence={"tokens": list(first.tokens), "types": list(first.types), "gold": [list(s) for s in first.gold]},
            runs=[{"method": r.method, "epochs": r.run["epochs"]} for r in replays],
            method=methods[0] if method is None else method,
            epoch=len(first.epochs) if epoch is None else epoch,
        )

    @traitlets.validate("method")
    def _validate_method(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.replays:
            raise traitlets.TraitError(f"method must be one of {', '.join(self.replays)}, got {proposal['value']!r}")
        return str(proposal["value"])

    @traitlets.validate("epoch")
    def _validate_epoch(self, proposal: dict[str, Any]) -> int:
        most = len(next(iter(self.replays.values())).epochs)
        return int(check_range("epoch", proposal["value"], 1, most))

    @property
    def _replay(self) -> Replay:
        return self.replays[self.method]

    @property
    def _shown(self) -> Epoch:
        return self._replay.epochs[self.epoch - 1]

    def values(self) -> dict[str, float]:
        """Return loss and parts, dev F1 and calibration error after the epoch, and how the sentence is decided."""
        now, result = self._shown, self._replay.result(self.epoch)
        return {
            "task": now.task,
            "term": now.term,
            "loss": now.loss,
            "f1": now.f1,
            "calibration": now.calibration,
            "predicted": result.predicted,
            "correct": result.correct,
            "sentence_f1": result.f1,
        }

    def still(self) -> str:
        """F1 of all methods, the boards of the one shown, and its spans, as one SVG picture."""
        value, decided, gold = self.values(), self._replay.decided(self.epoch), self._replay.gold
        tokens = self._replay.tokens
        told = []
        for span in sorted({*decided, *gold}, key=lambda span: (span[1], -span[2], span[0])):
            words, verdict = " ".join(tokens[span[1] : span[2]]), verdict_of(span, decided, gold)
            told.append((f"{SIGNS[verdict]} {span[0]}: {words}", f"{span[0]} {words}: {verdict}", TONES[verdict]))
        others = ", ".join(f"{m} {svg.number(r.epochs[self.epoch - 1].f1, 3)}" for m, r in self.replays.items())
        alt = (
            f"Training replayed, method {self.method}, epoch {self.epoch}: cross-entropy {value['task']:.3f}, "
            f"divergence term {value['term']:.3f}, calibration error {value['calibration']:.3f}. "
            f"Dev F1 by method: {others}. The sentence {' '.join(tokens)} has F1 {value['sentence_f1']:.4f}; "
            f"spans: {'; '.join(text for _, text, _ in told[:12]) or 'none'}."
        )
        loss = f"cross-entropy {svg.number(value['task'], 3)} + *α*/4 *D* {svg.number(value['term'], 3)}"
        lines = [(f"{self.method}, epoch {self.epoch}: {loss}", "ink"), (" ".join(tokens), "ink")]
        lines += [(text, tone) for text, _, tone in told[:12]]
        parts = [*self._curves(), *self._boards(decided), *self._texts(lines, 250)]
        return svg.picture(360, 250 + 18 * len(lines), alt, parts)

    def _texts(self, lines: Sequence[tuple[str, str]], top: float) -> Iterator[str]:
        for n, (text, tone) in enumerate(lines):
            yield svg.text(8, top + 18 * n, text, tone, "start")

    def _curves(self) -> Iterator[str]:
        last = len(self._replay.epochs)
        yield svg.text(8, 16, "dev *F*1 against the epoch", "ink", "start")

        def at(epoch: int, f1: float) -> tuple[float, float]:
            return 30 + 250 * (epoch - 1) / max(last - 1, 1), 124 - 100 * f1

        for level in (0.0, 0.5, 1.0):
            yield svg.line(30, at(1, level)[1], 280, at(1, level)[1])
            yield svg.text(26, at(1, level)[1] + 4, svg.number(level, 1), "grey", "end")
        for name, replay in self.replays.items():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(k, e.f1) for k, e in enumerate(replay.epochs, 1)))
            mine = name == self.method
            yield svg.tag(
                "polyline", points=points, fill="none", stroke="currentColor", stroke_width=2.5 if mine else 1
            )
        ends = sorted((at(last, r.epochs[-1].f1)[1], name) for name, r in self.replays.items())
        low = -1.0
        for y, name in ends:
            low = max(y, low + 15)
            yield svg.text(286, low + 4, name, "ink" if name == self.method else "grey", "start")
        yield svg.dot(*at(self.epoch, self._shown.f1), "blue")

    def _boards(self, decided: Sequence[Span]) -> Iterator[str]:
        tokens, types, gold = self._replay.tokens, self._replay.types, self._replay.gold
        step, gap = SIDE / len(tokens), (352 - SIDE * len(types)) / max(len(types) - 1, 1)
        for h, kind in enumerate(types):
            left = 4 + h * (SIDE + gap)
            yield svg.tag(
                "path",
                d=f"M{left:.1f} 160h{SIDE:.1f}v{SIDE:.1f}Z",
                class_="gpkl-grey",
                fill="none",
                stroke="currentColor",
                stroke_width=1,
            )
            yield svg.text(left, 152, kind if len(kind) < 11 else kind[:9] + "…", "ink", "start")
            for span in {*decided, *gold}:
                if span[0] == kind:
                    tone, x, y = (
                        TONES[verdict_of(span, decided, gold)],
                        left + step * (span[2] - 1),
                        160 + step * span[1],
                    )
                    if span in decided:
                        yield svg.box(x, y, step, step, tone)
                    else:
                        yield svg.outline(x, y, step, step, tone)
