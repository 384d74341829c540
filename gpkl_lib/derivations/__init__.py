"""Derivations that check themselves, and the register of the book's labelled equations with their checks.

The derivations of a chapter stand in a module of their own here, in a tuple `DERIVATIONS`.
"""

from gpkl_lib.derivations.derivation import Claim, Derivation, DerivationError, Step, Verdict
from gpkl_lib.derivations.notation import latex
from gpkl_lib.derivations.registry import Equation, equation, equations, load_checks

__all__ = [
    "Claim",
    "Derivation",
    "DerivationError",
    "Equation",
    "Step",
    "Verdict",
    "equation",
    "equations",
    "latex",
    "load_checks",
]
