"""Results of checks, shown in one line and in a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass

from mpmath import mp, mpf

from gpkl_lib.derivations.derivation import Verdict
from gpkl_lib.derivations.numeric import DIGITS
from gpkl_lib.derivations.proof import in_words
from gpkl_lib.derivations.status import badge


@dataclass(frozen=True, repr=False)
class Finding:
    """The result of a statement's check.

    Args:
        latex: the statement.
        relations: its relations, in order.
        ways: for which n each was proven or checked, as `prove` says it ("" where it was only compared).
        points: at how many points it was compared.
        largest: the largest relative difference of sides that are equal.
        tight: at how many more points an inequality was found to be an equality.
        words: whether the page proves in words what is not proven here.

    Example:
        >>> import sympy as sp
        >>> a, b = sp.symbols("a b", real=True)
        >>> square = Statement((a + b) ** 2, "=", a**2 + 2 * a * b + b**2)
        >>> found = square.check()
        >>> found.relations, found.points
        (('=',), 16)
    """

    latex: str
    relations: tuple[str, ...]
    ways: tuple[str, ...]
    points: int
    largest: mpf
    tight: int
    words: bool = False

    def __str__(self) -> str:
        ways = [way for way in self.ways if way]
        share = "" if len(ways) == len(self.ways) else f"{len(ways)} of {len(self.ways)} relations "
        parts = [share + " and ".join(map(in_words, dict.fromkeys(ways)))] if ways else []
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
        return _html(self.latex, self)


@dataclass(frozen=True, repr=False)
class Findings:
    """The results of the checks of several formulas under one label.

    Example:
        >>> import sympy as sp
        >>> a, b = sp.symbols("a b", real=True)
        >>> square = Statement((a + b) ** 2, "=", a**2 + 2 * a * b + b**2)
        >>> len(Together(square, square).check().each)
        2
    """

    latex: str
    each: tuple[Finding | Verdict, ...]

    def __str__(self) -> str:
        return " · ".join(map(str, self.each))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html(self.latex, self)


def _html(formula: str, found: Finding | Findings) -> str:
    shown = html.escape(rf"\[{formula}\]")
    return f'<div class="gpkl-derivation"><div class="math notranslate nohighlight">{shown}</div>{badge(found)}</div>'
