"""Bounds of logsumexp in a browser: every bound on its side of the true value, and the p that makes one exact."""

import itertools
import math
import re

import pytest
import torch
import traitlets
from explorable_page import run_line, settled, shown

from gpkl_lib import softmax
from gpkl_lib.explore import BoundsOfLogsumexp

pytestmark = pytest.mark.browser


def choose(page, name):
    page.get_by_label(name, exact=True).focus()
    page.keyboard.press("Space")
    settled(page)


def heat(page, temperature):
    """Move the native slider, which is logarithmic."""
    page.get_by_label("temperature T").fill(str(torch.tensor(temperature).log10().item()))
    settled(page)


def test_each_choice_of_p_is_one_of_the_bounds_at_every_temperature(stage):
    page = stage(BoundsOfLogsumexp([1, 2, 3, 4.5], weights=[0.1, 0.2, 0.3, 0.4])).page
    for name, same in (("softmax", "lse"), ("uniform", "mean"), ("argmax", "max")):
        choose(page, name)
        for T in (0.01, 0.3, 1.0, 20.0, 100.0):
            heat(page, T)
            assert shown(page, "entropy") == pytest.approx(shown(page, same), abs=1e-12)
            assert run_line(page) == pytest.approx(shown(page, same), abs=1e-12)
            assert shown(page, "kl") == pytest.approx(shown(page, "lse") - shown(page, "entropy"), abs=1e-12)


def test_bounds_stay_on_their_side_and_max_and_mean_change_places(stage):
    page = stage(BoundsOfLogsumexp(weights=[0.1, 0.2, 0.3, 0.4])).page
    better = []
    for T in (0.02, 0.1, 0.5, 0.9, 1.2, 2.0, 10.0, 90.0):
        heat(page, T)
        F, upper, *lower = (shown(page, key) for key in ("lse", "upper", "max", "mean", "entropy", "cauchy"))
        assert upper > F
        assert max(lower) <= F
        assert lower[3] < lower[2]
        better.append(lower[0] > lower[1])
    assert better == [True] * 4 + [False] * 4  # at T = 1.5 / log 4 = 1.08


def test_bars_reach_from_the_true_value_to_the_bound(stage):
    widget = BoundsOfLogsumexp(weights=[0.1, 0.2, 0.3, 0.4])
    page, value = stage(widget).page, widget.values()
    rows = page.locator(".gpkl-panel:nth-child(3) rect[height='11']")
    found = rows.evaluate_all("all => all.map(one => [one.x.baseVal.value, one.width.baseVal.value])")
    slack = [value[key] - value["lse"] for key in ("upper", "max", "mean", "entropy", "cauchy")]
    pixels = found[0][1] / slack[0]
    for (x, width), distance in zip(found, slack, strict=True):
        assert width == pytest.approx(abs(distance) * pixels, rel=1e-3)
        assert (x if distance > 0 else x + width) == pytest.approx(found[0][0], abs=0.1)


def test_curves_over_the_temperature_are_the_bounds_as_shares_of_the_strip(stage):
    widget = BoundsOfLogsumexp([0.5, -1, 2], weights=[3, 1, 4], temperature=10 ** (2 / 3))
    page, value = stage(widget).page, widget.values()
    paths = page.locator(".gpkl-across .gpkl-curve").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    dots = page.locator(".gpkl-across .gpkl-dot").evaluate_all("all => all.map(one => one.cy.baseVal.value)")
    assert len(paths) == 5
    for path, dot, key in zip(paths, dots, ("upper", "max", "mean", "entropy", "cauchy"), strict=True):
        share = (value[key] - value["lse"]) / (widget.temperature * math.log(3))
        points = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
        x, y = points[40]  # 61 points from 0.01 to 100: this one is at the present temperature
        assert (x, y) == pytest.approx((100 * 40 / 60, 130 * (1.1 - share) / 2.5), abs=0.01)
        assert dot == pytest.approx(y, abs=0.01)


def test_dragging_p_makes_it_the_reader_s_and_keeps_it_a_distribution(stage):
    page = stage(BoundsOfLogsumexp([1, 2, 3], choice="softmax")).page
    assert shown(page, "kl") < 1e-14
    page.get_by_role("slider", name="p₁").focus()
    page.keyboard.press("End")
    settled(page)
    assert page.get_by_label("yours", exact=True).is_checked()
    assert (shown(page, "h"), shown(page, "entropy")) == (0, 1)  # all on the first: its logit, no entropy
    page.keyboard.press("PageDown")
    settled(page)
    ps = [float(page.get_by_role("slider", name=f"p{i}").get_attribute("aria-valuenow")) for i in "₁₂₃"]
    assert ps == [0.9, 0.05, 0.05]
    for _, (share, name) in itertools.product(range(3), zip(softmax(torch.arange(3.0)).tolist(), "₁₂₃", strict=True)):
        knob = page.get_by_role("slider", name=f"p{name}")  # a few rounds, since each moves the others
        steps = round((share - float(knob.get_attribute("aria-valuenow"))) / 0.01)
        knob.focus()
        for _ in range(abs(steps)):
            page.keyboard.press("ArrowUp" if steps > 0 else "ArrowDown")
        settled(page)
    assert shown(page, "kl") < 1e-3


def test_dragging_across_the_curves_sets_the_temperature(stage):
    page = stage(BoundsOfLogsumexp()).page
    plot = page.locator(".gpkl-across").bounding_box()
    page.mouse.click(plot["x"] + 0.75 * plot["width"], plot["y"] + 40)
    settled(page)
    assert float(page.get_by_label("temperature T").input_value()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"logits": [1, 2], "weights": [1, 2, 3]}, ValueError, "must be as many, got 2 and 3"),
        ({"weights": [0, 0, 0, 0]}, traitlets.TraitError, "must not all be 0"),
        ({"weights": [1, -1, 1, 1]}, traitlets.TraitError, "each of weights must lie between 0 and"),
        ({"temperature": 0}, traitlets.TraitError, "temperature must lie between 0.01 and 100"),
        ({"choice": "mine"}, traitlets.TraitError, "choice"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        BoundsOfLogsumexp(**arguments)
