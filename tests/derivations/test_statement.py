"""Statements: what is true passes, what is false is found by numbers alone, and they print as they are meant."""

from __future__ import annotations

import random

import pytest
import sympy as sp
from mpmath import mp, mpf
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import (
    BigO,
    Derivation,
    Inner,
    Integral,
    Nabla,
    Norm,
    Numeric,
    Over,
    Statement,
    StatementError,
    Step,
    Together,
    count,
    distribution,
    function,
    integers,
    interval,
    latex,
    matrix,
    partition,
    status,
    subset,
    vector,
)
from gpkl_lib.derivations.normal import NotProven
from gpkl_lib.derivations.notation import Partial, T, c, i, j, k, l, n, name, s, t, total
from gpkl_lib.derivations.numeric import Evaluator
from gpkl_lib.derivations.points import KINDS, Point
from gpkl_lib.derivations.proof import prove
from gpkl_lib.derivations.vocabulary import CE, KL, F, H, mean, normal, one_hot, sigma, softmax, softplus, uniform

x, y, p, q, A = (sp.IndexedBase(letter, real=True) for letter in "xypqA")
P, N = partition(r"\mathcal{P}", r"\mathcal{N}")
PQ = {p: distribution(zeros=True), q: distribution()}
ONE = KroneckerDelta(i, 1)
a, b = sp.symbols("a b", positive=True)
NARROW = {a: interval(0.5, 3), b: interval(0.5, 3), c: interval(-2, 2)}

with sp.evaluate(False):
    top = Over("max", x[i], i)
    TRUE = {
        "shift": Statement(F(T, x), "=", c + F(T, x - c)),
        "vectors": Statement(softmax(x), "=", softmax(x - c)),
        "gradient as a vector": Statement(Nabla(F(1, x), x), "=", softmax(x)),
        "one-hot": Statement(Inner(one_hot(k), x), "=", x[k]),
        "bounds": Statement(
            top, "<", F(T, x), "<=", top + T * log(n),
            tight={1: [(x[i], c - 1000 * T * (1 - ONE))], 2: [(x[i], c)]},
        ),
        "gibbs": Statement(KL(p, q), ">=", 0, where=PQ, tight={1: [(p[i], q[i])]}),
        "cross-entropy": Statement(CE(p, q), "=", H(p) + KL(p, q), where=PQ),
        "uniform": Statement(KL(p, uniform()), "=", log(n) - H(p), where=PQ),
        "norms": Statement(
            Norm(x, sp.oo), "<=", Norm(x), "<=", Norm(x, 1), tight={1: [(x[i], c * ONE)], 2: [(x[i], c * ONE)]},
        ),
        "a quadratic form": Statement(total((x[i] - mean(x)) ** 2), "=", Norm(x) ** 2 - n * mean(x) ** 2, ">=", 0,
                                      tight={2: [(x[i], c)]}),
        "sets": Statement(
            log(1 + Over("sum", Over("sum", exp(s[i] - s[j]), i, N), j, P)), "=",
            log(1 + Over("sum", exp(s[i]), i, N) * Over("sum", exp(-s[j]), j, P)),
        ),
        "sizes of sets": Statement(count(P) + count(N), "=", n),
        "max over a set": Statement(Over("max", s[i], i, P), "<=", Over("max", s[i], i), where={P: subset(1)},
                                    tight={1: [(s[i], c)]}),
        "valid spans": Statement(sp.Sum(1, (j, i, n), (i, 1, n)), "=", n * (n + 1) / 2),
        "matrix": Statement(total(total(A[i, j], i), j), "=", total(total(A[i, j], j), i), where={A: matrix(-3, 3)}),
        "softplus": Statement(softplus(c) - softplus(-c), "=", c),
        "piecewise": Statement(sp.Max(c, 0), "=", sp.Piecewise((c, c > 0), (0, True))),
        "whole numbers": Statement(2 ** k, ">=", 1 + k, where={k: integers(1, 40)}, tight={1: [(k, sp.S.One)]}),
        "remainder": Statement(sigma(a), "=", sp.Rational(1, 2) + a / 4 + BigO(a**3), where={a: interval(1e-12, 1e-9)}),
        "quadrature": Statement(
            Integral(normal(a, c, b) * (a - c) ** 2, a, -sp.oo, c, sp.oo), "=", b**2,
            where=NARROW, kinds=("mild", "wide"),
        ),
        "a program": Statement(
            name("m"), "=", top,
            given=[(name("m"), Numeric(lambda value: max(value(x[m]) for m in range(1, value(n) + 1)), [x]))],
        ),
        "positive vectors": Statement(
            log(mean(q)), ">=", mean(log(q)), where={q: vector(0.1, 9)}, tight={1: [(q[i], a)]},
        ),
    }  # fmt: skip
    FALSE = {
        "shift": (TRUE["shift"].with_side(1, c + F(T, x + c)), 1),
        "vectors": (TRUE["vectors"].with_side(1, softmax(x - c * one_hot(1))), 1),
        "gradient as a vector": (TRUE["gradient as a vector"].with_side(1, softmax(-x)), 1),
        "bounds, below": (TRUE["bounds"].with_side(0, top + T * log(n)), 1),
        "bounds, above": (TRUE["bounds"].with_side(2, top + T * log(n - 1)), 2),
        "bounds, turned": (TRUE["bounds"].with_relation(1, ">="), 2),
        "weaker bound": (TRUE["bounds"].with_side(2, top + T * log(n) + T), 2),
        "weaker gibbs": (TRUE["gibbs"].with_side(1, -H(p)), 1),
        "equal is not less": (TRUE["gibbs"].with_relation(0, ">").with_side(1, KL(p, q)), 1),
        "sets": (TRUE["sets"].with_side(1, log(1 + Over("sum", exp(s[i]), i, N) * Over("sum", exp(-s[j]), j, N))), 1),
        "remainder": (TRUE["remainder"].with_side(1, sp.Rational(1, 2) - a / 4 + BigO(a**3)), 1),
        "quadrature": (TRUE["quadrature"].with_side(1, b), 1),
        "not real": (Statement(log(c), "<=", c), 1),
    }


