"""Proof that two expressions are equal, by SymPy, for every n where sums have a normal form; else a check at n = 2..5.

Such a check is exact algebra over symbols too, but with the sums written out: it says nothing of n = 6.
"""

from __future__ import annotations

from itertools import product
from math import factorial

import sympy as sp

from gpkl_lib.derivations.expressions import Integral, Over
from gpkl_lib.derivations.functions import Node
from gpkl_lib.derivations.normal import Normal, NotProven, is_zero, outermost
from gpkl_lib.derivations.notation import AtEqual, Definition, Partial, Winner, n, total

SIZES = (2, 3, 4, 5)
EVERY = "every n"


def prove(a: sp.Expr, b: sp.Expr, relation: str, definitions: tuple[Definition, ...], *, sizes: bool = True) -> str:
    """For which n `a relation b` was found to hold: "every n", a proof, or "n = 2, 3, 4, 5", a check.

    Args:
        a, b: expressions over the definitions.
        relation: "=", or ">=" (then b must be 0).
        sizes: whether to try n = 2..5 where there is no proof for every n (which can take long).

    Raises:
        NotProven: neither way leads to an answer, or the answer is no.
    """
    a, b = _fresh(unfold(a, definitions)), _fresh(unfold(b, definitions))
    if relation == ">=":
        if b != 0 or not _is_nonnegative(a):
            raise NotProven(f"{a} is not seen to be at least {b}")
        return EVERY
    winners = {right.args[0]: left for left, right in definitions if isinstance(right, Winner)}
    if _equal_for_every_n(a, b):
        return EVERY
    if not sizes:
        raise NotProven("no proof for every n")
    for size in SIZES:
        for places in _placements((a, b), winners, size):
            x, y = (_calculate(_write_out(e, size, places), winners, places) for e in (a, b))
            if not is_zero(x - y):
                raise NotProven(f"the difference does not simplify to 0 for n = {size}")
    return "n = " + ", ".join(map(str, SIZES))


def in_words(way: str) -> str:
    """An answer of `prove` as it is shown: "proven for every n" or "checked for n = 2, 3, 4, 5"."""
    return f"{'proven' if way == EVERY else 'checked'} for {way}"


def unfold(e: sp.Expr, definitions: tuple[Definition, ...]) -> sp.Expr:
    """`e` with every defined symbol replaced by its definition, and evaluated as SymPy would have built it."""
    entries = {left.base: (left.indices[0], right) for left, right in definitions if left.is_Indexed}
    symbols = {left: right for left, right in definitions if not left.is_Indexed and not isinstance(right, Winner)}

    def visit(x: sp.Expr) -> sp.Expr:
        if x.is_Indexed and x.base in entries:
            index, right = entries[x.base]
            return visit(_fresh(right).xreplace({index: x.indices[0]}))
        if x in symbols:
            return visit(_fresh(symbols[x]))
        if isinstance(x, Node) and not isinstance(x, Integral):
            return visit(_fresh(_meaning(x)))
        return x.func(*map(visit, x.args)) if x.args and not x.is_Indexed else x

    return visit(e)


def _meaning(e: Node) -> sp.Expr:
    """A node written by others; a sum over a set of indices by a mask that is 1 for its members."""
    if isinstance(e, Over) and str(e.args[0]) in ("sum", "count"):
        _, term, index = e.args[:3]
        if e.members:
            mask = sp.IndexedBase(f"1_{e.members.other or e.members}", real=True)[index]
            term = term * (1 - mask if e.members.other else mask)
        return total(term, index)
    if not hasattr(e, "meaning"):
        raise NotProven(f"no algebra for {type(e).__name__}")
    return e.meaning()


def _fresh(e: sp.Expr) -> sp.Expr:
    """`e` with every summation index renamed, so that no free index bears its name and none put into `e` is caught."""
    if not e.args or e.is_Indexed:
        return e
    result = e.func(*map(_fresh, e.args))
    if isinstance(result, sp.Sum):
        names = {limit[0]: sp.Dummy(limit[0].name, integer=True, positive=True) for limit in result.limits}
        return result.xreplace(names)
    return result


