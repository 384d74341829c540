"""What checks find, in one line and in a notebook; and several formulas under one label."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpmath import mp, mpf

from gpkl_lib.derivations.derivation import Claim, Verdict
from gpkl_lib.derivations.layout import PHONE, aligned, width
from gpkl_lib.derivations.numeric import DIGITS

if TYPE_CHECKING:
    from gpkl_lib.derivations.statement import Statement


@dataclass(frozen=True, repr=False)
class Finding:
    """What a statement's check found.

    Args:
        latex: the statement.
        relations: its relations, in order.
        ways: how each was proven ("" where it was only compared).
        points: at how many points it was compared.
        largest: the largest relative difference of sides that are equal.
        tight: at how many more points an inequality was found to be an equality.
    """

    latex: str
    relations: tuple[str, ...]
    ways: tuple[str, ...]
    points: int
    largest: mpf
    tight: int

    def __str__(self) -> str:
        proven = [way for way in self.ways if way]
        share = "" if len(proven) == len(self.ways) else f"{len(proven)} of {len(self.ways)} relations "
        parts = [f"{share}proven for {' and for '.join(dict.fromkeys(proven))}"] if proven else []
        parts.append(f"compared at {self.points} points in {DIGITS} digits")
        if "O(" in self.latex:
            parts[-1] += ", the remainder at most 1000 times what O names"
        elif "=" in self.relations:
            parts[-1] += f", largest relative difference {mp.nstr(self.largest, 2)}"
        if self.tight:
            parts.append(f"bound reached at {self.tight} more")
        return "; ".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html(self.latex, str(self))


@dataclass(frozen=True, eq=False, repr=False)
class Together:
    """Several formulas under one label, each checked for itself: Together(claim, statement, statement)."""

    parts: tuple[Claim | Statement, ...]

    def __init__(self, *parts: Claim | Statement) -> None:
        if len(parts) < 2:
            raise ValueError("one formula needs nothing to hold it together")
        object.__setattr__(self, "parts", parts)

    def latex(self) -> str:
        """All in one block, aligned at their first relation where each fits a phone, else at their left."""
        blocks = [_lines(part) for part in self.parts]
        narrow = all(width(line) <= PHONE for lines in blocks for line in lines)
        if not (narrow and all(not lines[0].startswith("&") for lines in blocks)):
            blocks = [["& " + lines[0].replace("&", ""), *lines[1:]] for lines in blocks]
        return aligned(
            line + ("," if line is lines[-1] and lines is not blocks[-1] else "") for lines in blocks for line in lines
        )

    def check(self) -> Findings:
        """The findings of all parts."""
        return Findings(self.latex(), tuple(part.check() for part in self.parts))

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


@dataclass(frozen=True, repr=False)
class Findings:
    """What the checks of several formulas under one label found."""

    latex: str
    each: tuple[Finding | Verdict, ...]

    def __str__(self) -> str:
        return " · ".join(map(str, self.each))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html(self.latex, *map(str, self.each))


def status(found: Finding | Findings | Verdict) -> str:
    """Whether what was found is a proof, one in part, or a comparison of numbers."""
    each = found.each if isinstance(found, Findings) else (found,)
    ways = [way for one in each for way in one.ways]
    if not any(ways):
        return "compared"
    return "proven" if set(ways) == {"every n"} else "proven in part"


def _lines(part: Claim | Statement) -> list[str]:
    """The lines of a part, the first with its relation where that fits a phone."""
    if not isinstance(part, Claim):
        return part.lines()
    head, *rest = part.sides()
    if width(head + max(rest, key=width)) <= PHONE:
        return [f"{head} &{rest[0]}", *(f"&{line}" for line in rest[1:])]
    return [f"& {line}" for line in (head, *rest)]


def _html(formula: str, *verdicts: str) -> str:
    shown = html.escape(rf"\[{formula}\]")
    lines = "".join(f'<p style="margin:.3em 0;font-size:.9em">{html.escape(verdict)}</p>' for verdict in verdicts)
    return f'<div class="gpkl-derivation"><div class="math notranslate nohighlight">{shown}</div>{lines}</div>'
