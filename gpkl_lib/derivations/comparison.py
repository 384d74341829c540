"""A decision by numbers alone: does a relation hold between two expressions at a point?"""

from __future__ import annotations

import sympy as sp
from mpmath import mp, mpf

from gpkl_lib.derivations.expressions import BigO
from gpkl_lib.derivations.numeric import DIGITS, FLOOR, INTEGRAL_DIGITS, NEAR_LIMIT, Evaluator, apart
from gpkl_lib.derivations.points import Point

STRICT_DIGITS = 2000  # tells e^-4000 from 0 beside 1000
BEYOND = ("half precision", "wide", "one-hot")  # kinds of points where a difference may be smaller still
BIG_O = 1000


def compare(a: sp.Expr, relation: str, b: sp.Expr, evaluate: Evaluator, point: Point) -> tuple[mpf | None, mpf, mpf]:
    """The relative difference and both values at a point; the first is None where `a relation b` does not hold.

    "=" means equal to 50 digits (25 with integrals; at most 1000 |e| apart where a side has BigO(e)), "<=" at most that
    much above. "<" is decided with 2,000 digits if need be; at a point of the kinds in `BEYOND` it may be "=".
    """
    one, other = evaluate(a, point), evaluate(b, point)
    if relation in (">", ">="):
        distance, *_ = compare(b, "<" if relation == ">" else "<=", a, evaluate, point)
        return distance, one, other
    with mp.workdps(2 * DIGITS):
        near = mpf(10) ** -(INTEGRAL_DIGITS if evaluate.integrals else DIGITS)
    if relation == "=":
        return _equal(a, b, one, other, near, evaluate, point), one, other
    with mp.workdps(2 * DIGITS):
        slack, rounding = other - one, near * max(1, abs(one), abs(other))
    if relation == "<" and abs(slack) <= rounding and point.kind not in BEYOND:
        with mp.workdps(STRICT_DIGITS):
            slack = evaluate(b, point, STRICT_DIGITS) - evaluate(a, point, STRICT_DIGITS)
            rounding = -(mpf(10) ** (100 - STRICT_DIGITS))
    return (mpf(0) if slack >= -rounding else None), one, other


def _equal(a: sp.Expr, b: sp.Expr, one: mpf, other: mpf, near: mpf, evaluate: Evaluator, point: Point) -> mpf | None:
    rest = [x for e in (a, b) for x in e.atoms(BigO)]
    if rest:
        room = BIG_O * sum(abs(evaluate(x.args[0], point)) for x in rest)
        return mpf(0) if abs(one - other) <= room else None
    floor = NEAR_LIMIT if a.has(sp.Limit) or b.has(sp.Limit) else FLOOR
    distance = apart(one, other, floor=floor)
    return distance if distance <= near else None
