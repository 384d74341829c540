"""The normal form of sums over 1, ..., n, and whether an expression without sums is zero.

The normal form of a sum over i splits it into terms, takes out of each what does not depend on i, replaces a delta by
its index, and gives what is left a symbol, the same for the same summand. Two expressions are equal for every n if
their difference is then zero as a rational function of these symbols.
"""

from __future__ import annotations

import sympy as sp

from gpkl_lib.derivations.notation import n


class NotProven(ValueError):
    """No rule here decides the expression."""


def outermost(e: sp.Sum) -> tuple[sp.Symbol, sp.Expr, sp.Expr, sp.Expr]:
    """Outer index of a sum, what is summed over it, first and last (SymPy makes a sum of sums one with two limits)."""
    *inner, (index, first, last) = e.limits
    return index, sp.Sum(e.function, *inner) if inner else e.function, first, last


class Normal:
    """Brings the sums of an expression into normal form. One object serves both sides: equal sums share a symbol."""

    def __init__(self) -> None:
        self._table: dict[sp.Expr, sp.Dummy] = {}
        self._open: list[sp.Symbol] = []

    def __call__(self, e: sp.Expr) -> sp.Expr:
        """`e` with every sum in normal form."""
        if not e.args or e.is_Indexed:
            return e
        return self._sum(e) if isinstance(e, sp.Sum) else e.func(*map(self, e.args))

    def _sum(self, e: sp.Sum) -> sp.Expr:
        index, summand, *ends = outermost(e)
        if ends != [1, n]:
            raise NotProven(f"the sum goes from {ends[0]} to {ends[1]}")
        self._open.append(index)
        terms = sp.Add.make_args(sp.expand(logs(self(summand))))
        self._open.pop()
        return sp.Add(*(self._term(term, index) for term in terms))

    def _term(self, term: sp.Expr, index: sp.Symbol) -> sp.Expr:
        outside, inside = term.as_independent(index, as_Add=False)
        for delta in sp.Mul.make_args(inside):
            if isinstance(delta, sp.KroneckerDelta):
                other = next(x for x in delta.args if x != index)
                return outside * (inside / delta).xreplace({index: other})
        if inside == 1:
            return outside * n
        if inside.is_polynomial(index) and inside.free_symbols == {index}:
            return outside * sp.summation(inside, (index, 1, n))
        key = inside.xreplace({index: sp.Symbol("_", integer=True, positive=True)})
        if any(key.has(x) for x in self._open):
            raise NotProven(f"the sum of {inside} over {index} depends on an index outside it")
        sign = "positive" if key.is_positive else "nonnegative" if key.is_nonnegative else "real"
        return outside * self._table.setdefault(key, sp.Dummy("S", **{sign: True}))


def is_zero(e: sp.Expr) -> bool:
    """Whether `e` vanishes as a rational function of its exponentials, logarithms and symbols (no: not seen to)."""
    return bool(sp.expand(sp.numer(sp.together(sp.expand(logs(e))))) == 0)


def logs(e: sp.Expr) -> sp.Expr:
    """Logarithms of products and quotients written as sums (every argument here is positive)."""
    return e.replace(sp.log, lambda x: sp.expand_log(sp.log(_unsigned(sp.factor(sp.together(x)))), force=True))


def _unsigned(e: sp.Expr) -> sp.Expr:
    """|e| for a product: each factor in the sign that SymPy likes; `factor` takes one or the other by chance."""

    def one(x: sp.Expr) -> sp.Expr:
        base, power = x.as_base_exp()
        return (-base) ** power if base.is_Add and base.could_extract_minus_sign() else x

    return sp.Mul(*(one(x) for x in sp.Mul.make_args(e) if x != -1))
