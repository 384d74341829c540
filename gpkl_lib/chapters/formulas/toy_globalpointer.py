"""Statements of the chapter "The toy corpus": the loss of a row before training, and the learning rate.

A row is one type of one sentence, its candidate spans the classes.
"""

from __future__ import annotations

import sympy as sp
from sympy import log

from gpkl_lib.chapters.formulas.multi_label_cross_entropy import L, neg, pos
from gpkl_lib.derivations import Statement, count, interval
from gpkl_lib.derivations.notation import k, name, s

u, w = sp.symbols("u w", positive=True)
L_0, r = name("L_{0}"), name("r(u)")

with sp.evaluate(False):
    start = Statement(
        L_0, "=", log(1 + count(neg)) + log(1 + count(pos)), given=[(L_0, L(s)), (s[k], sp.S.Zero)], proof=True
    )
    rate = Statement(
        r,
        "=",
        sp.Piecewise((u / w, u < w), ((1 - u) / (1 - w), True)),
        given=[(r, sp.Min(1, u / w, (1 - u) / (1 - w)))],
        where={u: interval(0, 1), w: interval(0, 1)},
        words="the two lines meet at $u = w$",
    )
