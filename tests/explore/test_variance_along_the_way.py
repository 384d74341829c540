"""Variance along the way: the area of its curve is D, and what it shows moves with the place."""

import numpy as np
import pytest
from explorable_page import settled, shown

from gpkl_lib.explore import VarianceAlongTheWay

VIEWS = ([3.0, 0.0, -1.0], [-2.0, 1.0, 0.0])


def test_the_mean_height_of_the_curve_is_d():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for place in (0.3, 1.0):
        widget = VarianceAlongTheWay(*VIEWS, place=place)
        area = sum(w / 2 * place * widget.variance(place * (x + 1) / 2) for x, w in zip(nodes, weights, strict=True))
        assert widget.values()["area"] == pytest.approx(area, rel=1e-12)
    assert widget.values()["area"] == pytest.approx(widget.values()["d"], rel=1e-12)
    assert VarianceAlongTheWay([1, 2], [4, 5]).values() == {"variance": 0, "area": 0, "d": 0}


def test_views_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="s and t must have as many logits, got 3 and 2"):
        VarianceAlongTheWay([1, 2, 3], [1, 2])


@pytest.mark.browser
def test_the_strips_up_to_the_place_are_seen_and_a_preset_moves_everything(stage):
    page = stage(VarianceAlongTheWay(*VIEWS, place=0.25)).page
    strips = page.locator("rect[fill^='url(#']")
    seen = strips.evaluate_all("all => all.map(one => one.getAttribute('visibility') === 'visible')")
    assert seen == [True] * 25 + [False] * 75
    heights = strips.evaluate_all("all => all.map(one => one.height.baseVal.value)")
    d, mean = shown(page, "d"), sum(heights) / len(heights)
    line = page.locator("line.gpkl-hard").evaluate("one => one.y1.baseVal.value")
    assert mean == pytest.approx(190 - line, rel=1e-3), "the dashed line is as high as the strips are on average"
    page.get_by_label("start from").select_option(label="shifted by 2")
    settled(page)
    assert shown(page, "variance") == shown(page, "d") == 0 < d