def _bound(e: sp.Expr) -> set[sp.Symbol]:
    return {limit[0] for x in e.atoms(sp.Sum) for limit in x.limits}


def _placements(
    pair: tuple[sp.Expr, sp.Expr], winners: dict[sp.Expr, sp.Symbol], size: int
) -> list[dict[sp.Symbol, int]]:
    """Values of the free indices: all, except that a winner may be called 1 and a second one 1 or 2 by symmetry."""
    free = set().union(*((e.free_symbols - _bound(e)) for e in pair))
    indices = sorted((x for x in free if x.is_Symbol and x.is_integer and x != n), key=str)
    names = list(winners.values())
    ranges = [range(1, 2 + names.index(x)) if x in names else range(1, size + 1) for x in indices]
    return [dict(zip(indices, places, strict=True)) for places in product(*ranges)]


def _write_out(e: sp.Expr, size: int, places: dict[sp.Symbol, int]) -> sp.Expr:
    """`e` for n = size, every sum written out."""

    def visit(x: sp.Expr) -> sp.Expr:
        if isinstance(x, sp.Sum):
            index, term, first, last = outermost(x)
            if not (first.is_Integer and last.is_Integer):
                raise NotProven(f"the sum goes from {first} to {last}")
            places = range(int(first), int(last) + 1)
            return sp.Add(*(visit(term.xreplace({index: sp.Integer(place)})) for place in places))
        return x.func(*map(visit, x.args)) if x.args else x

    return visit(e.xreplace({n: sp.Integer(size), **{x: sp.Integer(place) for x, place in places.items()}}))


def _calculate(e: sp.Expr, winners: dict[sp.Expr, sp.Symbol], places: dict[sp.Symbol, int]) -> sp.Expr:
    """`e` with its derivatives, limits, integrals and sums of numbers worked out, innermost first.

    tanh, cos and sin are written by exponentials, and e^(a delta) as 1 + (e^a - 1) delta.
    """
    if not e.args or e.is_Indexed:
        return e
    if isinstance(e, Integral):
        return _integrate(e)
    e = e.func(*(_calculate(x, winners, places) for x in e.args))
    if isinstance(e, sp.exp) and e.has(sp.KroneckerDelta):
        return _picked(e)
    if isinstance(e, sp.Sum) and len(e.limits) == 1 and e.limits[0][2] != n and not e.has(sp.Indexed):
        return sp.expand(e.doit())
    if isinstance(e, Partial):
        return e.args[0].diff(*e.args[1:])
    if isinstance(e, AtEqual):
        f, old, new = e.args
        return f.xreplace({old: new})
    if isinstance(e, sp.tanh):
        square = sp.exp(sp.expand_log(2 * e.args[0], force=True))
        return (square - 1) / (square + 1)
    if isinstance(e, sp.cos | sp.sin):
        return sp.expand(e.rewrite(sp.exp))
    if isinstance(e, sp.Limit):
        f, x, to, _ = e.args
        if to == sp.oo:
            f, to = f.xreplace({x: 1 / x}), sp.S.Zero
        if any(power.args[0].has(1 / x) for power in f.atoms(sp.exp)):
            return _cold(f, x, {v: places[winner] for v, winner in winners.items()})
        return _taylor(f, x)
    return e


def _integrate(e: Integral) -> sp.Expr:
    """The integral by SymPy, where the integrand is made of powers, e^, sin and cos: others may take for ever."""
    f, x, *ends = e.args
    f = _expanded(f)
    if any(g.has(x) and not isinstance(g, sp.exp | sp.sin | sp.cos) for g in f.atoms(sp.Function)):
        raise NotProven(f"no rule for the integral over {x}")
    result = sp.integrate(f, (x, ends[0], ends[-1]), conds="none")
    if result.has(sp.Integral, sp.Piecewise):
        raise NotProven(f"SymPy does not find the integral over {x}")
    return result


def _expanded(f: sp.Expr) -> sp.Expr:
    """`f` with logarithms of positive factors apart and e^(log c) undone, so that a density is powers times an e^."""
    return sp.expand(sp.powsimp(sp.expand_power_exp(sp.expand_log(sp.expand(f), force=True))))


