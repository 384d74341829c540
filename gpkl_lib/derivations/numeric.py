"""The value of an expression at a point, in 50-digit arithmetic and without SymPy's algebra.

Derivatives are taken numerically and limits by going 1e-80 near, so that a wrong simplification, a wrong rule of
differentiation or a wrong limit in the symbolic proof cannot hide here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any

import sympy as sp
from mpmath import mp, mpc, mpf

from gpkl_lib.derivations.notation import AtEqual, Definition, Partial, Winner, tau
from gpkl_lib.derivations.notation import n as size

DIGITS = 50
_WORKING = 140  # leaves 50 digits of differences that are 1e-40 of their terms, and room for the floor below
_WORKING_IN_LIMITS = 300  # a second difference, 1e-80 near, spends 160 digits
FLOOR = mpf(10) ** -100  # two values below this count as equal: e^-1000, and the rounding of a sum that cancels
NEAR_LIMIT = mpf(10) ** -60  # the same, where one of them is a limit that is 0: 1e-80 near it, times what logits give
_NEAR = 80
_KNOWN = "values of defined symbols and entries"

_FUNCTIONS = {sp.exp: mp.exp, sp.log: mp.log, sp.tanh: mp.tanh, sp.Abs: abs}


@dataclass(frozen=True)
class Point:
    """Values for the free symbols: a number for a Symbol, n numbers for an IndexedBase, an integer for an index."""

    kind: str
    values: Mapping[sp.Expr, Any]

    def __str__(self) -> str:
        def show(x: Any) -> str:
            return mp.nstr(x, 12) if isinstance(x, mpf) else str(x)

        texts = {
            key: "[" + ", ".join(map(show, x)) + "]" if isinstance(x, list) else show(x)
            for key, x in self.values.items()
        }
        return ", ".join(f"{key} = {text}" for key, text in sorted(texts.items(), key=lambda pair: str(pair[0])))


KINDS = ("mild", "wide", "close", "equal", "shifted", "one-hot", "opposite", "half precision")


def points(
    free: set[sp.Expr], *, seed: int = 0, kinds: tuple[str, ...] = KINDS, distinct: bool = False
) -> Iterator[Point]:
    """Two points of each kind, n from 2 to 5: ordinary logits, +-1e3, nearly equal views, +-65504, ...

    Args:
        free: the symbols that need a value.
        distinct: every vector's largest entry leads by at least 0.1 (needed where a winner is named).
    """
    rng = random.Random(seed)
    for turn, kind in enumerate(kinds * 2):
        length = 2 + (turn * 3 + turn // len(kinds)) % 4
        values: dict[sp.Expr, Any] = {size: length}
        first: list[mpf] | None = None
        for key in sorted(free - {size}, key=str):
            if isinstance(key, sp.IndexedBase):
                values[key] = _vector(rng, kind, length, first)
                first = first or values[key]
                if distinct:
                    values[key][rng.randrange(length)] = max(values[key]) + mpf("0.1")
            elif key.is_integer:
                values[key] = rng.randint(1, length)
            elif key == tau:
                values[key] = mpf(f"{rng.random():.6f}")
            else:
                size_of = mpf(f"{10 ** rng.uniform(-2, 2):.6f}")
                values[key] = size_of if key.is_positive else size_of * rng.choice((-1, 1))
        yield Point(kind, values)


def _vector(rng: random.Random, kind: str, length: int, first: list[mpf] | None) -> list[mpf]:
    reach = {"wide": 1000.0, "half precision": 65504.0}.get(kind, 3.0)
    fresh = [mpf(f"{rng.uniform(-reach, reach):.6f}") for _ in range(length)]
    if kind == "one-hot" or (kind == "opposite" and first is None):
        winner = rng.randrange(length)
        return [mpf(1000 if place == winner else -1000) for place in range(length)]
    if first is None:
        return fresh
    if kind == "close":
        return [x + y * mpf("1e-6") for x, y in zip(first, fresh, strict=True)]
    if kind == "equal":
        return list(first)
    if kind == "shifted":
        return [x + 7 for x in first]
    if kind == "opposite":
        return [-x for x in first]
    return fresh


class Evaluator:
    """value(expr, point): expressions over the definitions of one derivation, each node by its own meaning."""

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self._entries = {left.base: (left.indices[0], right) for left, right in definitions if left.is_Indexed}
        self._symbols = {left: right for left, right in definitions if not left.is_Indexed}

    def __call__(self, expr: sp.Expr, point: Point) -> mpf:
        """The value of `expr` at `point`, good to more than 50 digits; nan where it has no real value."""
        with mp.workdps(_WORKING_IN_LIMITS if expr.has(sp.Limit) else _WORKING):
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
                at[_KNOWN][e] = self._value(self._symbols[e], at)
            return at[_KNOWN][e]
        if e.is_Indexed:
            return self._entry(e, at)
        if e.is_Add:
            return sum((self._value(x, at) for x in e.args), mpf(0))
        if e.is_Mul:
            return reduce(mul, (self._value(x, at) for x in e.args), mpf(1))
        if isinstance(e, sp.exp):
            return mp.exp(self._value(e.args[0], at))
        if e.is_Pow:
            return mp.power(self._value(e.base, at), self._value(e.exp, at))
        if e.func in _FUNCTIONS:
            return _FUNCTIONS[e.func](self._value(e.args[0], at))
        return self._binding(e, at)

    def _entry(self, e: sp.Indexed, at: dict[Any, Any]) -> Any:
        place = self._value(e.indices[0], at)
        if e.base in at:
            return at[e.base][int(place) - 1]
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

    def _slope(self, f: sp.Expr, variables: tuple[sp.Expr, ...], at: dict[Any, Any]) -> Any:
        """Central differences, nested for a second derivative; mpmath raises its precision to make up for the loss."""
        if not variables:
            return self._value(f, at)
        *outer, x = variables
        if x.is_Symbol:
            return mp.diff(lambda v: self._slope(f, tuple(outer), _fresh({**at, x: v})), at[x])
        place = int(self._value(x.indices[0], at)) - 1
        vector = at[x.base]

        def moved(v: mpf) -> Any:
            return self._slope(f, tuple(outer), _fresh({**at, x.base: [*vector[:place], v, *vector[place + 1 :]]}))

        return mp.diff(moved, vector[place])


def _fresh(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Values with nothing known yet of what the definitions make of them (indices may change without this)."""
    return {**values, _KNOWN: {}}


def apart(a: mpf, b: mpf, *, floor: mpf = FLOOR) -> mpf:
    """Relative difference of two values; 0 where both are below `floor`, nan where one is not a real number."""
    with mp.workdps(_WORKING_IN_LIMITS):
        scale = max(abs(a), abs(b))
        return mpf(0) if scale < floor else abs(a - b) / max(scale, floor * mpf(10) ** DIGITS)
