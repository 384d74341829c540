"""Derivations that check themselves, and the register of the book's labelled equations with their checks.

The derivations of a chapter stand in `gpkl_lib.chapters.formulas`, in a tuple `DERIVATIONS`. What is no derivation, an
inequality or a fact about vectors, is a `Statement`; `functions`, `expressions`, `points` and `vocabulary` hold what it
is made of.
"""

from gpkl_lib.derivations.derivation import Claim, Derivation, DerivationError, Step, Verdict
from gpkl_lib.derivations.expressions import (
    BigO,
    IndexSet,
    Inner,
    Integral,
    Nabla,
    Norm,
    Numeric,
    Over,
    count,
    partition,
)
from gpkl_lib.derivations.finding import Finding, Findings
from gpkl_lib.derivations.functions import Rule, function
from gpkl_lib.derivations.notation import latex
from gpkl_lib.derivations.numeric import Evaluator
from gpkl_lib.derivations.points import Point, distribution, integers, interval, matrix, subset, vector
from gpkl_lib.derivations.registry import Equation, equation, equations, load_checks
from gpkl_lib.derivations.statement import Statement, StatementError
from gpkl_lib.derivations.status import STATUSES, badge, status
from gpkl_lib.derivations.together import Together

__all__ = [
    "STATUSES",
    "BigO",
    "Claim",
    "Derivation",
    "DerivationError",
    "Equation",
    "Evaluator",
    "Finding",
    "Findings",
    "IndexSet",
    "Inner",
    "Integral",
    "Nabla",
    "Norm",
    "Numeric",
    "Over",
    "Point",
    "Rule",
    "Statement",
    "StatementError",
    "Step",
    "Together",
    "Verdict",
    "badge",
    "count",
    "distribution",
    "equation",
    "equations",
    "function",
    "integers",
    "interval",
    "latex",
    "load_checks",
    "matrix",
    "partition",
    "status",
    "subset",
    "vector",
]
