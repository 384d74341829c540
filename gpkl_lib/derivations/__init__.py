"""Derivations that check themselves, and the register of the book's labelled equations with their checks."""

from gpkl_lib.derivations.registry import Equation, equation, equations, load_checks

__all__ = ["Equation", "equation", "equations", "load_checks"]
