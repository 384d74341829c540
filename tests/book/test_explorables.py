"""Explorables in a browser: their maths, and the numbers that they show, against the library."""

import functools
import itertools

import mpmath
import pytest
import torch
from explorable_page import put_on_page, run_line, settled, shown

import gpkl_lib as g
from gpkl_lib.explore import STATIC, SoftmaxLogsumexp, TwoViews
from gpkl_lib.smoothing import logsumexp_bounds

MODELS = [
    SoftmaxLogsumexp(),
    SoftmaxLogsumexp([1, 2, 3, 4], scale=10),
    SoftmaxLogsumexp([1, 2, 3, 4], scale=0.1),
    SoftmaxLogsumexp([-1000, 1000, 999.9, 1000], temperature=0.01),
    SoftmaxLogsumexp([0.3, 0.3], temperature=100, scale=0.01),
]
VIEWS = [
    TwoViews(),
    TwoViews(shift=1.5, activation="sigmoid"),
    TwoViews([1, 2, 3], [1, 2, 3], shift=3),
    TwoViews([1000, -1000, 0], [999.9, -999, 1e-9], activation="softmax"),
    TwoViews([30, -30, 0.5], [31, -29, 1.25], shift=-1.25, activation="sigmoid"),
]


pytestmark = pytest.mark.browser


@pytest.fixture
def stage(open_page, tmp_path):
    return functools.partial(put_on_page, open_page, tmp_path)


def precise_entropy(x, temperature):
    """The library's entropy; where a winner leaves less than 1e-3 to the rest, the same from 400-digit arithmetic.

    There float64 keeps 1e-16 of an entropy near 0, while math.js keeps its digits.
    """
    value = g.entropy(torch.tensor(x, dtype=torch.float64), temperature=temperature).item()
    if value > 0.01:
        return value
    with mpmath.workdps(400):
        weights = [mpmath.exp((mpmath.mpf(v) - max(x)) / mpmath.mpf(temperature)) for v in x]
        exact = float(-sum(w / sum(weights) * mpmath.log(w / sum(weights)) for w in weights))
    assert value == pytest.approx(exact, abs=1e-15)
    return exact


def golden_single():
    sets = [
        [1.0, 2.0, 3.0, 4.0],
        [0.7] * 5,
        [1e3, -1e3, 999.0, 1e3],
        [-1e3, -1e3, -1e3 + 1e-9],
        [0.0, 1e-9, -1e-9],
        [-3.5, 20.0],
    ]
    for x, temperature in itertools.product(sets, [1e-3, 0.1, 1.0, 7.0, 1e3]):
        z = torch.tensor(x, dtype=torch.float64)
        lower, upper = logsumexp_bounds(z, temperature=temperature)
        yield "logsumexp", [x, temperature], g.logsumexp(z, temperature=temperature).item()
        yield "softmax", [x, temperature], g.softmax(z, temperature=temperature).tolist()
        yield "entropy", [x, temperature], precise_entropy(x, temperature)
        yield "logsumexpBounds", [x, temperature], [lower.item(), upper.item()]
    for x in sets:
        z = torch.tensor(x, dtype=torch.float64)
        yield "hardmax", [x], g.softmax(z, temperature=1e-18).tolist()
    for x in (0.0, 1e-9, 0.5, -0.5, 30.0, -30.0, -700.0, 1e3, -1e3):
        yield "sigmoid", [x], torch.sigmoid(torch.tensor(x, dtype=torch.float64)).item()


def golden_pairs():
    pairs = [
        ([2.4, 0.6, -1.2, -2.6], [1.7, 1.1, -1.8, -1.9]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]),
        ([0.5, -0.25, 1.0], [0.5 + 1e-9, -0.25, 1.0]),
        ([1e3, -1e3, 0.0], [-1e3, 1e3, 0.0]),
        ([1e3, 999.0], [1e3, 999.5]),
        ([-20.0, 0.0, 20.0], [-19.0, 0.1, 18.0]),
        ([30.0, -30.0], [31.0, -31.0]),
        ([3.0, 1.0, -1.0, -3.0], [-3.0, -1.0, 1.0, 3.0]),
    ]
    draw = torch.Generator().manual_seed(0)
    for size, gap in itertools.product([0.01, 1, 30], [1e-9, 1e-3, 0.3, 3]):
        at = size * torch.randn(5, generator=draw, dtype=torch.float64)
        pairs.append((at.tolist(), (at + gap * torch.randn(5, generator=draw, dtype=torch.float64)).tolist()))
    for (s, t), activation in itertools.product(pairs, ["softmax", "sigmoid"]):
        a, b = (torch.tensor(v, dtype=torch.float64) for v in (s, t))
        for name, function in (("symmetricKl", g.symmetric_kl), ("klDivergence", g.kl_divergence)):
            yield name, [s, t, activation], function(a, b, activation=activation).item()
            terms = {"symmetricKl": "symmetricKlTerms", "klDivergence": "klTerms"}[name]
            yield terms, [s, t, activation], function(a, b, activation=activation, reduction="none").tolist()