@pytest.mark.parametrize("key", TRUE)
def test_what_is_true_passes(key: str) -> None:
    statement = TRUE[key]
    found = statement.check()
    assert found.points == 2 * len(statement.kinds)
    assert f"compared at {found.points} points" in str(found)
    assert ("bound reached" in str(found)) == bool(statement.tight)
    assert latex(statement) == statement.latex()


@pytest.mark.parametrize("key", FALSE)
def test_what_is_false_is_found_by_numbers_alone(key: str) -> None:
    statement, link = FALSE[key]
    with pytest.raises(StatementError, match=f"link {link} is false") as error:
        statement.compare()
    assert error.value.link == link
    assert error.value.point is not None


def test_a_weaker_bound_passes_where_nothing_says_when_it_is_reached() -> None:
    """Which is why there is `tight`."""
    Statement(F(T, x), "<=", top + T * log(n) + T).compare()


PROVEN = ("shift", "vectors", "gradient as a vector", "one-hot", "cross-entropy", "uniform", "sets", "softplus")


@pytest.mark.parametrize("key", [*PROVEN, "sizes of sets"])
def test_algebra_proves_for_every_n(key: str) -> None:
    found = TRUE[key].check()
    assert found.ways == ("every n",)
    assert "proven for every n" in str(found)
    assert status(found) == "proven"


def test_algebra_alone_rejects_what_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Statement, "compare", lambda self: mpf(0))
    for key in ("shift", "vectors", "gradient as a vector", "sets"):
        assert FALSE[key][0].check().ways == ("",)


def test_a_proof_can_be_demanded_or_left_out() -> None:
    sides = total(x[i] ** 2) / n, "=", total((x[i] - mean(x)) ** 2) / n + mean(x) ** 2
    assert Statement(*sides, proof=True).check().ways == ("every n",)
    left_out = Statement(*sides, proof=False).check()
    assert left_out.ways == ("",)
    assert status(left_out) == "numbers only"
    assert status(Statement(*sides, proof=False, words="Multiply out").check()) == "proven in words"
    with pytest.raises(StatementError, match="link 1 holds at every point tried but is not proven"):
        Statement(top, "=", -Over("min", -x[i], i), proof=True).check()


