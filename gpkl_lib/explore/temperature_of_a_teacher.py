"""Temperature of a teacher: which spans of a board pull on a student, at each T and in the limit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor

from gpkl_lib.consistency import distillation_loss
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, ScoreRows, check_triangles
from gpkl_lib.palette import PALETTE

GROUPS = ("gold", "open", "far")
TONES = ("green", "blue", "vermilion")
BORDER = -5.0
"""A span that is not gold is far if neither the teacher nor the student scores it above this, else open."""
COLDEST, HOTTEST = 0.1, 1000.0


class TemperatureOfATeacher(Explorable):
    """The scores of a teacher and of a student for every span of a sentence, and T^2 KL(teacher || student) at T.

    Args:
        tokens: L words, 2 to 14.
        types: H span types.
        teacher: for each type the scores of the L(L+1)/2 spans, row by row, of size at most 1e4.
        student: its own, same form.
        gold: for each type the places of the true spans in those rows.
        kind: the type that is shown; the first where not given.
        temperature: T, 0.1 to 1000.

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: tokens, types, scores and gold do not fit together.

    Example:
        >>> tokens, scores = ["New", "York"], [[-2.0, 3.0, 1.0]]  # of "New", "New York", "York"
        >>> picture = TemperatureOfATeacher(tokens, ["LOC"], scores, [[-3.0, 1.0, 2.0]], gold=[[1]], temperature=2.0)
        >>> round(picture.values()["loss"], 4)
        0.5633
    """

    tokens = traitlets.List(traitlets.Unicode(), minlen=2, maxlen=14).tag(sync=True)
    types = traitlets.List(traitlets.Unicode(), minlen=1, maxlen=8).tag(sync=True)
    teacher = ScoreRows()
    student = ScoreRows()
    gold = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)
    temperature = Ranged(COLDEST, HOTTEST)

    def __init__(
        self,
        tokens: Sequence[str],
        types: Sequence[str],
        teacher: Sequence[Sequence[float]],
        student: Sequence[Sequence[float]],
        gold: Sequence[Sequence[int]],
        *,
        kind: str | None = None,
        temperature: float = 1.0,
    ) -> None:
        cells = len(tokens) * (len(tokens) + 1) // 2
        check_triangles(cells, len(types), teacher=teacher, student=student)
        if len(gold) != len(types) or not all(0 <= place < cells for row in gold for place in row):
            raise ValueError(f"gold must hold places below {cells} for each of {len(types)} types, got {list(gold)}")
        super().__init__(
            tokens=list(tokens),
            types=list(types),
            teacher=[list(map(float, row)) for row in teacher],
            student=[list(map(float, row)) for row in student],
            gold=[list(row) for row in gold],
            kind=types[0] if kind is None else kind,
            temperature=float(temperature),
        )

    @traitlets.validate("kind")
    def _validate_kind(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.types:
            raise traitlets.TraitError(f"kind must be one of {', '.join(self.types)}, got {proposal['value']!r}")
        return str(proposal["value"])

    def scores(self) -> tuple[Tensor, Tensor]:
        """Return the student's and the teacher's scores of the type shown, flat, in float64."""
        row = self.types.index(self.kind)
        student, teacher = (torch.tensor(board[row], dtype=torch.float64) for board in (self.student, self.teacher))
        return student, teacher

    def groups(self) -> Tensor:
        """Return for each span of the type shown its group: 0 gold, 1 open, 2 far."""
        student, teacher = self.scores()
        found = torch.where(torch.maximum(student, teacher) > BORDER, 1, 2)
        found[torch.tensor(self.gold[self.types.index(self.kind)], dtype=torch.long)] = 0
        return found

    def pulls(self) -> Tensor:
        """Return the gradient of the loss by each score of the student, by autograd."""
        student, teacher = self.scores()
        student.requires_grad_()
        return torch.autograd.grad(self._loss(student, teacher, self.temperature), student)[0]

    @staticmethod
    def _loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        return distillation_loss(student, teacher, activation="sigmoid", temperature=temperature, reduction="sum")

    def values(self) -> dict[str, float]:
        """The loss at T, its limit, and each group's share of all pull in per cent, by the library and autograd."""
        student, teacher = self.scores()
        sizes, groups = self.pulls().abs(), self.groups()
        shares = [sizes[groups == g].sum() / sizes.sum() if sizes.sum() else sizes.sum() for g in range(len(GROUPS))]
        return {
            "loss": self._loss(student, teacher, self.temperature).item(),
            "limit": self._loss(student, teacher, math.inf).item(),
            **{name: 100 * share.item() for name, share in zip(GROUPS, shares, strict=True)},
        }

    def still(self) -> str:
        """Both boards as two columns of scores, joined by lines as thick as the pull, and the numbers, as one SVG."""
        value, T = self.values(), svg.number(self.temperature, 1)
        alt = (
            f"Scores of all spans of type {self.kind}, teacher on the left, student on the right, joined by lines as "
            f"thick as the pull at T = {T}. The loss is {svg.number(value['loss'], 4)}, in the limit "
            f"{svg.number(value['limit'], 4)}. Of all pull, {svg.number(value['gold'], 1)} % is on gold spans, "
            f"{svg.number(value['open'], 1)} % on open ones, {svg.number(value['far'], 1)} % on spans far below 0."
        )
        line = f"loss {svg.number(value['loss'], 4)}, limit {svg.number(value['limit'], 4)}"
        more = ", ".join(f"{name} {svg.number(value[name], 1)} %" for name in GROUPS)
        parts = [
            svg.text(8, 16, f"teacher and student, {self.kind}, *T* = {T}", "ink", "start"),
            *self._links(),
            svg.text(8, 226, line, "ink", "start"),
            svg.text(8, 246, f"pull: {more}", "ink", "start"),
        ]
        return svg.picture(360, 254, alt, parts)

    def _links(self) -> Iterator[str]:
        student, teacher = (x.clamp(-60, 12).tolist() for x in self.scores())
        sizes = self.pulls().abs()
        widths = (0.3 + 6 * sizes / max(sizes.max().item(), 1e-300)).tolist()
        yield svg.line(40, _height(0), 320, _height(0))
        yield svg.text(32, _height(0) + 4, "0", "ink", "end")
        for a, b, width, group in zip(teacher, student, widths, self.groups().tolist(), strict=True):
            x1, y1, x2, y2 = (f"{x:.1f}" for x in (80, _height(a), 280, _height(b)))
            yield svg.tag(
                "line",
                x1=x1,
                y1=y1,
                x2=x2,
                y2=y2,
                class_=f"gpkl-{TONES[group]}",
                stroke=PALETTE[TONES[group]],
                stroke_width=width,
            )


def _height(score: float) -> float:
    return 30 + 175 * (12 - score) / 72
