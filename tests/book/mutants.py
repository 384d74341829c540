"""Wrong signs: every way to change one in an expression, and whether the checks of what is shown notice it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from verdicts import Verdict

from gpkl_lib.derivations import (
    Derivation,
    DerivationError,
    Integral,
    Over,
    Statement,
    StatementError,
    Together,
    latex,
)
from gpkl_lib.derivations.functions import bound
from gpkl_lib.derivations.numeric import Evaluator
from gpkl_lib.derivations.statement import RELATIONS


def sign_changes(expr: sp.Expr) -> Iterator[sp.Expr]:
    """`expr` with one sign changed: its own, that of one term of a sum in it, or that of one exponent."""
    with sp.evaluate(False):
        if expr != 0:
            yield -1 * expr
        yield from _inside(expr)


def _inside(expr: Any) -> Iterator[sp.Expr]:
    counts = isinstance(expr, Over) and str(expr.args[0]) == "count"
    if isinstance(expr, sp.Indexed | sp.IndexedBase) or counts or not expr.args:
        return
    for place, arg in enumerate(expr.args):
        if not isinstance(arg, sp.Expr) or arg in bound(expr):
            continue
        term = [-1 * arg] if isinstance(expr, sp.Add | sp.exp | sp.Sum | Over | Integral) and arg != 0 else []
        for changed in (*term, *_inside(arg)):
            args = (*expr.args[:place], changed, *expr.args[place + 1 :])
            if isinstance(expr, sp.Sum):
                result = sp.Expr.__new__(sp.Sum, *args)
                result.is_commutative = True
                yield result
            else:
                yield expr.func(*args)


def parts_of(shown: Any) -> tuple[Any, ...]:
    """The claims and statements under one label."""
    return shown.parts if isinstance(shown, Together) else (shown,)


def statements_of(shown: Any) -> list[Statement]:
    """Those of them that are no derivation's."""
    return [part for part in parts_of(shown) if isinstance(part, Statement)]


def wrong_statements(statement: Statement) -> Iterator[Statement]:
    """The statement with one sign of one side changed, or one relation turned round."""
    for number, side in enumerate(statement.sides):
        for changed in sign_changes(side):
            yield statement.with_side(number, changed)
    turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    assert {*turned, "="} == set(RELATIONS)
    for link, relation in enumerate(statement.relations):
        if relation != "=":
            yield statement.with_relation(link, turned[relation])


def passes(statement: Statement) -> bool:
    """Whether the numbers alone let the statement pass."""
    try:
        statement.compare()
    except StatementError:
        return False
    return True


def verdict_on_statement(statement: Statement) -> Verdict:
    """How many signs and relations can be changed, and what comes out where the numbers let it pass."""
    wrong = list(wrong_statements(statement))
    return len(wrong), [x.latex() for x in wrong if passes(x)]


def verdicts_on_derivation(derivation: Derivation) -> Iterator[Verdict]:
    """The same for every step: how many signs, and which expressions pass at it and at the step after it."""
    evaluate, at = Evaluator(derivation.given), derivation.points()
    for number, step in enumerate(derivation.steps):
        wrong = list(sign_changes(step.expr))
        yield (
            len(wrong),
            [latex(x) for x in wrong if not _found(derivation.with_step(number, x), number, evaluate, at)],
        )


def _found(wrong: Derivation, number: int, evaluate: Evaluator, at: list[Any]) -> bool:
    for point in at:
        for later in (number, number + 1):
            if not 0 < later < len(wrong.steps):
                continue
            before, after = (evaluate(wrong.steps[place].expr, point) for place in (later - 1, later))
            try:
                wrong.compare(later, before, after, point)
            except DerivationError:
                return True
    return False