def _picked(e: sp.exp) -> sp.Expr:
    (delta, *others), power = e.atoms(sp.KroneckerDelta), sp.expand(e.args[0])
    slope = power.coeff(delta)
    rest = sp.expand(power - slope * delta)
    if others or rest.has(delta) or slope.has(delta):
        return e
    return sp.exp(rest) * (1 + (sp.exp(slope) - 1) * delta)


def _taylor(f: sp.Expr, x: sp.Symbol) -> sp.Expr:
    """The limit of g(x) / x^m at 0 for regular g: the m-th Taylor coefficient, once those before are seen to vanish."""
    m = -int(f.as_powers_dict().get(x, 0))
    g = f * x**m
    for _ in range(m):
        if not is_zero(Normal()(g.xreplace({x: sp.S.Zero}))):
            raise NotProven(f"a term of order below {x}^{m} does not vanish")
        g = g.diff(x)
    return g.xreplace({x: sp.S.Zero}) / factorial(m)


def _cold(f: sp.Expr, x: sp.Symbol, winners: dict[sp.Expr, int]) -> sp.Expr:
    """The limit x to 0+ of a rational function of e^(s_i/x): divided by the winner's, every other one goes to 0.

    Each s_i is written as the winner's entry less a positive margin. Winners: which entry of each vector leads.
    """
    back: dict[sp.Expr, sp.Expr] = {}
    entries: dict[sp.Expr, sp.Expr] = {}
    for entry in f.atoms(sp.Indexed):
        if entry.base not in winners:
            raise NotProven(f"no winner of {entry.base} is named")
        lead = entry.base[winners[entry.base]]
        margin = sp.Dummy("m", positive=True)
        back[margin] = lead - entry
        entries[entry] = lead - margin if entry != lead else lead
    small: dict[sp.Expr, sp.Expr] = {}

    def power(e: sp.exp) -> sp.Expr:
        result = sp.S.One
        for term in sp.Add.make_args(sp.expand(e.args[0] * x)):
            count, what = term.as_coeff_Mul()
            symbol = small.setdefault(what, sp.Dummy("e", positive=True))
            result *= symbol**count if what not in back else symbol ** (-count)
        return result

    g = f.xreplace(entries)
    g = g.xreplace({e: power(e) for e in g.atoms(sp.exp)})
    g = g.replace(lambda e: e.is_Pow and e.base.is_Add, lambda e: sp.factor_terms(e.base) ** e.exp)
    g = sp.expand(sp.expand_power_base(g, force=True))
    g = g.xreplace({symbol: sp.S.Zero for what, symbol in small.items() if what in back}).xreplace(back)
    if g.has(x) or g.has(sp.nan, sp.zoo):
        raise NotProven(f"{x} stays in the limit")
    return g


def _equal_for_every_n(a: sp.Expr, b: sp.Expr) -> bool:
    normal = Normal()
    try:
        a, b = _calculate(a, {}, {}), _calculate(b, {}, {})
        one, other = _one_sum(a), _one_sum(b)
        if one is not None and other is not None and is_zero(one - other):
            return True
        return is_zero(normal(a) - normal(b))
    except NotProven:
        return False


def _one_sum(e: sp.Expr) -> sp.Expr | None:
    """The summand, over one common index, of a sum or of several added up; None if `e` is something else."""
    sums = sp.Add.make_args(e)
    if not all(isinstance(x, sp.Sum) and x.limits[0][1:] == (1, n) and len(x.limits) == 1 for x in sums):
        return None
    common = sp.Symbol("_", integer=True, positive=True)
    return sp.Add(*(x.function.xreplace({x.limits[0][0]: common}) for x in sums))


def _is_nonnegative(e: sp.Expr) -> bool:
    """A sum whose every term is a product of squares and positive factors."""
    e = _calculate(e, {}, {})
    if not isinstance(e, sp.Sum):
        return bool(e.is_nonnegative)
    inner = {x: sp.Dummy(real=True, positive=x.function.is_positive) for x in e.function.atoms(sp.Sum)}
    return bool(e.function.xreplace(inner).is_nonnegative)
