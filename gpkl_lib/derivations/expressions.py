r"""Inner products, norms, the largest of n, sets of indices, integrals, and numbers that only a program can compute.

Inner(softmax(s) - softmax(t), s - t), Norm(x), Over("max", x[i], i)
P, N = partition("P", "N")  # the positives and all others; Over("sum", exp(-s[i]), i, P), count(P)
Integral(exp(-(c**2)), c, -oo, oo)
(name(r"\lambda_{\max}"), Numeric(lambda value: max(mp.eigsy(...)), [x]))  # as a definition
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

from gpkl_lib.derivations.functions import Node, entry
from gpkl_lib.derivations.notation import Partial, i, total


def _place() -> sp.Symbol:
    return sp.Dummy("i", integer=True, positive=True)


class Inner(Node):
    """Inner(u, v): the inner product of two vectors.

    Example:
        >>> from gpkl_lib.derivations.notation import i, s, t, total
        >>> print(Statement(Inner(s, t), "=", total(s[i] * t[i])).check())
        proven for every n; compared at 16 points in 50 digits, largest relative difference ...
    """

    def meaning(self) -> sp.Expr:
        """The sum over the products of the entries."""
        place = _place()
        return total(sp.Mul(*(entry(x, place) for x in self.args), evaluate=False), place)

    def _latex(self, printer: LatexPrinter) -> str:
        return rf"\langle {printer.doprint(self.args[0])}, {printer.doprint(self.args[1])} \rangle"


class Norm(Node):
    """Norm(v): the Euclidean length; Norm(v, 1) the sum, Norm(v, oo) the largest, of the absolute values.

    Example:
        >>> from gpkl_lib.derivations.notation import i, s, total
        >>> print(Statement(Norm(s) ** 2, "=", total(s[i] ** 2)).check())
        proven for every n; compared at 16 points in 50 digits, largest relative difference ...
    """

    def __new__(cls, v: sp.Expr, order: Any = 2) -> Norm:
        """See the class.

        Raises:
            ValueError: the order is not 1, 2 or oo.
        """
        if order not in (1, 2, sp.oo):
            raise ValueError(f"order 1, 2 or oo, got {order}")
        return super().__new__(cls, v, sp.sympify(order))  # type: ignore[no-any-return]

    def meaning(self) -> sp.Expr:
        """The norm written out."""
        place = _place()
        x, order = entry(self.args[0], place), self.args[1]
        if order == sp.oo:
            return Over("max", sp.Abs(x), place)
        return total(sp.Abs(x), place) if order == 1 else sp.sqrt(total(x**2, place))

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        text = rf"\lVert {printer.doprint(self.args[0])} \rVert"
        text += f"_{{{printer.doprint(self.args[1])}}}" if self.args[1] != 2 else ""
        return text if exp is None else rf"{text}^{{{exp}}}"


class Nabla(Node):
    r"""Nabla(f, x): the gradient of a number by a vector, itself a vector.

    Example:
        >>> from gpkl_lib.derivations.notation import i, s, total
        >>> print(latex(Nabla(total(s[i] ** 2), s)))
        \nabla_{s} \sum_{i=1}^{n} s_{i}^{2}
    """

    vector = True

    def at(self, place: sp.Expr) -> sp.Expr:
        """The derivative by one entry."""
        f, x = self.args
        return Partial(f, x[place])

    def _latex(self, printer: LatexPrinter) -> str:
        f, x = map(printer.doprint, self.args)
        return rf"\nabla_{{{x}}} " + (rf"\left({f}\right)" if self.args[0].is_Add else f)


class IndexSet(sp.Atom):  # type: ignore[misc]
    r"""A set of indices, known by its name; the complement of the set `other` if there is one.

    Example:
        >>> from gpkl_lib.derivations.notation import i
        >>> from gpkl_lib.derivations.vocabulary import x
        >>> print(latex(Over("sum", x[i], i, IndexSet("S"))))
        \sum_{i \in S} x_{i}
    """

    is_integer = False

    def __new__(cls, shown: str, other: IndexSet | None = None) -> IndexSet:
        """See the class."""
        self = super().__new__(cls)
        self.shown, self.other = shown, other
        return self  # type: ignore[no-any-return]

    @property
    def needs(self) -> set[IndexSet]:
        """The set whose members a point must name."""
        return {self.other or self}

    def _hashable_content(self) -> tuple[Any, ...]:
        return self.shown, self.other

    def _latex(self, printer: LatexPrinter) -> str:
        return str(self.shown)

    def _sympystr(self, printer: Any) -> str:
        return str(self.shown)


def partition(one: str, other: str) -> tuple[IndexSet, IndexSet]:
    r"""Two sets of indices: any set, empty ones included, and all of 1, ..., n that are not in it.

    Example:
        >>> from gpkl_lib.derivations.notation import i
        >>> from gpkl_lib.derivations.vocabulary import x
        >>> pos, neg = partition("P", "N")
        >>> print(latex(Over("sum", x[i], i, neg)))
        \sum_{i \in N} x_{i}
    """
    first = IndexSet(one)
    return first, IndexSet(other, first)


def count(members: IndexSet) -> sp.Expr:
    """The number of indices in a set; prints |P|.

    Example:
        >>> pos, neg = partition("P", "N")
        >>> print(latex(count(pos)))
        |P|
    """
    return Over("count", sp.S.One, i, members)


_SIGNS = {"sum": r"\sum", "max": r"\max", "min": r"\min", "prod": r"\prod"}


class Over(Node):
    r"""Over("max", term, i): the largest term of i = 1, ..., n; over the members of a set where one is given.

    The first argument is sum, max, min, prod or count. An empty sum is 0, an empty product 1.

    Example:
        >>> from gpkl_lib.derivations.notation import i
        >>> from gpkl_lib.derivations.vocabulary import x
        >>> print(latex(Over("max", x[i], i)))
        \max_{i} x_{i}
    """

    precedence = PRECEDENCE["Mul"]

    def __new__(cls, what: Any, term: sp.Expr, index: sp.Symbol, members: IndexSet | None = None) -> Over:
        """See the class."""
        if str(what) not in (*_SIGNS, "count"):
            raise ValueError(f"sum, max, min, prod or count, got {what!r}")
        rest = () if members is None else (members,)
        return super().__new__(cls, Str(str(what)), sp.sympify(term), index, *rest)  # type: ignore[no-any-return]

    @property
    def members(self) -> IndexSet | None:
        """The set, None for all of 1, ..., n."""
        return self.args[3] if len(self.args) > 3 else None

    def bound(self) -> set[sp.Expr]:
        """The index that it binds."""
        return {self.args[2]}

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        what, term, index = self.args[:3]
        if str(what) == "count":
            return rf"|{printer.doprint(self.members)}|" + (f"^{{{exp}}}" if exp else "")
        below = printer.doprint(index) + (rf" \in {printer.doprint(self.members)}" if self.members else "")
        inner = printer.doprint(term)
        text = rf"{_SIGNS[str(what)]}_{{{below}}} " + (rf"\left({inner}\right)" if term.is_Add else inner)
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


class Integral(Node):
    """Integral(f, x, a, ..., b): from a to b by tanh-sinh quadrature, split at the places between (not printed).

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import c
        >>> a = sp.Symbol("a", positive=True)
        >>> print(Statement(Integral(2 * c, c, sp.S.Zero, a), "=", a**2, where={a: interval(0.1, 2)}).check())
        proven for every n; compared at 16 points in 50 digits, largest relative difference ...
    """

    precedence = PRECEDENCE["Mul"]

    def bound(self) -> set[sp.Expr]:
        """The variable that it binds."""
        return {self.args[1]}

    def _latex(self, printer: LatexPrinter) -> str:
        f, x, *ends = self.args
        inner = printer.doprint(f)
        inner = rf"\left({inner}\right)" if f.is_Add else inner
        return rf"\int_{{{printer.doprint(ends[0])}}}^{{{printer.doprint(ends[-1])}}} {inner} \, d{printer.doprint(x)}"


class BigO(Node):
    """BigO(e): something at most 1000 |e|. A statement that has it is to be taken at points where e is tiny.

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import T
        >>> Statement(sp.exp(1 / T), "=", 1 + 1 / T + BigO(1 / T**2), where={T: interval(1e9, 1e12)}).check()
        compared at 16 points in 50 digits, the remainder at most 1000 times what O names
    """

    def _latex(self, printer: LatexPrinter) -> str:
        return rf"O({printer.doprint(self.args[0])})"


class Numeric(sp.Atom, Node):  # type: ignore[misc]
    """Numeric(f, needs): a definition that SymPy cannot express, an mpmath number computed by a Python function.

    Args:
        f: a function of `value`, where `value(expr)` is the number that an expression has at the point, as in
            `lambda value: max(value(x[1]), value(x[2]))`; `value(n)` is the length of the vectors.
        needs: the symbols and vectors that it asks for.

    Example:
        >>> from gpkl_lib.derivations.notation import name
        >>> a, b, larger = name("a"), name("b"), name("M")
        >>> given = [(larger, Numeric(lambda value: max(value(a), value(b)), [a, b]))]
        >>> print(Statement(a, "<=", larger, given=given).check())
        compared at 16 points in 50 digits
    """

    def __new__(cls, f: Callable[[Callable[[sp.Expr], Any]], Any], needs: Sequence[sp.Expr]) -> Numeric:
        """See the class."""
        self = super().__new__(cls)
        self.f, self.needs = f, frozenset(needs)
        return self  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.f, self.needs)

    def _latex(self, printer: LatexPrinter) -> str:
        return r"\text{computed}"
