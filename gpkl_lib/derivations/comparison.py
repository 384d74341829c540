"""Whether a relation holds between two expressions at a point, by numbers alone."""

from __future__ import annotations

import sympy as sp
from mpmath import mp, mpf

from gpkl_lib.derivations.expressions import BigO, Integral
from gpkl_lib.derivations.numeric import DIGITS, FLOOR, NEAR_LIMIT, Evaluator, apart
from gpkl_lib.derivations.points import Point

INTEGRAL_DIGITS = 30
STRICT_DIGITS = 2000  # tells e^-4000 from 0 beside 1000
BEYOND = ("half precision", "wide", "one-hot")  # kinds of points where a difference may be smaller still
BIG_O = 1000


def compare(a: sp.Expr, relation: str, b: sp.Expr, evaluate: Evaluator, point: Point) -> tuple[mpf | None, mpf, mpf]:
    """(relative difference, both values) at a point; the first is None where `a relation b` does not hold.

    "=" means equal to 50 digits (30 with integrals; 1000 |e| apart at most where a side has BigO(e)), "<=" at most that
    much above. "<" is decided with 2,000 digits if need be; at a point of the kinds in `BEYOND` it may be "=".
    """
    one, other = evaluate(a, point), evaluate(b, point)
    if relation in (">", ">="):
        distance, *_ = compare(b, "<" if relation == ">" else "<=", a, evaluate, point)
        return distance, one, other
    digits = INTEGRAL_DIGITS if a.has(Integral) or b.has(Integral) else DIGITS
    with mp.workdps(140):
        slack = other - one
        tiny = mpf(10) ** -digits * max(1, abs(one), abs(other))
    if relation == "=":
        distance, rest = (
            apart(one, other, floor=NEAR_LIMIT if a.has(sp.Limit) or b.has(sp.Limit) else FLOOR),
            [x for e in (a, b) for x in e.atoms(BigO)],
        )
        if rest:
            return (mpf(0) if abs(slack) <= BIG_O * abs(evaluate(rest[0].args[0], point)) else None), one, other
        return (distance if distance <= mpf(10) ** -digits else None), one, other
    if relation == "<" and abs(slack) <= tiny and point.kind not in BEYOND:
        with mp.workdps(STRICT_DIGITS):
            exact = evaluate(b, point, STRICT_DIGITS) - evaluate(a, point, STRICT_DIGITS)
            return (mpf(0) if exact > mpf(10) ** (100 - STRICT_DIGITS) else None), one, other
    return (mpf(0) if slack >= -tiny else None), one, other
