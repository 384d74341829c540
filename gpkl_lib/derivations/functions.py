r"""Functions with a name, vectors, and what both rest on: putting expressions in the place of symbols.

    F = function(r"F_{#1}(#2)", (T, x), T * log(total(exp(x[j] / T), j)))
    F(T, x - c)                 # prints F_{T}(x - c) and means what the definition says at x - c
    softmax = function(r"\operatorname{softmax}(#1)", (x,), exp(x[i]) / total(exp(x[j]), j), index=i)
    softmax(x)[k]               # its k-th entry; softmax(x) alone is a vector

A vector is an IndexedBase, a function with `index`, or a sum, product or function of these, entry by entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter


class Node(sp.Expr):  # type: ignore[misc]
    """An expression that SymPy lacks, left as written. A subclass may have a `meaning` in terms of others.

    A subclass that is a vector says so and gives the entry `at` a place.
    """

    vector = False

    def at(self, place: sp.Expr) -> sp.Expr:
        """The entry of a vector; a number is the same at every place."""
        return self

    @property
    def is_commutative(self) -> bool:
        """All values are numbers."""
        return True

    def bound(self) -> set[sp.Expr]:
        """The indices and variables that have no meaning outside it."""
        return set()


class Rule(sp.Atom):  # type: ignore[misc]
    """A function's name, parameters and body. Called with arguments, it gives a `Call`. Made by `function`.

    Example:
        >>> from gpkl_lib.derivations.notation import T, c
        >>> square = function("q(#1)", (c,), c**2)
        >>> type(square).__name__, latex(square(T + 1))
        ('Rule', 'q(1 + T)')
    """

    def __new__(cls, shown: str, params: tuple[sp.Expr, ...], body: sp.Expr, index: sp.Symbol | None) -> Rule:
        """See `function`."""
        self = super().__new__(cls)
        self.shown, self.params, self.body, self.index = shown, params, body, index
        return self  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[Any, ...]:
        return self.shown, self.params, self.body, self.index

    def __call__(self, *arguments: sp.Expr) -> Call:
        """The function's value at the arguments.

        Raises:
            ValueError: not as many arguments as parameters, or a number where a vector is meant.
        """
        if len(arguments) != len(self.params):
            raise ValueError(f"{self.shown} takes {len(self.params)} arguments, got {len(arguments)}")
        given = tuple(map(sp.sympify, arguments))
        for param, argument in zip(self.params, given, strict=True):
            if isinstance(param, sp.IndexedBase) and not is_vector(argument):
                raise ValueError(f"{self.shown}: {param} is a vector, got the number {argument}")
        return Call(self, *given)


def function(shown: str, params: Sequence[sp.Expr], body: sp.Expr, *, index: sp.Symbol | None = None) -> Rule:
    r"""A function that prints as `shown` and means `body`.

    Args:
        shown: LaTeX, with #1, #2, ... where the arguments stand.
        params: a Symbol for each number and an IndexedBase for each vector. A vector given for a number is taken entry
            by entry.
        body: an expression of the parameters (and of n, and of symbols that have definitions of their own).
        index: for a function whose value is a vector, the free index of the body.

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, j, k, s, t, total
        >>> softmax = function(r"\operatorname{softmax}(#1)", (s,), sp.exp(s[i]) / total(sp.exp(s[j]), j), index=i)
        >>> print(latex(softmax(s - t)[k]))
        \operatorname{softmax}(- t + s)_{k}
    """
    return Rule(shown, tuple(params), sp.sympify(body), index)


class Call(Node):
    """A named function at its arguments: a number, or a vector where the rule or an argument for a number is one."""

    def meaning(self) -> sp.Expr:
        """The body at the arguments. Only of a number; take an entry of a vector first."""
        rule, *arguments = self.args
        return put(rule.body, dict(zip(rule.params, arguments, strict=True)))

    def __getitem__(self, place: Any) -> sp.Expr:
        """The entry at `place`."""
        return entry(self, sp.sympify(place))

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        rule, *arguments = self.args
        text = str(rule.shown)
        inside = type(printer)({"order": "none", "fold_short_frac": True})
        for number, argument in enumerate(arguments, 1):
            text = text.replace(f"#{number}", inside.doprint(argument))
        return text if exp is None else rf"{text}^{{{exp}}}"


class Entry(Node):
    """Entry(f, k): the k-th entry of a vector-valued function at its arguments."""

    def meaning(self) -> sp.Expr:
        """The body at the arguments and at this index."""
        (rule, *arguments), place = self.args[0].args, self.args[1]
        return put(rule.body, {**dict(zip(rule.params, arguments, strict=True)), rule.index: place})

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        text = f"{printer.doprint(self.args[0])}_{{{printer.doprint(self.args[1])}}}"
        return text if exp is None else rf"{text}^{{{exp}}}"


def is_vector(e: sp.Expr) -> bool:
    """Whether `e` has entries."""
    if isinstance(e, Call):
        rule, *arguments = e.args
        pairs = zip(rule.params, arguments, strict=True)
        return rule.index is not None or any(is_vector(x) for p, x in pairs if not isinstance(p, sp.IndexedBase))
    if isinstance(e, sp.IndexedBase | Node) or not e.args:
        return isinstance(e, sp.IndexedBase) or (isinstance(e, Node) and e.vector)
    elementwise = e.is_Add or e.is_Mul or e.is_Pow or isinstance(e, sp.Function | sp.Max | sp.Min)
    return elementwise and any(map(is_vector, e.args))


def entry(e: sp.Expr, place: sp.Expr) -> sp.Expr:
    """The entry of a vector at `place`; a number is the same at every place."""
    if not is_vector(e):
        return e
    if isinstance(e, sp.IndexedBase):
        return e[place]
    if isinstance(e, Node) and e.vector:
        return e.at(place)
    if not isinstance(e, Call):
        return e.func(*(entry(x, place) for x in e.args))
    rule, *arguments = e.args
    if rule.index is not None:
        return Entry(e, place)
    pairs = zip(rule.params, arguments, strict=True)
    return Call(rule, *(x if isinstance(p, sp.IndexedBase) else entry(x, place) for p, x in pairs))


def bound(e: sp.Expr) -> set[sp.Expr]:
    """The indices and variables that `e` itself binds."""
    if isinstance(e, sp.Sum):
        return {limit[0] for limit in e.limits}
    if isinstance(e, sp.Limit):
        return {e.args[1]}
    return e.bound() if isinstance(e, Node) else set()


def put(e: sp.Expr, new: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    """`e` with symbols and vectors replaced, at once and without catching an index that a sum in `e` binds."""
    with sp.evaluate(False):
        return _put(e, new)


def _put(e: Any, new: Mapping[sp.Expr, sp.Expr]) -> Any:
    if e in new:
        return new[e]
    if isinstance(e, sp.Indexed):
        places = tuple(_put(x, new) for x in e.indices)
        return entry(new[e.base], *places) if e.base in new else e.base[places]
    if not e.args or isinstance(e, sp.IndexedBase):
        return e
    fresh = {x: sp.Dummy(x.name, **x.assumptions0) for x in bound(e)}
    args = [_put(x, {**new, **fresh}) for x in e.args]
    if not isinstance(e, sp.Sum):
        return e.func(*args)
    result = sp.Expr.__new__(sp.Sum, *args)
    result.is_commutative = True
    return result


def needs(e: Any) -> set[sp.Expr]:
    """Symbols, vectors and sets that need a value before `e` has one."""
    if isinstance(e, sp.IndexedBase) or e.is_Symbol:
        return {e}
    if isinstance(e, Rule):
        return needs(e.body) - set(e.params) - {e.index}
    if isinstance(e, sp.Indexed):
        return {e.base}.union(*map(needs, e.indices))
    if hasattr(e, "needs"):
        return set(e.needs)
    return set().union(*map(needs, e.args)) - bound(e)