def test_math_js_agrees_with_the_library(chromium):
    cases = [*golden_single(), *golden_pairs()]
    source = (STATIC / "math.js").read_text("utf8")
    page = chromium.new_page()
    got = page.evaluate(
        """async ([source, cases]) => {
          const maths = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
          return cases.map(([name, args]) => maths[name](...args));
        }""",
        [source, [case[:2] for case in cases]],
    )
    page.close()
    assert {case[0] for case in cases} >= {"logsumexp", "softmax", "entropy", "sigmoid", "symmetricKl", "klTerms"}
    wrong = [
        (name, arguments, wanted, value)
        for (name, arguments, wanted), value in zip(cases, got, strict=True)
        if not close(value, wanted, floor=1e-30 if name.lower().startswith(("symmetrickl", "kl")) else 1e-300)
    ]
    assert wrong == []


def close(value, wanted, floor):
    """Equal to a relative 1e-12, for each entry of a list; below `floor` there are no digits to compare.

    Divergences of equal distributions are the square of a rounding error; other values end where float64 does.
    """
    if isinstance(wanted, list):
        return len(value) == len(wanted) and all(close(v, w, floor) for v, w in zip(value, wanted, strict=True))
    return value == pytest.approx(wanted, rel=1e-12, abs=floor)


def test_five_settings_of_softmax_logsumexp(stage):
    visit = stage(*MODELS)
    for i, widget in enumerate(MODELS):
        part = visit.page.locator("gpkl-explorable").nth(i)
        wanted = widget.values()
        assert {key: shown(part, key) for key in ("max", "lse", "entropy")} == pytest.approx(
            {key: wanted[key] for key in ("max", "lse", "entropy")}, rel=1e-12
        )
        assert shown(part, "gap") == pytest.approx(wanted["gap"], abs=1e-12 * max(1, abs(wanted["max"])))
        assert run_line(part) == pytest.approx(shown(part, "lse"), rel=1e-12)
        heights = part.locator("rect.gpkl-bar.gpkl-blue").evaluate_all(
            "all => all.map(one => one.height.baseVal.value)"
        )
        p = g.softmax(widget.scale * torch.tensor(widget.logits).double(), temperature=widget.temperature)
        assert heights[: len(p)] == pytest.approx((200 * p).tolist(), abs=1e-3)
    assert visit.console == visit.errors == visit.third_party == []


def test_five_settings_of_two_views(stage):
    visit = stage(*VIEWS)
    for i, widget in enumerate(VIEWS):
        part = visit.page.locator("gpkl-explorable").nth(i)
        wanted = widget.values()
        assert {key: shown(part, key) for key in wanted} == pytest.approx(wanted, rel=1e-12, abs=1e-28)
        assert run_line(part) == pytest.approx(shown(part, "total"), rel=1e-12, abs=1e-28)
        assert shown(part, "total") == shown(part, widget.activation)
        marks = part.locator(".gpkl-mark").evaluate_all("all => all.map(one => !one.classList.contains('gpkl-off'))")
        s, t = widget.decisions()
        assert marks == [i in view for i in range(len(widget.s)) for view in (s, t)]
        total = sum(
            part.locator("rect.gpkl-stack, .gpkl-panel:nth-child(2) rect.gpkl-bar").evaluate_all(
                "all => all.map(one => one.height.baseVal.value)"
            )
        )
        top = float(part.locator(".gpkl-panel:nth-child(2) .gpkl-tick").last.text_content().replace("−", "-"))
        assert total * top / 216 == pytest.approx(wanted["total"], rel=1e-3, abs=1e-9)
    assert visit.console == visit.errors == visit.third_party == []


def test_a_shift_leaves_softmax_and_flips_sigmoid(stage):
    part = stage(TwoViews([2, 1, -1, -2], [2, 1, -1, -2], activation="sigmoid")).page
    shift = part.get_by_label("shift c of t")
    counts = {}
    for c in (-3, -1.5, 0, 1.5, 3):
        shift.fill(str(c))
        settled(part)
        counts[c] = int(shown(part, "decided"))
        assert shown(part, "softmax") < 1e-28
        assert (shown(part, "sigmoid") > 0.1) == (c != 0)
    assert counts == {-3: 2, -1.5: 1, 0: 0, 1.5: 1, 3: 2}
