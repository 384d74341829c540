"""A derivation: steps that show themselves as aligned LaTeX and prove themselves, each from the one before.

    derivation = Derivation("...", [Step(a, "definition"), Step(b, "the terms cancel")], given=[(p[i], exp(s[i]) / Z)])
    derivation            # in a notebook: the formulas and the reasons
    derivation.check()    # the proof, or a DerivationError that names the step and a point where it fails

The expressions that are shown and those that are proven are the same objects.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import sympy as sp
from mpmath import mp, mpf

from gpkl_lib.derivations.functions import needs
from gpkl_lib.derivations.layout import in_lines
from gpkl_lib.derivations.normal import NotProven
from gpkl_lib.derivations.notation import Definition, Winner, latex
from gpkl_lib.derivations.numeric import DIGITS, FLOOR, NEAR_LIMIT, Evaluator, apart
from gpkl_lib.derivations.points import Domain, Point, points
from gpkl_lib.derivations.proof import EVERY, in_words, prove
from gpkl_lib.derivations.status import badge

_RELATIONS = {"=": "=", ">=": r"\ge"}
_prove = lru_cache(maxsize=1024)(prove)


class DerivationError(AssertionError):
    """A step that does not follow. `step` counts from 0; `point` is where it fails (None: it was only not proven).

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, s, total
        >>> p, Z = sp.IndexedBase("p", positive=True), sp.Symbol("Z", positive=True)
        >>> softmax = [(p[i], sp.exp(s[i]) / Z), (Z, total(sp.exp(s[j]), j))]
        >>> false = Derivation("p sums to 2", [Step(total(p[i]), "start"), Step(sp.S(2), "not so")], softmax)
        >>> try:
        ...     false.check()
        ... except DerivationError as error:
        ...     print("step", error.step)
        step 1
    """

    def __init__(self, message: str, step: int, point: Point | None) -> None:
        super().__init__(message)
        self.step, self.point = step, point


@dataclass(frozen=True)
class Step:
    """One line: an expression, why it follows from the line before, and the relation to it ("=" or ">=").

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, s, total
        >>> p, Z = sp.IndexedBase("p", positive=True), sp.Symbol("Z", positive=True)
        >>> softmax = [(p[i], sp.exp(s[i]) / Z), (Z, total(sp.exp(s[j]), j))]
        >>> Step(total(p[i]), "by definition").relation
        '='
    """

    expr: sp.Expr
    why: str
    relation: str = "="


class Derivation:
    """A chain of steps over definitions.

    Args:
        title: what is derived, in a few words.
        steps: the first is the starting point, each other follows from the one before.
        given: definitions (left, right) in the order in which they are shown; they may use one another.
        where: domains of symbols and vectors that may not have any value (see `points`), as for a `Statement`.
        words: where the page proves in words what is only checked here, the words with which that proof begins.

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, s, total
        >>> p, Z = sp.IndexedBase("p", positive=True), sp.Symbol("Z", positive=True)
        >>> softmax = [(p[i], sp.exp(s[i]) / Z), (Z, total(sp.exp(s[j]), j))]
        >>> steps = [Step(total(p[i]), "the sum"), Step(sp.S.One, "its parts make up Z")]
        >>> sums_to_one = Derivation("p sums to 1", steps, softmax)
        >>> print(sums_to_one.check())
        1 step (1 proven for every n); equal to 50 digits at 16 points, largest relative difference ...
    """

    def __init__(
        self,
        title: str,
        steps: Sequence[Step],
        given: Sequence[Definition] = (),
        *,
        where: Mapping[Any, Domain] | None = None,
        words: str = "",
    ) -> None:
        if len(steps) < 2:
            raise ValueError(f"a derivation needs at least two steps, {title!r} has {len(steps)}")
        for step in steps:
            if step.relation not in _RELATIONS:
                raise ValueError(f'relation must be "=" or ">=", got {step.relation!r} in {title!r}')
        self.title, self.steps, self.where = title, tuple(steps), dict(where or {})
        self.given: tuple[Definition, ...] = tuple(given)
        self.words = words

    def check(self) -> Verdict:
        """Prove every step: numerically at random and extreme points first, then symbolically.

        Raises:
            DerivationError: naming the step, with a point and both values where the numbers differ.
        """
        at, largest = self.points(), mpf(0)
        evaluate = Evaluator(self.given)
        for point in at:
            values = [evaluate(step.expr, point) for step in self.steps]
            for number in range(1, len(self.steps)):
                largest = max(largest, self.compare(number, values[number - 1], values[number], point))
        ways = [self._prove(number) for number in range(1, len(self.steps))]
        return Verdict(self, tuple(ways), len(at), largest)

    def points(self) -> list[Point]:
        """The points at which `check` compares values."""
        defined = {left.base if left.is_Indexed else left for left, _ in self.given}
        expressions = [step.expr for step in self.steps] + [right for _, right in self.given]
        free = set().union(*(needs(e) for e in expressions)) - defined
        free -= {left.indices[0] for left, _ in self.given if left.is_Indexed} - {
            x for step in self.steps for x in needs(step.expr)
        }
        distinct = any(isinstance(right, Winner) for _, right in self.given)
        return list(points(free, distinct=distinct, where=self.where))

    def with_step(self, number: int, expr: sp.Expr) -> Derivation:
        """The same derivation with another expression at step `number` (what a mutation test does)."""
        steps = list(self.steps)
        steps[number] = replace(steps[number], expr=expr)
        return Derivation(self.title, steps, self.given, where=self.where, words=self.words)

    def claim(self, *numbers: int) -> Claim:
        """The statement that the steps `numbers` (default: first and last) are equal, to show under a label."""
        return Claim(self, numbers or (0, -1))

    def latex(self) -> str:
        """The LaTeX of all steps, aligned, each reason on the line below its formula."""
        lines = []
        for number, step in enumerate(self.steps):
            sign = "" if number == 0 else _RELATIONS[step.relation]
            lines.append(rf"&{sign} {latex(step.expr)} \\ &\quad\scriptstyle\text{{{step.why}}}")
        body = " \\\\[4pt]\n".join(lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def __repr__(self) -> str:
        return f"Derivation({self.title!r}, {len(self.steps)} steps)"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _repr_html_(self) -> str:
        return _html(self, ("",) * len(self.steps), "")

    def compare(self, number: int, before: mpf, after: mpf, point: Point) -> mpf:
        """The relative difference of two values that step `number` relates.

        Raises:
            DerivationError: they are not so related.
        """
        step = self.steps[number]
        if step.relation == "=":
            limits = step.expr.has(sp.Limit) or self.steps[number - 1].expr.has(sp.Limit)
            distance = apart(before, after, floor=NEAR_LIMIT if limits else FLOOR)
            holds = distance <= mpf(10) ** -DIGITS
        else:
            distance, holds = mpf(0), before - after >= -(mpf(10) ** -DIGITS)
        if not holds:
            raise DerivationError(
                f"{self.title}: step {number} ({step.why}) is false: {mp.nstr(before, 12)} {step.relation} "
                f"{mp.nstr(after, 12)} does not hold at {point} ({point.kind})",
                number,
                point,
            )
        return distance

    def _prove(self, number: int) -> str:
        step = self.steps[number]
        try:
            return _prove(self.steps[number - 1].expr, step.expr, step.relation, self.given)
        except NotProven as error:
            raise DerivationError(
                f"{self.title}: step {number} ({step.why}) holds at every point tried but is not proven: {error}",
                number,
                None,
            ) from error


@dataclass(frozen=True)
class Claim:
    r"""Some steps of a derivation read as one statement, A = B; its check is the derivation's.

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, s, total
        >>> p, Z = sp.IndexedBase("p", positive=True), sp.Symbol("Z", positive=True)
        >>> softmax = [(p[i], sp.exp(s[i]) / Z), (Z, total(sp.exp(s[j]), j))]
        >>> steps = [Step(total(p[i]), "the sum"), Step(sp.S.One, "its parts make up Z")]
        >>> sums_to_one = Derivation("p sums to 1", steps, softmax)
        >>> print(sums_to_one.claim(0, -1).latex())
        \sum_{i=1}^{n} p_{i} = 1
    """

    derivation: Derivation
    numbers: tuple[int, ...]

    def latex(self) -> str:
        """The steps joined by the relation between them; one to a line where that is too wide for a phone."""
        return in_lines(self.sides())

    def sides(self) -> list[str]:
        """The LaTeX of each step, from the second on with its relation: >= where any step between has it."""
        steps = self.derivation.steps
        places = [range(len(steps))[number] for number in self.numbers]
        shown = [latex(steps[places[0]].expr)]
        for before, place in pairwise(places):
            between = {step.relation for step in steps[before + 1 : place + 1]}
            shown.append(f"{_RELATIONS['>=' if '>=' in between else '=']} {latex(steps[place].expr)}")
        return shown

    def check(self) -> Verdict:
        """Check the whole derivation."""
        return self.derivation.check()


@dataclass(frozen=True)
class Verdict:
    """The result of `check`: how each step was proven, the number of points compared, and the largest difference.

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, s, total
        >>> p, Z = sp.IndexedBase("p", positive=True), sp.Symbol("Z", positive=True)
        >>> softmax = [(p[i], sp.exp(s[i]) / Z), (Z, total(sp.exp(s[j]), j))]
        >>> steps = [Step(total(p[i]), "the sum"), Step(sp.S.One, "its parts make up Z")]
        >>> sums_to_one = Derivation("p sums to 1", steps, softmax)
        >>> sums_to_one.check().ways
        ('every n',)
    """

    derivation: Derivation
    ways: tuple[str, ...]
    points: int
    largest: mpf

    def __str__(self) -> str:
        ways = ", ".join(f"{self.ways.count(way)} {in_words(way)}" for way in dict.fromkeys(self.ways))
        steps = "step" if len(self.ways) == 1 else "steps"
        return (
            f"{len(self.ways)} {steps} ({ways}); equal to {DIGITS} digits at {self.points} points, "
            f"largest relative difference {mp.nstr(self.largest, 2)}"
        )

    __repr__ = __str__

    @property
    def words(self) -> bool:
        """Whether the page proves in words what is only checked here."""
        return bool(self.derivation.words)

    def _repr_html_(self) -> str:
        marks = ("" if way == EVERY else f" · {in_words(way)}" for way in self.ways)
        return _html(self.derivation, ("", *marks), badge(self))


_ROW = '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 1.5em;margin:.4em 0">'
_FORMULA = '<div class="math notranslate nohighlight" style="flex:100 1 auto;max-width:100%;margin:0">'
_REASON = '<div style="flex:1 1 15em;font-size:.9em">'


def _html(derivation: Derivation, marks: tuple[str, ...], verdict: str) -> str:
    """Formula and reason side by side, or below each other on a phone; in markup that Sphinx and Jupyter typeset."""

    def typeset(formula: str) -> str:
        return html.escape(rf"\(\displaystyle {formula}\)")

    rows = [
        f"{_ROW}{_FORMULA}{typeset(f'{_sign(number, step)} {latex(step.expr)}')}</div>"
        f"{_REASON}{html.escape(step.why + mark)}</div></div>"
        for number, (step, mark) in enumerate(zip(derivation.steps, marks, strict=True))
    ]
    given = ", ".join(
        f'<span class="math notranslate nohighlight">\\({html.escape(f"{latex(left)} = {latex(right)}")}\\)</span>'
        for left, right in derivation.given
    )
    title = f'<p style="margin:.3em 0"><strong>{html.escape(derivation.title)}</strong></p>'
    where = f'<p style="margin:.3em 0;font-size:.9em">where {given}</p>' if given else ""
    return f'<div class="gpkl-derivation">{title}{"".join(rows)}{where}{verdict}</div>'


def _sign(number: int, step: Step) -> str:
    """The relation before a formula, and its width before the first, so that all start in one line."""
    return _RELATIONS[step.relation] if number else r"\phantom{=}\;"
