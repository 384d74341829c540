"""Three points: the line finds the gap or misses it, by the scale; and a smooth accuracy that has no best place."""

import math

import pytest
import torch
import traitlets
from explorable_page import settled, shown
from specimen import SPECIMENS, module

from gpkl_lib.explore import ThreePoints
from gpkl_lib.explore.three_points import (
    WARM,
    accuracy,
    best_cross_entropy,
    best_smooth_accuracy,
    cross_entropy,
    hinge,
    smooth_accuracy,
)

GRID = torch.linspace(-2, 12, 140_001, dtype=torch.float64)


def test_the_best_places_are_where_nothing_on_a_grid_is_better():
    for w in (0.3, 1.0, 3.0, 32.0):
        best = best_cross_entropy(w)
        assert cross_entropy(best, w) <= cross_entropy(GRID, w).min() + 1e-15
        assert best == pytest.approx(module("three_points").cross_best(w), rel=1e-13)
        assert (0 < best < 0.25) == (w > 3.0252304504638583)
    for T in (0.02, 0.1, 0.3, 0.5, 0.51):
        best = best_smooth_accuracy(T)
        assert smooth_accuracy(best, T) >= smooth_accuracy(GRID, T).max() - 1e-15
        assert best == pytest.approx(module("three_points").smooth_best(T), rel=1e-12)
        assert (0 < best < 0.25) == (T < 0.205127)


def test_from_the_golden_ratio_on_every_finite_place_is_worse_than_infinity():
    assert math.exp(0.25 / WARM) == pytest.approx((1 + math.sqrt(5)) / 2, rel=1e-14)
    for T, reached in ((0.519, True), (WARM, False), (0.52, False), (2.0, False)):
        assert bool((smooth_accuracy(GRID, T) > 2 / 3 + 1e-12).any()) == reached
        assert math.isinf(best_smooth_accuracy(T)) == (not reached)


def test_losses_by_hand():
    """A point on the line counts as wrong: it is not above it if it is +, and not below it if it is -."""
    assert [round(3 * accuracy(b).item()) for b in (-0.4, -0.25, -0.1, 0.0, 0.1, 0.25, 0.3)] == [1, 1, 2, 2, 3, 2, 2]
    assert hinge(0.75, 1.0).item() == hinge(1.0, 1.0).item() == pytest.approx(1.75 / 3)
    assert cross_entropy(1e4, 1.0).item() == pytest.approx((1e4 - 0.25) / 3)
    assert smooth_accuracy(0.125, 1e-3).item() == 1


@pytest.mark.browser
def test_the_points_say_which_are_wrong_and_the_line_can_be_pulled_among_them(stage):
    page = stage(SPECIMENS["three_points"].settings[0]).page
    knob = page.get_by_role("slider", name="where the line stands")
    crosses = page.locator(".gpkl-missed")
    seen = {}
    for presses, key in ((0, "Home"), (40, "ArrowRight"), (25, "ArrowRight"), (25, "ArrowRight")):
        knob.focus()
        for _ in range(max(presses, 1)):
            page.keyboard.press(key)
        settled(page)
        wrong = sum(crosses.nth(k).is_visible() for k in range(3))
        seen[float(knob.get_attribute("aria-valuenow"))] = wrong
        assert wrong == 3 - round(3 * shown(page, "accuracy"))
    assert seen == {-0.5: 2, -0.1: 1, 0.15: 0, 0.4: 1}


@pytest.mark.browser
def test_the_line_is_dragged_sideways(stage):
    page = stage(ThreePoints(b=0.5)).page
    knob, width = page.get_by_role("slider", name="where the line stands"), page.locator("svg.gpkl-plot").first
    box, unit = knob.bounding_box(), width.bounding_box()["width"] / 3
    start = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] - 0.4 * unit, start[1] + 30, steps=5)
    page.mouse.up()
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == pytest.approx(0.1, abs=0.011)
    assert shown(page, "accuracy") == 1


@pytest.mark.browser
def test_a_best_place_beyond_the_picture_is_an_arrow(stage):
    page = stage(ThreePoints(temperature=0.3)).page
    panel = page.locator('[aria-label="Accuracy"]')
    arrow, dot = panel.get_by_text("→"), panel.locator("circle")
    slider = page.get_by_label("width T")
    for T, away in ((0.1, False), (0.513, True), (1.0, True)):
        slider.fill(str(math.log10(T)))
        settled(page)
        assert arrow.is_visible() == away
        assert dot.is_visible() == (not away)
        best = best_smooth_accuracy(float(slider.get_attribute("aria-valuetext")))
        text = page.locator('data[data-key="smooth_best"]').inner_text()
        assert text == ("none" if math.isinf(best) else f"{best:.4f}")
    assert shown(page, "smooth_best") == math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"b": 2.6}, "b must lie between -0.5 and 2.5"),
        ({"scale": 0.0}, "scale must lie between 0.3 and 32"),
        ({"temperature": math.nan}, "temperature must lie between"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(traitlets.TraitError, match=message):
        ThreePoints(**options)