def test_sums_that_do_not_go_from_1_to_n_are_not_taken_for_such() -> None:
    ragged = sp.Sum(x[j], (j, i, n), (i, 1, n))
    Statement(ragged, "=", total(i * x[i]), proof=None).check()
    with pytest.raises(StatementError, match="is false"):
        Statement(ragged, "=", n * total(x[i])).check()
    for claimed, true in ((ragged, n * total(x[i])), (sp.Sum(c * x[i], (i, 2, n)), c * total(x[i]))):
        with pytest.raises(NotProven):
            prove(claimed, true, "=", ())


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ((c,), "got 1 parts"),
        ((c, "=", c, "="), "got 4 parts"),
        ((c, "~", c), "relation must be one of =, <, <=, >, >=, got '~'"),
    ],
)
def test_malformed_chains(chain: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Statement(*chain)


def test_tight_is_for_inequalities_of_the_chain() -> None:
    for chain, link in (((c, "=", c), 1), ((c, "<=", c), 2)):
        with pytest.raises(ValueError, match=f"tight names link {link}"):
            Statement(*chain, tight={link: [(c, sp.S.Zero)]})


def test_a_function_wants_its_arguments() -> None:
    with pytest.raises(ValueError, match=r"F_\{#1\}\(#2\) takes 2 arguments, got 1"):
        F(x)
    with pytest.raises(ValueError, match=r"x is a vector, got the number c"):
        F(T, c)
    with pytest.raises(ValueError, match="order 1, 2 or oo"):
        Norm(x, 3)
    with pytest.raises(ValueError, match="sum, max, min, prod or count"):
        Over("median", x[i], i)


def test_an_argument_is_not_caught_by_an_index_of_the_body() -> None:
    f = function("f(#1)", (c,), total(c * x[i]))
    Statement(total(f(y[i])), "=", total(y[i]) * total(x[i])).check()
    with pytest.raises(StatementError):
        Statement(total(f(y[i])), "=", n * total(y[i] * x[i])).check()


def test_zero_log_zero_is_zero() -> None:
    point = Point("given", {n: 3, p: [mpf(1), mpf(0), mpf(0)]})
    assert Evaluator(())(H(p), point) == 0
    assert mp.isnan(Evaluator(())(KL(uniform(), p), point))


def test_undefined_symbols_are_named() -> None:
    with pytest.raises(KeyError, match="c has neither a value nor a definition"):
        Evaluator(())(c + 1, Point("given", {n: 2}))
    with pytest.raises(ValueError, match="r is positive: say in `where`"):
        Statement(total(sp.IndexedBase("r", positive=True)[i]), ">", 0).check()


def test_shown_as_a_book_writes_it() -> None:
    with sp.evaluate(False):
        assert latex(F(T / a, x - c)) == "F_{T / a}(x - c)"
        assert latex(softmax(x)[k]) == r"\operatorname{softmax}(x)_{k}"
        assert latex(Inner(sigma(s) - sigma(t), s - t)) == r"\langle \sigma(s) - \sigma(t), s - t \rangle"
        assert latex(Norm(x, sp.oo)) == r"\lVert x \rVert_{\infty}"
        assert latex(Norm(x) ** 2 / 2) == r"\frac{\lVert x \rVert^{2}}{2}"
        assert latex(Over("sum", exp(-s[j]), j, P)) == r"\sum_{j \in \mathcal{P}} e^{- s_{j}}"
        assert latex(top * c) == r"\left(\max_{i} x_{i}\right) c"
        assert latex(count(P)) == r"|\mathcal{P}|"
        assert latex(Partial(F(T, x), x[k], x[l])) == r"\frac{\partial^{2} F_{T}(x)}{\partial x_{k}\, \partial x_{l}}"
        assert latex(Nabla(F(T, x) - c, x)) == r"\nabla_{x} \left(F_{T}(x) - c\right)"
        assert latex(sp.Abs(x[i])) == r"\left|x_{i}\right|"


def test_a_short_chain_is_one_line_and_a_long_one_several() -> None:
    assert latex(TRUE["bounds"]) == r"\max_{i} x_{i} < F_{T}(x) \le \max_{i} x_{i} + T \log n"
    with sp.evaluate(False):
        long = Statement(F(T, x), "=", *[z for _ in range(2) for z in (c + F(T, x - c), "=")], c + F(T, x - c))
        wide = Statement(H(p), "=", sum((log(p[m]) for m in range(2, 9)), log(p[1])))
    assert latex(long).count(r"\\") == 2
    assert latex(wide).count(r"&\quad +") + latex(wide).count(r"& \quad +") == latex(wide).count(r"\\") - 1 > 0


def test_another_side_or_relation_changes_nothing_else() -> None:
    where, tight, shared = {c: interval(1, 2)}, {1: [(c, T)]}, {"kept": 1}
    old = Statement(
        c, "<=", 2 * c, "=", c + c, given=[(k, n)], where=where, tight=tight, kinds=["mild"], proof=False, shared=shared
    )
    for new in (old.with_side(2, 3 * c), old.with_relation(0, "<")):
        assert vars(new) | {"sides": old.sides, "relations": old.relations} == vars(old)
        assert new.shared is shared
    assert old.with_side(2, 3 * c).sides == (c, 2 * c, 3 * c)
    assert old.with_relation(0, "<").relations == ("<", "=")
    with pytest.raises(ValueError, match="no inequality"):
        old.with_relation(0, "=")


GAUSS = exp(-((c - a) ** 2) / (2 * b**2)) / (sp.sqrt(2 * sp.pi) * b)
L = sp.Symbol("L", integer=True, positive=True)
FURTHER = {
    "the mean of a Gaussian": (Integral(c * GAUSS, c, -sp.oo, sp.oo), a, -a),
    "its variance": (Integral((c - a) ** 2 * GAUSS, c, -sp.oo, sp.oo), b**2, 2 * b**2),
    "a mean over a circle": (Integral(a * sp.cos(c) ** 2, c, sp.S.Zero, 2 * sp.pi), sp.pi * a, 2 * sp.pi * a),
    "a sum of numbers": (sp.Sum(L - i + 1, (i, 1, L)), L * (L + 1) / 2, L * (L - 1) / 2),
    "e to a delta": (total(exp(a * KroneckerDelta(i, k))), exp(a) + n - 1, exp(a) + n),
    "a length": (Norm(a * x), a * Norm(x), Norm(x)),
}


@pytest.mark.parametrize("key", FURTHER)
def test_integrals_sums_of_numbers_deltas_and_lengths_are_proven(key: str) -> None:
    one, right, wrong = FURTHER[key]
    assert prove(one, right, "=", ()) == "every n"
    with pytest.raises(NotProven):
        prove(one, wrong, "=", ())


def test_an_integral_that_may_take_for_ever_is_not_tried() -> None:
    with pytest.raises(NotProven):
        prove(Integral(log(c) * exp(-c), c, sp.S.Zero, sp.oo), -sp.EulerGamma, "=", ())


def test_together() -> None:
    derivation = Derivation("Twice", [Step(2 * c, "start"), Step(c + c, "add")])
    both = Together(derivation.claim(), TRUE["shift"])
    assert latex(both).split("\n")[1].endswith(r", \\")
    found = both.check()
    assert len(found.each) == 2
    assert " · " in str(found)
    assert status(found) == "proven"
    page = found._repr_html_()
    assert page.count(">proven</summary>") == 1
    assert r"\begin{aligned}" in page
    with pytest.raises(StatementError):
        Together(derivation.claim(), FALSE["shift"][0]).check()
    with pytest.raises(ValueError, match="one formula"):
        Together(derivation.claim())


def test_a_claim_over_an_inequality_is_one() -> None:
    square = total(x[i] ** 2)
    derivation = Derivation(
        "Not negative", [Step(square, "start"), Step(sp.S.Zero, "squares", ">="), Step(c - c, "nothing")]
    )
    assert r"\ge 0" in latex(derivation.claim(0, 2))


def test_domains() -> None:
    rng = random.Random(0)
    for kind in KINDS:
        shares = distribution(zeros=True)(rng, kind, 4)
        assert min(shares) >= 0
        assert abs(mp.fsum(shares) - 1) < mpf(10) ** -14
        assert 0.5 < interval(0.5, 0.75)(rng, kind, 4) < 0.75
        assert 1 <= interval(1, 1e6, log=True)(rng, kind, 4) <= 1e6
        assert 1 <= len(subset(1, -1)(rng, kind, 4)) <= 3
        assert integers(2, 7)(rng, kind, 4) in range(2, 8)
    sizes = {len(subset()(rng, kind, 4)) for kind in KINDS}
    assert {0, 4} <= sizes
    assert any(0 in distribution(zeros=True)(rng, kind, 4) for kind in KINDS)
    with pytest.raises(ValueError, match="low < high"):
        interval(2, 1)


def test_in_a_notebook() -> None:
    found = TRUE["gibbs"].check()
    assert TRUE["gibbs"]._repr_latex_().startswith("$$")
    assert r"\mathrm{KL}" in found._repr_html_()
    assert str(found) in found._repr_html_()
