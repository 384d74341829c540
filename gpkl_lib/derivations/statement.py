r"""A statement: expressions joined by =, <, <=, >, >=, shown as LaTeX and checked as shown.

    F = function(r"F_{#1}(#2)", (T, x), T * log(total(exp(x[j] / T), j)))
    top = Over("max", x[i], i)
    Statement(
        top, "<", F(T, x), "<=", top + T * log(n),
        tight={1: [(x[i], -1000 * T * (1 - KroneckerDelta(i, 1)))], 2: [(x[i], c)]},
    )
    Statement(KL(p, q), ">=", 0, where={p: distribution(zeros=True), q: distribution()}, tight={1: [(p[i], q[i])]})
    Statement(softmax(x), "=", softmax(x - c))  # vectors: compared entry by entry

In a notebook a statement is its formula; `.check()` gives the verdict, or a StatementError that names the link, the
point and both values. What is shown is what is evaluated, in 50-digit arithmetic at random and extreme points; an
equation is also proven where SymPy can. `tight` says under which definitions an inequality is an equality (or nearer
to one than 50 digits): a weaker one, as a wrong sign may leave, then does not pass for it. Without it, some will.

Write the expressions inside `with sp.evaluate(False):`, or SymPy reorders them before they are shown. `function` names
a function and prints it as a book does; `vocabulary` has the common ones (softmax, sigma, KL, H, ...).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sympy as sp
from mpmath import mp, mpf
from sympy import exp

from gpkl_lib.derivations.comparison import compare
from gpkl_lib.derivations.finding import Finding
from gpkl_lib.derivations.functions import entry, is_vector, needs
from gpkl_lib.derivations.layout import PHONE, aligned, width, wrapped
from gpkl_lib.derivations.normal import NotProven
from gpkl_lib.derivations.notation import Definition, Winner, i, j, n, total
from gpkl_lib.derivations.numeric import Evaluator
from gpkl_lib.derivations.points import KINDS, Domain, Point, points
from gpkl_lib.derivations.proof import prove

RELATIONS = {"=": "=", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}
_PLACE = sp.Symbol("i_{entry}", integer=True, positive=True)
_prove = lru_cache(maxsize=1024)(prove)


class StatementError(AssertionError):
    """A relation that does not hold. `link` counts from 1; `point` is where it fails.

    Example:
        >>> import sympy as sp
        >>> a, b = sp.symbols("a b", real=True)
        >>> square = Statement((a + b) ** 2, "=", a**2 + 2 * a * b + b**2)
        >>> try:
        ...     Statement((a + b) ** 2, "=", a**2 + b**2).check()
        ... except StatementError as error:
        ...     print("link", error.link)
        link 1
    """

    def __init__(self, message: str, link: int, point: Point | None) -> None:
        super().__init__(message)
        self.link, self.point = link, point


class Statement:
    """A chain of relations over definitions.

    Args:
        chain: side, relation, side, relation, ..., side; link 1 joins the first two sides. The sides are numbers, or
            vectors (with those, numbers) that are compared entry by entry.
        given: definitions (left, right), as in a derivation; the right side may be a `Numeric`.
        where: domains of what may not have any value (see `points`): probabilities, intervals, whole numbers, sets.
        tight: for a link that is an inequality, definitions under which it becomes an equality.
        kinds: the kinds of points to try. At the extreme ones ("wide", "one-hot", "half precision") a strict inequality
            may be an equality to 140 digits and is then taken for "at most".
        proof: True: every "=" must be proven by SymPy; False: do not try; None: try, and compare where it fails.
        words: where the page proves in words what SymPy does not, the words of the page with which that proof begins.
        shared: points and values that statements with other sides over the same symbols have in common.

    Example:
        >>> import sympy as sp
        >>> a, b = sp.symbols("a b", real=True)
        >>> square = Statement((a + b) ** 2, "=", a**2 + 2 * a * b + b**2)
        >>> print(square.check())
        proven for every n; compared at 16 points in 50 digits, largest relative difference ...
    """

    def __init__(
        self,
        *chain: Any,
        given: Sequence[Definition] = (),
        where: Mapping[Any, Domain] | None = None,
        tight: Mapping[int, Sequence[Definition]] | None = None,
        kinds: Sequence[str] = KINDS,
        proof: bool | None = None,
        words: str = "",
        shared: dict[Any, Any] | None = None,
    ) -> None:
        sides, relations = tuple(map(sp.sympify, chain[::2])), tuple(chain[1::2])
        if len(chain) < 3 or len(chain) % 2 == 0:
            raise ValueError(f"a statement is side, relation, side, ...; got {len(chain)} parts")
        for relation in relations:
            if relation not in RELATIONS:
                raise ValueError(f"relation must be one of {', '.join(RELATIONS)}, got {relation!r}")
        for link in tight or {}:
            if not 1 <= link <= len(relations) or relations[link - 1] == "=":
                raise ValueError(f"tight names link {link}, which is no inequality of the chain")
        self.sides: tuple[sp.Expr, ...] = sides
        self.relations: tuple[str, ...] = relations
        self.given: tuple[Definition, ...] = tuple(given)
        self.where, self.tight = dict(where or {}), dict(tight or {})
        self.kinds, self.proof, self.words = tuple(kinds), proof, words
        self.shared: dict[Any, Any] = {} if shared is None else shared

    def check(self) -> Finding:
        """Compare every link at every point and prove what can be proven.

        Raises:
            StatementError: naming the link, with a point and both values.
        """
        largest = self.compare()
        ways = tuple(self._way(link) for link in range(1, len(self.sides)))
        reached = sum(len(self.points(link)) for link in self.tight)
        return Finding(self.latex(), self.relations, ways, len(self.points()), largest, reached, bool(self.words))

    def compare(self) -> mpf:
        """Compare every link at every point; return the largest relative difference of sides that should be equal."""
        largest = mpf(0)
        for tight in (0, *self.tight):
            evaluate = self.shared.setdefault(("values", tight), Evaluator(self._definitions(tight)))
            links = [tight] if tight else range(1, len(self.sides))
            for point in self._places(tight):
                for link in links:
                    largest = max(largest, self._compare(link, evaluate, point, "=" if tight else None))
        return largest

    def points(self, tight: int = 0) -> list[Point]:
        """The points at which sides are compared; of link `tight`, those where it is an equality."""
        given = self._definitions(tight)
        defined = {left.base if left.is_Indexed else left for left, _ in given}
        free = set().union(*map(needs, self.sides))
        for _ in given:  # a definition may need another
            free |= {
                x
                for left, right in given
                if (left.base if left.is_Indexed else left) in free
                for x in _open(left, right)
            }
        distinct = any(isinstance(right, Winner) for _, right in given)
        return list(points(free - defined, distinct=distinct, where=self.where, kinds=self.kinds))

    def _places(self, tight: int) -> list[Point]:
        """The points, each as often as a vector has entries, with the entry to look at."""
        if ("points", tight) not in self.shared:
            vectors = any(map(is_vector, self.sides))
            self.shared["points", tight] = [
                Point(point.kind, {**point.values, _PLACE: place})
                for point in self.points(tight)
                for place in range(1, point.values[n] + 1 if vectors else 2)
            ]
        found: list[Point] = self.shared["points", tight]
        return found

    def with_side(self, number: int, expr: sp.Expr) -> Statement:
        """The same statement with another expression on one side, counted from 0 (what a mutation test does)."""
        return self._other((*self.sides[:number], sp.sympify(expr), *self.sides[number + 1 :]), self.relations)

    def with_relation(self, number: int, relation: str) -> Statement:
        """The same statement with another relation, counted from 0."""
        return self._other(self.sides, (*self.relations[:number], relation, *self.relations[number + 1 :]))

    def _other(self, sides: tuple[sp.Expr, ...], relations: tuple[str, ...]) -> Statement:
        chain = [x for pair in zip(sides, (*relations, ""), strict=True) for x in pair][:-1]
        return Statement(
            *chain,
            given=self.given,
            where=self.where,
            tight=self.tight,
            kinds=self.kinds,
            proof=self.proof,
            words=self.words,
            shared=self.shared,
        )

    def latex(self) -> str:
        """The chain on one line, or where that is too wide for a phone, one relation to a line."""
        lines = self.lines()
        if len(lines) == len(self.relations) and width(" ".join(lines)) <= PHONE:
            return " ".join(lines).replace("&", "")
        return aligned(lines)

    def lines(self) -> list[str]:
        """The lines of the aligned form, with & before each relation."""
        first, *others = self.sides
        rest = [
            (r"\quad " if cut else f"{RELATIONS[relation]} ") + line
            for relation, side in zip(self.relations, others, strict=True)
            for cut, line in enumerate(wrapped(side))
        ]
        head = wrapped(first)
        if len(head) == 1 and width(head[0] + max(rest, key=width)) <= PHONE:
            return [f"{head[0]} &{rest[0]}", *(f"&{line}" for line in rest[1:])]
        return [f"& {head[0]}", *(rf"& \quad {line}" for line in head[1:]), *(f"& {line}" for line in rest)]

    def __repr__(self) -> str:
        links = (f" {relation} {side}" for relation, side in zip(self.relations, self.sides[1:], strict=True))
        return f"Statement({self.sides[0]}{''.join(links)})"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _definitions(self, tight: int) -> tuple[Definition, ...]:
        special = tuple(self.tight[tight]) if tight else ()
        heads = {left.base if left.is_Indexed else left for left, _ in special}
        return (*(d for d in self.given if (d[0].base if d[0].is_Indexed else d[0]) not in heads), *special)

    def _compare(self, link: int, evaluate: Evaluator, point: Point, relation: str | None) -> mpf:
        a, b = (entry(side, _PLACE) for side in self.sides[link - 1 : link + 1])
        relation = relation or self.relations[link - 1]
        distance, one, other = compare(a, relation, b, evaluate, point)
        if distance is None:
            raise StatementError(
                f"link {link} is false: {mp.nstr(one, 12)} {relation} {mp.nstr(other, 12)} does not hold at {point} "
                f"({point.kind})",
                link,
                point,
            )
        return distance

    def _way(self, link: int) -> str:
        a, b = (entry(side, _PLACE) for side in self.sides[link - 1 : link + 1])
        relation = self.relations[link - 1]
        if relation == "<=":
            a, b, relation = b, a, ">="
        if self.proof is False or relation not in ("=", ">=") or (relation == ">=" and b != 0):
            return ""
        weights = tuple(
            (x[i], exp(w[i]) / total(exp(w[j]), j))
            for x, domain in self.where.items()
            if getattr(domain, "simplex", False)
            for w in [sp.IndexedBase(f"w_{x}", real=True)]
        )  # any distribution without zeros is a softmax
        try:
            return _prove(a, b, relation, (*self.given, *weights), sizes=self.proof is True)
        except NotProven as error:
            if not self.proof or relation != "=":
                return ""
            raise StatementError(
                f"link {link} holds at every point tried but is not proven: {error}", link, None
            ) from error


def _open(left: sp.Expr, right: sp.Expr) -> set[sp.Expr]:
    """Symbols that a definition needs beside its own index."""
    return needs(right) - ({left.indices[0]} if left.is_Indexed else set())
