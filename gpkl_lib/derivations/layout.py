"""The width of formulas and their breaking into lines, so that they can be read on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import sympy as sp

from gpkl_lib.derivations.notation import terms

PHONE = 26  # so many signs, at most, stand side by side on a screen of 390 px beside the equation's number
LINE = 32  # the same for one line of several, where nothing stands before the relation


def width(formula: str) -> int:
    """The width of a formula in signs, about: a command counts as one, a sum as two, one over a set as seven."""
    for pattern, shown in (
        (r"\\(sum|prod|max|min)_\{[^{}]*\\in (?:[^{}]|\{[^{}]*\})*\}", "SSSSSSS"),
        (r"\\sum_\{[^}]*\}\^\{[^}]*\}", "SS"),
        (r"_\{[^}]*\}", "i"),
        (r"\\(left|right|frac|mathrm|quad|,|;)", ""),
        (r"\\(log|tanh|lim|max|min)\b", r"\1"),
        (r"\\[a-z]+", "x"),
    ):
        formula = re.sub(pattern, shown, formula)
    return len(re.sub(r"[{}^\s]", "", formula))


def in_lines(shown: Sequence[str]) -> str:
    """Sides of a chain, each after the first with its relation: one to a line where that is too wide for a phone."""
    if sum(map(width, shown)) <= PHONE:
        return " ".join(shown)
    return aligned(f"& {line}" for line in shown)


def aligned(lines: Iterable[str]) -> str:
    """One aligned block of lines that have their `&`."""
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def wrapped(e: sp.Expr, room: int = LINE) -> list[str]:
    """LaTeX of `e`, cut before a + or - of its outermost sum where a line would be wider than `room`."""
    lines: list[str] = []
    for term in terms(e):
        if lines and width(lines[-1] + term) <= room:
            lines[-1] += term
        else:
            lines.append(term.strip())
    return lines
