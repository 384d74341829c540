"""The machinery of derivations: what is true is proven; what is false is caught by algebra and by numbers alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import sympy as sp
from mpmath import mp, mpf

from gpkl_lib.chapters.formulas import curvature
from gpkl_lib.chapters.formulas import symmetric_kl as forms
from gpkl_lib.derivations import Derivation, DerivationError, Step, equation, equations, latex, load_checks, status
from gpkl_lib.derivations import derivation as derivation_module
from gpkl_lib.derivations.normal import NotProven
from gpkl_lib.derivations.notation import AtEqual, Partial, T, Winner, c, epsilon, i, j, k, l, n, name, s, t, total
from gpkl_lib.derivations.numeric import KINDS, Evaluator, Point, apart, points
from gpkl_lib.derivations.proof import prove

p, q, SOFTMAX = forms.p, forms.q, forms.SOFTMAX
DERIVATIONS = (*forms.DERIVATIONS, *curvature.DERIVATIONS)
delta, exp, log = sp.KroneckerDelta, sp.exp, sp.log

TRUE = {
    "p sums to 1": (total(p[i]), sp.S.One),
    "a constant leaves the sum": (total(c * s[i] + c), c * total(s[i]) + c * n),
    "delta": (total(delta(i, k) * s[i] * t[i]), s[k] * t[k]),
    "log softmax": (log(p[k]), s[k] - log(forms.Z_s)),
    "variance": (total(p[i] * (s[i] - total(p[j] * s[j], j)) ** 2), total(p[i] * s[i] ** 2) - total(p[i] * s[i]) ** 2),
    "gradient of logsumexp": (Partial(log(forms.Z_s), s[k]), p[k]),
    "derivative of softmax": (Partial(p[k], s[l]), p[k] * delta(k, l) - p[k] * p[l]),
    "derivative, then equal": (AtEqual(Partial(total(s[i] * t[i]), s[k]), t, s), s[k]),
    "difference quotient": (sp.Limit(total(exp(epsilon * s[i]) - 1) / epsilon, epsilon, 0), total(s[i])),
    "tanh": (sp.tanh(c), (exp(2 * c) - 1) / (exp(2 * c) + 1)),
}
FALSE = {
    "p sums to 1": (total(p[i]), sp.Integer(2)),
    "a constant leaves the sum": (total(c * s[i] + c), c * total(s[i]) + c),
    "delta": (total(delta(i, k) * s[i] * t[i]), s[k] * t[l]),
    "log softmax": (log(p[k]), s[k] + log(forms.Z_s)),
    "variance": (total(p[i] * (s[i] - total(p[j] * s[j], j)) ** 2), total(p[i] * s[i] ** 2)),
    "gradient of logsumexp": (Partial(log(forms.Z_s), s[k]), q[k]),
    "derivative of softmax": (Partial(p[k], s[l]), p[k] * delta(k, l) + p[k] * p[l]),
    "derivative, then equal": (AtEqual(Partial(total(s[i] * t[i]), s[k]), t, s), 2 * s[k]),
    "difference quotient": (sp.Limit(total(exp(epsilon * s[i]) - 1) / epsilon, epsilon, 0), -total(s[i])),
    "tanh": (sp.tanh(c), (exp(2 * c) + 1) / (exp(2 * c) - 1)),
}


def chain(a: sp.Expr, b: sp.Expr, relation: str = "=") -> Derivation:
    return Derivation("A test", [Step(a, "start"), Step(b, "claim", relation)], SOFTMAX)


@pytest.mark.parametrize("derivation", DERIVATIONS, ids=lambda derivation: derivation.title)
def test_every_derivation_holds(derivation: Derivation) -> None:
    verdict = derivation.check()
    assert len(verdict.ways) == len(derivation.steps) - 1
    assert verdict.points == 2 * len(KINDS)
    assert verdict.largest < mpf(10) ** -50


def test_all_but_the_cold_limit_are_proven_for_every_n() -> None:
    others = {way for derivation in DERIVATIONS if derivation is not curvature.cold for way in derivation.check().ways}
    assert others == {"every n"}
    assert curvature.cold.check().ways == ("n = 2, 3, 4, 5", "every n", "every n")
    assert status(curvature.cold.check()) == "proven in words"
    assert "(1 checked for n = 2, 3, 4, 5, 2 proven for every n)" in str(curvature.cold.check())


@pytest.mark.parametrize("key", TRUE)
def test_algebra_proves_what_is_true_for_every_n(key: str) -> None:
    assert prove(*TRUE[key], "=", SOFTMAX) == "every n"


@pytest.mark.parametrize("key", FALSE)
def test_algebra_alone_rejects_what_is_false(key: str) -> None:
    with pytest.raises(NotProven):
        prove(*FALSE[key], "=", SOFTMAX)


@pytest.mark.parametrize("key", FALSE)
def test_numbers_alone_reject_what_is_false(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation_module, "_prove", lambda *_: "every n")
    with pytest.raises(DerivationError, match="is false"):
        chain(*FALSE[key]).check()


@pytest.mark.parametrize("key", TRUE)
def test_numbers_accept_what_is_true(key: str) -> None:
    assert chain(*TRUE[key]).check().largest < mpf(10) ** -50


def test_error_names_the_step_the_point_and_both_values() -> None:
    wrong = Derivation(
        "Twice",
        [Step(2 * c, "start"), Step(c + c, "collect"), Step(c - c + 1, "a slip of the pen"), Step(2 * c, "end")],
    )
    with pytest.raises(DerivationError, match=r"Twice: step 2 \(a slip of the pen\) is false: .* = 1\.0 .* at .*c = "):
        wrong.check()


def test_true_but_undecided_is_an_error_without_a_point() -> None:
    nested, plain = sp.sqrt(3 + 2 * sp.sqrt(2)), 1 + sp.sqrt(2)
    with pytest.raises(DerivationError, match="holds at every point tried but is not proven") as error:
        chain(nested * c, plain * c).check()
    assert error.value.point is None
    assert error.value.step == 1


def test_inequality() -> None:
    squares = total(p[i] * (s[i] - t[i]) ** 2)
    assert chain(squares, sp.S.Zero, ">=").check().ways == ("every n",)
    with pytest.raises(DerivationError, match="is false"):
        chain(-squares, sp.S.Zero, ">=").check()
    with pytest.raises(NotProven):
        prove(total(s[i]), sp.S.Zero, ">=", ())


def test_sum_over_two_coupled_indices_is_checked_for_small_n_only() -> None:
    one, other = total(total(exp(s[i] * t[j]), j), i), total(total(exp(s[i] * t[j]), i), j)
    assert prove(one, other, "=", ()) == "n = 2, 3, 4, 5"
    checked = chain(one, other).check()
    assert checked.ways == ("n = 2, 3, 4, 5",)
    assert "1 step (1 checked for n = 2, 3, 4, 5); equal to" in str(checked)
    assert "claim · checked for n = 2, 3, 4, 5" in checked._repr_html_()
    assert status(checked) == "numbers only"
    assert "proven" not in str(checked) + checked._repr_html_()
    told = Derivation("In words", checked.derivation.steps, words="Exchange the sums")
    assert status(told.check()) == status(told.with_step(0, one).check()) == "proven in words"
    with pytest.raises(NotProven):
        prove(one, total(total(exp(s[i] * t[i]), j), i), "=", ())
    with pytest.raises(NotProven):
        prove(one, n * total(exp(s[i] * t[j]), j), "=", ())  # the same inner sum, but its i is free
    with pytest.raises(NotProven):  # 0 only if the inner sum did not depend on i
        prove(total(total(exp(s[i] * t[j]), j) * (s[i] - total(s[k], k) / n)), sp.S.Zero, "=", ())


def test_sum_over_two_indices_that_part_is_proven_for_every_n() -> None:
    pairs = total(total((s[i] - s[j]) ** 2, j), i)
    assert chain(pairs, 2 * n * total(s[i] ** 2) - 2 * total(s[i]) ** 2).check().ways == ("every n",)
    assert chain(sp.Sum(s[i] * t[j], (i, 1, n), (j, 1, n)), total(s[i]) * total(t[i])).check().ways == ("every n",)


def test_definition_is_not_caught_by_the_index_it_is_put_under() -> None:
    assert prove(total(p[j], j), total(p[i]), "=", SOFTMAX) == "every n"
    with pytest.raises(NotProven):
        prove(total(p[j], j), n * p[k], "=", SOFTMAX)


def test_cold_limit_needs_its_winner_named() -> None:
    D_T, T_D = curvature.TEMPERED
    limit = sp.Limit(T * D_T, T, 0, "+")
    a, b = curvature.a, curvature.b
    gap = (s[a] - s[b]) + (t[b] - t[a])
    assert prove(limit, gap, "=", ((D_T, T_D), (a, Winner(s)), (b, Winner(t)))) == "n = 2, 3, 4, 5"
    with pytest.raises(NotProven, match="no winner"):
        prove(limit, gap, "=", ((D_T, T_D),))


def test_hot_limit_refuses_a_term_that_does_not_vanish() -> None:
    with pytest.raises(NotProven):
        prove(sp.Limit(total(exp(epsilon * s[i])) / epsilon, epsilon, 0), total(s[i]), "=", ())


def at(**values: object) -> Point:
    return Point("given", {n: 3, **{{"s": s, "t": t, "k": k, "l": l, "c": c}[key]: x for key, x in values.items()}})


def test_values_by_hand() -> None:
    evaluate = Evaluator(SOFTMAX)
    logits = [mpf(1), mpf(2), mpf(-3)]
    with mp.workdps(80):
        weights = [mp.exp(x) for x in logits]
        shares = [w / mp.fsum(weights) for w in weights]
        expected = {
            p[k]: shares[1],
            total(p[i] * s[i]): mp.fsum(a * b for a, b in zip(shares, logits, strict=True)),
            Partial(log(forms.Z_s), s[k]): shares[1],
            Partial(p[k], s[k]): shares[1] - shares[1] ** 2,
            Partial(log(forms.Z_s), s[k], s[l]): -shares[1] * shares[2],
            delta(k, l): mpf(0),
            sp.Rational(1, 3) * c: mpf(1),
        }
        for expr, value in expected.items():
            assert apart(evaluate(expr, at(s=logits, k=2, l=3, c=mpf(3))), value) < mpf(10) ** -50


def test_no_real_value_is_nan() -> None:
    evaluate = Evaluator(())
    assert mp.isnan(evaluate(log(c), at(c=mpf(-1))))
    assert mp.isnan(evaluate(1 / c, at(c=mpf(0))))


def test_points_reach_the_extremes_and_repeat() -> None:
    first, second = ([point.values for point in points({s, t, n})] for _ in range(2))
    assert first == second
    assert {values[n] for values in first} == {2, 3, 4, 5}
    largest = {kind: max(abs(x) for x in point.values[s]) for kind in KINDS for point in points({s, n}, kinds=(kind,))}
    assert largest["one-hot"] == 1000
    assert largest["wide"] > 300
    assert largest["half precision"] > 1e4
    for point in points({s, t, n}, kinds=("close",)):
        gaps = [abs(a - b) for a, b in zip(point.values[s], point.values[t], strict=True)]
        assert 0 < max(gaps) < 1e-5


def test_named_winners_lead() -> None:
    for point in points({s, t, n}, distinct=True):
        for vector in (s, t):
            ordered = sorted(point.values[vector])
            assert ordered[-1] - ordered[-2] > 0.09


def test_shown_as_written() -> None:
    with sp.evaluate(False):
        assert latex((p[k] - q[k]) * (s[k] - t[k])) == r"\left(p_{k} - q_{k}\right) \left(s_{k} - t_{k}\right)"
        assert latex(-p[k] - 1 + c) == r"- p_{k} - 1 + c"
        assert latex(c - (s[k] - t[k])) == r"c - \left(s_{k} - t_{k}\right)"
        assert latex(total(exp(s[i] / T))) == r"\sum_{i=1}^{n} e^{s_{i} / T}"
        assert latex(Partial(name("D"), s[k], s[l])) == r"\frac{\partial^{2} D}{\partial s_{k}\, \partial s_{l}}"


def test_a_reciprocal_is_shown_as_a_fraction() -> None:
    with sp.evaluate(False):
        assert latex(1 / (1 + sp.exp(-s[i]))) == r"\frac{1}{1 + e^{- s_{i}}}"
        assert latex(1 / T) == r"\frac{1}{T}"


def test_html_and_latex_carry_every_formula_and_reason() -> None:
    derivation = Derivation("A < B", [Step(c + 1, "a < b & c"), Step(1 + c, "they commute")])
    page, text = derivation.check()._repr_html_(), derivation._repr_latex_()
    assert "A &lt; B" in page
    assert "a &lt; b &amp; c" in page
    assert "they commute</div>" in page
    assert page.count("<details") == page.count(">proven</summary>") == 1
    assert text.startswith("$$")
    assert text.count(r"\text{") == 2
    for step in derivation.steps:
        assert latex(step.expr) in page
        assert latex(step.expr) in text


def test_claim_reads_as_one_statement_and_breaks_where_it_is_long() -> None:
    assert latex(forms.shift_invariance.claim()) == "D(s + c, t) = D(s, t)"
    lines = latex(forms.slope.claim(0, 2, 3)).split("\n")
    assert lines[0] == r"\begin{aligned}"
    assert [line[:6] for line in lines[2:4]] == ["& = \\s", "& \\ge "]


@pytest.mark.parametrize("steps", [[], [Step(c, "alone")]])
def test_derivation_needs_two_steps(steps: list[Step]) -> None:
    with pytest.raises(ValueError, match="at least two steps"):
        Derivation("Short", steps)


def test_unknown_relation() -> None:
    with pytest.raises(ValueError, match='relation must be "=" or ">=", got "<"'.replace('"<"', "'<'")):
        Derivation("Odd", [Step(c, "start"), Step(c, "claim", "<")])


def test_registry_refuses_bad_labels_and_double_labels() -> None:
    with pytest.raises(ValueError, match="a label is"):
        equation("Eq_One")
    label = "eq-registry-test"
    equation(label)(lambda: "fine")
    try:

        def another() -> str:
            return "fine too"

        with pytest.raises(ValueError, match=r"eq-registry-test is registered twice: .*test_derivations.py:\d+ and "):
            equation(label)(another)
        assert equations()[label].check() == "fine"
        assert equations()[label].latex is None
    finally:
        derivation_registry().pop(label)


@pytest.mark.parametrize("verdict", ["", "two\nlines", None])
def test_a_check_returns_its_verdict_in_one_line(verdict: str | None) -> None:
    label = "eq-verdict-test"
    equation(label)(lambda: verdict)  # type: ignore[arg-type,return-value]
    try:
        with pytest.raises(TypeError, match="eq-verdict-test must return its verdict in one line"):
            equations()[label].check()
    finally:
        derivation_registry().pop(label)


def derivation_registry() -> dict[str, object]:
    from gpkl_lib.derivations import registry

    return registry._REGISTER  # type: ignore[return-value]


def test_checks_are_loaded_from_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no check files"):
        load_checks(tmp_path)
    source = (
        'from gpkl_lib.derivations import equation\n\n@equation("eq-from-a-file")\ndef check():\n    return "read"\n'
    )
    (tmp_path / "chapter.py").write_text(source)
    try:
        assert load_checks(tmp_path) == [tmp_path.resolve() / "chapter.py"]
        found = equations()["eq-from-a-file"]
        assert (found.check(), found.file.name, found.line) == ("read", "chapter.py", 3)
        load_checks(tmp_path)  # again, as when a notebook is run twice
    finally:
        derivation_registry().pop("eq-from-a-file", None)
