"""The symbols of the book's derivations, three expressions that SymPy lacks, and how all of them are printed.

Indices run from 1 to n. A `Definition` (left, right) says what a symbol stands for; a left side that carries an index,
as in (p[i], exp(s[i]) / Z), defines every entry.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

Definition = tuple[sp.Expr, sp.Expr]

n = sp.Symbol("n", integer=True, positive=True)
i, j, k, l = sp.symbols("i j k l", integer=True, positive=True)  # noqa: E741  (l is the field's second free index)
s, t, h = (sp.IndexedBase(name, real=True) for name in "sth")
T = sp.Symbol("T", positive=True)
c, tau, epsilon = sp.symbols(r"c \tau \varepsilon", real=True)


def total(term: sp.Expr, index: sp.Symbol = i) -> sp.Sum:
    """The sum of `term` over index = 1, ..., n, with `term` left as written."""
    result = sp.Expr.__new__(sp.Sum, term, sp.Tuple(index, sp.S.One, n))
    result.is_commutative = True
    return result


def name(text: str) -> sp.Symbol:
    """A real number known by its name, written in LaTeX."""
    return sp.Symbol(text, real=True)


class Partial(sp.Expr):  # type: ignore[misc]
    """Partial(f, x, y): the derivative of f by x and y, which may be entries of an IndexedBase. Stays as written."""

    @property
    def is_commutative(self) -> bool:
        """A derivative of numbers is a number."""
        return True

    def _latex(self, printer: LatexPrinter) -> str:
        f, *variables = self.args
        d = r"\partial" if any(isinstance(x, sp.Indexed) for x in variables) else "d"
        power = f"^{{{len(variables)}}}" if len(variables) > 1 else ""
        below = r"\, ".join(f"{d} {printer.doprint(x)}" for x in variables)
        if f.is_Symbol or isinstance(f, sp.Indexed | sp.Function) or hasattr(f, "meaning"):
            return rf"\frac{{{d}{power} {printer.doprint(f)}}}{{{below}}}"
        inner = printer.doprint(f)
        return rf"\frac{{{d}{power}}}{{{below}}} " + (rf"\left({inner}\right)" if f.is_Add else inner)


class AtEqual(sp.Expr):  # type: ignore[misc]
    """AtEqual(f, t, s): f where the vector t has become the vector s, taken after any derivative in f."""

    @property
    def is_commutative(self) -> bool:
        """A value is a number."""
        return True

    def _latex(self, printer: LatexPrinter) -> str:
        f, old, new = self.args
        return rf"\left. {printer.doprint(f)} \right|_{{{printer.doprint(old)} = {printer.doprint(new)}}}"


class Winner(sp.Expr):  # type: ignore[misc]
    """Winner(s): the index of the largest entry of s, which is taken to be the only one."""

    def _latex(self, printer: LatexPrinter) -> str:
        return rf"\operatorname{{argmax}}_{{i}} {printer.doprint(self.args[0])}_{{i}}"


def _negated(term: sp.Expr) -> tuple[bool, sp.Expr]:
    """(whether `term` is written with a minus sign, what stands after it)."""
    first = term.args[0] if term.is_Mul else term
    if not (first.is_Number and first.is_negative):
        return False, term
    rest = (term.args[1:] if first == -1 else (-first, *term.args[1:])) if term.is_Mul else (-first,)
    return True, rest[0] if len(rest) == 1 else sp.Mul(*rest, evaluate=False)


_SETTINGS = {"order": "none", "fold_short_frac": False}


class _Printer(LatexPrinter):  # type: ignore[misc]
    """SymPy's printer in the book's hand: log without brackets round a name, e^x, sums kept in the order written."""

    def _print_log(self, expr: sp.Expr, exp: str | None = None) -> str:
        inner = self._print(expr.args[0])
        simple = expr.args[0].is_Symbol or isinstance(expr.args[0], sp.Indexed | sp.Sum)
        body = rf"\log {inner}" if simple else rf"\log\left({inner}\right)"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _print_Add(self, expr: sp.Expr, order: str | None = None) -> str:
        return "".join(self.pieces(expr))

    def pieces(self, expr: sp.Expr) -> list[str]:
        """The terms of a sum as they are printed, each with its sign."""
        result: list[str] = []
        brackets = any(_negated(term)[1].is_Add for term in expr.args[1:])
        for place, term in enumerate(expr.args):
            negative, shown = _negated(term)
            sign = (" - " if negative else " + ") if place else "- " if negative else ""
            inner = self._print(shown)
            result.append(sign + (rf"\left({inner}\right)" if shown.is_Add and (brackets or negative) else inner))
        return result

    def _needs_mul_brackets(self, expr: sp.Expr, first: bool = False, last: bool = False) -> bool:
        binds = isinstance(expr, sp.Expr) and getattr(expr, "precedence", None) == PRECEDENCE["Mul"]
        return bool((binds and not last) or super()._needs_mul_brackets(expr, first=first, last=last))

    def _print_Mul(self, expr: sp.Expr) -> str:
        if expr.is_Pow:  # SymPy hands 1/x over as it is; its arguments are no factors
            return str(super()._print_Mul(expr))
        factors: list[sp.Expr] = []
        for factor in expr.args:  # a (b c) as a b c, as long as nothing is divided
            product = factor.is_Mul and not any(x.is_Pow and x.exp.could_extract_minus_sign() for x in factor.args)
            factors += factor.args if product and not _negated(factor)[0] else [factor]
        return str(super()._print_Mul(sp.Mul(*factors, evaluate=False)))

    def _print_Abs(self, expr: sp.Expr, exp: str | None = None) -> str:
        body = rf"\left|{self._print(expr.args[0])}\right|"
        return body if exp is None else rf"{body}^{{{exp}}}"

    def _print_Indexed(self, expr: sp.Indexed) -> str:
        return f"{self._print(expr.base)}_{{{' '.join(map(self._print, expr.indices))}}}"

    def _print_ExpBase(self, expr: sp.Expr, exp: str | None = None) -> str:
        power = _Printer({"order": "none", "fold_short_frac": True}).doprint(expr.args[0])
        return f"e^{{{power}}}" if exp is None else rf"\left(e^{{{power}}}\right)^{{{exp}}}"

    def _print_KroneckerDelta(self, expr: sp.Expr, exp: str | None = None) -> str:
        return rf"\delta_{{{self._print(expr.args[0])}{self._print(expr.args[1])}}}"


def terms(expr: sp.Expr) -> list[str]:
    """LaTeX of each term of a sum, with the sign before it; of anything else, all of it."""
    return _Printer(dict(_SETTINGS)).pieces(expr) if expr.is_Add else [latex(expr)]


def latex(expr: Any) -> str:
    r"""LaTeX of a SymPy expression, or of anything with a `latex` method of its own (a claim).

    Example:
        >>> import sympy as sp
        >>> from gpkl_lib.derivations.notation import i, s, total
        >>> print(latex(sp.log(total(sp.exp(s[i])))))
        \log \sum_{i=1}^{n} e^{s_{i}}
    """
    own = getattr(expr, "latex", None)
    return str(own() if callable(own) else _Printer(dict(_SETTINGS)).doprint(expr))
