"""The value of an expression at a point, in 50-digit arithmetic and without SymPy's algebra.

Derivatives are taken numerically and limits by going 1e-80 near, so that a wrong simplification, a wrong rule of
differentiation or a wrong limit in the symbolic proof cannot hide here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from operator import mul
from typing import Any

import sympy as sp
from mpmath import mp, mpc, mpf

from gpkl_lib.derivations.expressions import BigO, Integral, Numeric, Over
from gpkl_lib.derivations.functions import Node
from gpkl_lib.derivations.notation import AtEqual, Definition, Partial, Winner
from gpkl_lib.derivations.notation import n as size
from gpkl_lib.derivations.points import KINDS, Point, points

DIGITS = 50
INTEGRAL_DIGITS = 25  # quadrature is the slowest of all, and its error is estimated, not bounded
_WORKING = 140  # leaves 50 digits of differences that are 1e-40 of their terms, and room for the floor below
_WORKING_IN_LIMITS = 300  # a second difference, 1e-80 near, spends 160 digits
FLOOR = mpf(10) ** -100  # two values below this count as equal: e^-1000, and the rounding of a sum that cancels
NEAR_LIMIT = mpf(10) ** -60  # the same, where one of them is a limit that is 0: 1e-80 near it, times what logits give
_NEAR = 80
_KNOWN = "values of defined symbols and entries"


def _ordered(pick: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """max or min, nan where a value is not real."""
    return lambda *values: mpf("nan") if any(isinstance(x, mpc) for x in values) else pick(list(values))


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sp.exp: mp.exp,
    sp.log: mp.log,
    sp.tanh: mp.tanh,
    sp.cosh: mp.cosh,
    sp.sinh: mp.sinh,
    sp.sin: mp.sin,
    sp.cos: mp.cos,
    sp.atan: mp.atan,
    sp.erf: mp.erf,
    sp.Abs: abs,
    sp.sign: mp.sign,
    sp.floor: mp.floor,
    sp.ceiling: mp.ceil,
    sp.Max: _ordered(max),
    sp.Min: _ordered(min),
    sp.gamma: mp.gamma,
    sp.loggamma: mp.loggamma,
    sp.digamma: mp.digamma,
    sp.polygamma: mp.polygamma,
    sp.beta: mp.beta,
    sp.factorial: mp.factorial,
    sp.binomial: mp.binomial,
}
_RELATIONS: dict[Any, Callable[[Any, Any], bool]] = {
    sp.Lt: lambda a, b: a < b,
    sp.Le: lambda a, b: a <= b,
    sp.Gt: lambda a, b: a > b,
    sp.Ge: lambda a, b: a >= b,
    sp.Eq: lambda a, b: a == b,
    sp.Ne: lambda a, b: a != b,
}
_OVER: dict[str, Callable[..., Any]] = {
    "sum": lambda *terms: sum(terms, mpf(0)),
    "prod": lambda *terms: reduce(mul, terms, mpf(1)),
    "count": lambda *terms: len(terms),
    "max": lambda *terms: _ordered(max)(*terms) if terms else mpf("nan"),
    "min": lambda *terms: _ordered(min)(*terms) if terms else mpf("nan"),
}

__all__ = ["DIGITS", "KINDS", "Evaluator", "Point", "apart", "points"]


class Evaluator:
    """Evaluates expressions over the definitions of one derivation, each node by its own meaning.

    Example:
        >>> import sympy as sp
        >>> a = sp.Symbol("a", real=True)
        >>> value = Evaluator(())(sp.exp(a), Point("mild", {a: 0}))
        >>> int(value)
        1
    """

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self._entries = {left.base: (left.indices[0], right) for left, right in definitions if left.is_Indexed}
        self._symbols = {left: right for left, right in definitions if not left.is_Indexed}
        self._known: dict[tuple[Any, ...], tuple[Point, mpf]] = {}
        self.integrals = False  # whether any was met: then values are good to INTEGRAL_DIGITS

    def __call__(self, expr: sp.Expr, point: Point, digits: int = _WORKING) -> mpf:
        """The value of `expr` at `point`, computed with `digits`, which leaves more than 50; nan where it is not real.

        Values are remembered, so that of many expressions at the same points each is computed once.
        """
        key = (expr, id(point), digits)
        if key not in self._known:
            self._known[key] = point, self._compute(expr, point, digits)
        return self._known[key][1]

    def _compute(self, expr: sp.Expr, point: Point, digits: int) -> mpf:
        with mp.workdps(_WORKING_IN_LIMITS if expr.has(sp.Limit) else digits):
            try:
                value = self._value(expr, _fresh(point.values))
            except ZeroDivisionError:
                return mpf("nan")
            return mpf("nan") if isinstance(value, mpc) else +mpf(value)

    def _value(self, e: sp.Expr, at: dict[Any, Any]) -> Any:
        if e.is_Rational:
            return mpf(e.p) / e.q if e.q != 1 else int(e)
        if e.is_Symbol:
            if e in at:
                return at[e]
            if e not in at[_KNOWN]:
                if e not in self._symbols:
                    raise KeyError(f"{e} has neither a value nor a definition")
                at[_KNOWN][e] = self._value(self._symbols[e], at)
            return at[_KNOWN][e]
        if e.is_Indexed:
            return self._entry(e, at)
        if e.is_Add:
            return sum((self._value(x, at) for x in e.args), mpf(0))
        if e.is_Mul:
            factors = [self._value(x, at) for x in e.args]
            return mpf(0) if 0 in factors else reduce(mul, factors, mpf(1))  # 0 log 0 is 0
        if isinstance(e, sp.exp):
            return mp.exp(self._value(e.args[0], at))
        if e.is_Pow:
            return mp.power(self._value(e.base, at), self._value(e.exp, at))
        if e.func in _FUNCTIONS:
            return _FUNCTIONS[e.func](*(self._value(x, at) for x in e.args))
        return self._node(e, at) if isinstance(e, Node) else self._binding(e, at)

    def _node(self, e: Node, at: dict[Any, Any]) -> Any:
        if isinstance(e, Over):
            what, term, index = e.args[:3]
            members = at[e.members.other or e.members] if e.members else range(1, at[size] + 1)
            if e.members and e.members.other:
                members = [place for place in range(1, at[size] + 1) if place not in members]
            return _OVER[str(what)](*(self._value(term, {**at, index: place}) for place in members))
        if isinstance(e, Integral):
            f, x, *ends = e.args
            self.integrals = True
            with mp.workdps(INTEGRAL_DIGITS + 10):
                limits = [self._value(end, at) for end in ends]
                return mp.quad(lambda v: self._value(f, _fresh({**at, x: v})), limits)
        if isinstance(e, BigO):
            return mpf(0)
        if isinstance(e, Numeric):
            return e.f(lambda x: self._value(x, at))
        return self._value(_meaning(e), at)

    def _entry(self, e: sp.Indexed, at: dict[Any, Any]) -> Any:
        place = self._value(e.indices[0], at)
        if e.base in at:
            found = at[e.base][int(place) - 1]
            return found[int(self._value(e.indices[1], at)) - 1] if len(e.indices) > 1 else found
        index, right = self._entries[e.base]
        known = at[_KNOWN]
        if (e.base, place) not in known:
            known[e.base, place] = self._value(right, {**at, index: place})
        return known[e.base, place]

    def _binding(self, e: sp.Expr, at: dict[Any, Any]) -> Any:
        if isinstance(e, sp.Sum):
            term, *inner, (index, first, last) = e.args
            term = sp.Sum(term, *inner) if inner else term
            places = range(int(self._value(first, at)), int(self._value(last, at)) + 1)
            return sum((self._value(term, {**at, index: place}) for place in places), mpf(0))
        if isinstance(e, sp.KroneckerDelta):
            return int(self._value(e.args[0], at) == self._value(e.args[1], at))
        if isinstance(e, sp.Piecewise):
            return next(self._value(x, at) for x, condition in e.args if self._holds(condition, at))
        if e.is_NumberSymbol or e in (sp.oo, -sp.oo):
            return +mp.pi if e == sp.pi else mp.e() if e == sp.E else mpf("inf") if e == sp.oo else mpf("-inf")
        if isinstance(e, Winner):
            return 1 + max(range(at[size]), key=at[e.args[0]].__getitem__)
        if isinstance(e, AtEqual):
            f, old, new = e.args
            return self._value(f, _fresh({**at, old: list(at[new])}))
        if isinstance(e, sp.Limit):
            f, x, to, _ = e.args
            return self._value(f, _fresh({**at, x: mpf(10) ** (_NEAR if to == sp.oo else -_NEAR)}))
        if isinstance(e, Partial):
            return self._slope(e.args[0], e.args[1:], at)
        raise TypeError(f"no numerical meaning for {type(e).__name__} in {e}")

    def _holds(self, condition: Any, at: dict[Any, Any]) -> bool:
        if condition in (sp.true, sp.false):
            return bool(condition)
        return _RELATIONS[condition.func](*(self._value(x, at) for x in condition.args))

    def _slope(self, f: sp.Expr, variables: tuple[sp.Expr, ...], at: dict[Any, Any]) -> Any:
        """The derivative by central differences, nested for a second one; mpmath raises its precision for them."""
        if not variables:
            return self._value(f, at)
        *outer, x = variables
        if x.is_Symbol:
            return mp.diff(lambda v: self._slope(f, tuple(outer), _fresh({**at, x: v})), at[x])
        place = int(self._value(x.indices[0], at)) - 1
        vector = at[x.base] if x.base in at else [self._entry(x.base[m], at) for m in range(1, at[size] + 1)]

        def moved(v: mpf) -> Any:
            return self._slope(f, tuple(outer), _fresh({**at, x.base: [*vector[:place], v, *vector[place + 1 :]]}))

        return mp.diff(moved, vector[place])


@lru_cache(maxsize=4096)
def _meaning(e: Any) -> sp.Expr:
    if not hasattr(e, "meaning"):
        raise TypeError(f"no numerical meaning for {type(e).__name__} in {e}")
    return e.meaning()


def _fresh(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Values with an empty store of what the definitions make of them (a change of an index alone needs no new one)."""
    return {**values, _KNOWN: {}}


def apart(a: mpf, b: mpf, *, floor: mpf = FLOOR) -> mpf:
    """Relative difference of two values; 0 where both are below `floor`, nan where one is not a real number."""
    with mp.workdps(_WORKING_IN_LIMITS):
        scale = max(abs(a), abs(b))
        return mpf(0) if scale < floor else abs(a - b) / max(scale, floor * mpf(10) ** DIGITS)
