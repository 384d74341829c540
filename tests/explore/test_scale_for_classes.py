"""Scale for C classes: what it is meant to show, by dragging; and what it refuses."""

import math

import pytest
import traitlets
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import ScaleForClasses
from gpkl_lib.explore.scale_for_classes import mean_curves
from gpkl_lib.smoothing import normalized_scale_bound

RUN = {"scale": 4.0, "steps": [0, 10], "loss": [3.0, 1.0], "accuracy": [0.0, 0.5]}


@pytest.mark.browser
def test_dragging_across_moves_the_scale_and_the_nearest_record(stage):
    page = stage(SPECIMENS["scale_for_classes"].settings[0]).page
    box = page.locator(".gpkl-across").bounding_box()
    seen = []
    for share in (0.1, 0.5, 0.95):
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 40, steps=4)
        page.mouse.up()
        settled(page)
        scale = float(f"{10 ** (-0.5 + 3 * share):.3g}")
        assert float(page.get_by_role("slider", name="scale s").get_attribute("aria-valuetext")) == pytest.approx(
            scale, rel=0.03
        )
        seen.append(shown(page, "recorded_scale"))
    assert seen == [1, 16, 256]
    assert page.locator(".gpkl-chosen").inner_text() == "■ 256"


@pytest.mark.browser
def test_the_handle_of_the_loss_leaves_the_scale_alone(stage):
    page = stage(ScaleForClasses(1000, 10.0)).page
    assert shown(page, "bound") == pytest.approx(0.0439, abs=1e-4)
    knob = page.get_by_role("slider", name="loss to reach")
    knob.first.focus()
    page.keyboard.press("PageUp")  # half a power of ten
    settled(page)
    assert shown(page, "bound") == pytest.approx(0.0439, abs=1e-4)
    assert normalized_scale_bound(1000, shown(page, "needed")) == pytest.approx(10**-1.5, rel=2e-3)
    assert page.get_by_label("scale s").first.input_value() == "1"


@pytest.mark.browser
def test_more_classes_need_a_scale_larger_by_a_logarithm(stage):
    page = stage(ScaleForClasses(1000, 10.0)).page
    before = shown(page, "needed")
    page.get_by_label("classes C").fill("4")
    settled(page)
    assert shown(page, "needed") - before == pytest.approx(math.log(10), abs=0.02)
    page.get_by_label("classes C").fill("0.3")
    settled(page)
    assert shown(page, "bound") == normalized_scale_bound(2, 10.0)


@pytest.mark.browser
def test_without_a_record_there_are_no_panels_for_it(stage):
    page = stage(ScaleForClasses(10, 4.0)).page
    assert page.locator("svg.gpkl-plot").count() == 1
    assert page.locator('data[data-key="recorded_scale"]').count() == 0


def test_curves_are_means_over_the_runs_of_a_scale():
    other = RUN | {"loss": [1.0, 0.0], "accuracy": [1.0, 1.0]}
    (curve,) = mean_curves([RUN, other], [4])
    assert curve == {"scale": 4.0, "steps": [0, 10], "loss": [2.0, 0.5], "accuracy": [0.5, 0.75]}
    for rows, scale in (([RUN], 5), ([RUN, RUN | {"steps": [0, 20]}], 4)):
        with pytest.raises(ValueError, match=f"scale {scale}"):
            mean_curves(rows, [scale])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "num_classes must lie between 2"),
        ({"scale": 0.0}, "scale must lie between"),
        ({"scale": math.nan}, "scale must lie between"),
        ({"tolerance": 0.0}, "tolerance must lie between"),
        ({"curves": [RUN] * 4}, "up to 3 runs, got 4"),
        ({"curves": [RUN | {"loss": [1.0]}]}, "of one length"),
        ({"curves": [RUN | {"scale": 0.0}]}, "scale above 0"),
        ({"curves": [RUN | {"steps": [], "loss": [], "accuracy": []}]}, "of one length"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(traitlets.TraitError, match=message):
        ScaleForClasses(**options)
