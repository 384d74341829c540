"""Several formulas under one label."""

from __future__ import annotations

from gpkl_lib.derivations.derivation import Claim
from gpkl_lib.derivations.finding import Findings
from gpkl_lib.derivations.layout import PHONE, aligned, width
from gpkl_lib.derivations.statement import Statement


class Together:
    """Several formulas under one label, each checked for itself: Together(claim, statement, statement).

    Example:
        >>> import sympy as sp
        >>> a, b = sp.symbols("a b", real=True)
        >>> square = Statement((a + b) ** 2, "=", a**2 + 2 * a * b + b**2)
        >>> print(Together(square, square).latex().count("="))
        2
    """

    def __init__(self, *parts: Claim | Statement) -> None:
        if len(parts) < 2:
            raise ValueError("one formula needs nothing to hold it together")
        self.parts = parts

    def latex(self) -> str:
        """One block of LaTeX, aligned at the parts' first relations where each fits a phone, else at their left."""
        blocks = [_lines(part) for part in self.parts]
        narrow = all(width(line) <= PHONE for lines in blocks for line in lines)
        if not (narrow and all(not lines[0].startswith("&") for lines in blocks)):
            blocks = [["& " + lines[0].replace("&", ""), *lines[1:]] for lines in blocks]
        return aligned(
            line + ("," if line is lines[-1] and lines is not blocks[-1] else "") for lines in blocks for line in lines
        )

    def check(self) -> Findings:
        """Check every part."""
        return Findings(self.latex(), tuple(part.check() for part in self.parts))

    def __repr__(self) -> str:
        return f"Together({', '.join(map(repr, self.parts))})"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


def _lines(part: Claim | Statement) -> list[str]:
    """The lines of a part, the first with its relation where that fits a phone."""
    if not isinstance(part, Claim):
        return part.lines()
    head, *rest = part.sides()
    if width(head + max(rest, key=width)) <= PHONE:
        return [f"{head} &{rest[0]}", *(f"&{line}" for line in rest[1:])]
    return [f"& {line}" for line in (head, *rest)]
