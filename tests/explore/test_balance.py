"""Balance in a browser: the pull of the many on the few, a positive crossing the threshold, where a bias rests."""

import pytest
import torch
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import Balance
from gpkl_lib.explore.balance import LOSSES

browser = pytest.mark.browser


def heights(page, kind):
    """Height of each class's bar in one loss, in the order of the classes."""
    bars = page.locator(f".gpkl-panel:nth-child(2) rect.{kind}")
    return bars.evaluate_all("all => all.map((one) => one.height.baseVal.value)")


@browser
def test_many_negatives_drown_the_positive_in_the_binary_losses_only(stage):
    page = stage(Balance([0], rival=0, crowd=0, negatives=2)).page
    slider = page.get_by_label("negatives n − P")
    ratios, shares = {"multilabel": [], "binary": []}, {"gpkl-bar": [], "gpkl-stack": []}
    for position in (1, 2, 3, 4):
        slider.fill(str(position))
        settled(page)
        for name, found in ratios.items():
            found.append(shown(page, f"{name}-push") / shown(page, f"{name}-pull"))
        for kind, found in shares.items():
            found.append(heights(page, kind)[0] / (208 / 2))
    assert ratios["binary"] == pytest.approx([10, 100, 1000, 10_000], rel=1e-9)
    assert all(1.8 < ratio < 2 for ratio in ratios["multilabel"])
    assert shares["gpkl-bar"] == pytest.approx([1 / (1 + r) for r in ratios["multilabel"]], abs=1e-3)
    assert shares["gpkl-stack"] == pytest.approx([1 / (1 + r) for r in ratios["binary"]], abs=1e-3)


@browser
def test_a_positive_dragged_across_the_threshold_changes_its_mark_and_lends_its_force(stage):
    page = stage(Balance([2, 1], rival=-4, crowd=-6, negatives=100, shift=1)).page  # shown are 3, 2, -3, -5
    knob = page.get_by_role("slider", name="positive s₁ + c")
    box = knob.locator(".gpkl-hit").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    marks = page.locator(".gpkl-panel:nth-child(1) text", has_text="✓")
    assert (marks.count(), shown(page, "multilabel-pull") < 0.2) == (4, True)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 90, steps=4)  # 17.3 px a unit: from 3 to -2.2
    page.mouse.up()
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == -2.2
    assert marks.count() == 3
    wanted = Balance([-3.2, 1], rival=-4, crowd=-6, negatives=100, shift=1).values()
    assert shown(page, "multilabel-pull") == pytest.approx(wanted["multilabel-pull"], rel=1e-12)
    first, second, *_ = heights(page, "gpkl-bar")
    assert first > 50 * second  # the one left behind takes nearly all of the pull


@browser
def test_the_curves_cross_zero_where_the_bias_rests(stage):
    page = stage(Balance([0], rival=0, crowd=0, negatives=9999)).page
    plot = page.locator(".gpkl-across").bounding_box()
    for name, dot in (("multilabel", "circle"), ("binary", "rect")):
        mark = page.locator(f".gpkl-across svg {dot}.gpkl-dot").bounding_box()
        share = (mark["x"] + mark["width"] / 2 - plot["x"]) / plot["width"]
        assert -12 + 18 * share == pytest.approx(shown(page, f"{name}-rest"), abs=0.05)
    page.mouse.click(plot["x"] + plot["width"] * (12 - 9.2) / 18, plot["y"] + 40)
    settled(page)
    assert page.get_by_label("bias c of all scores").input_value() == "-9.2"
    assert shown(page, "binary-push") == pytest.approx(shown(page, "binary-pull"), rel=0.02)
    assert shown(page, "multilabel-push") < 0.6 < 0.99 < shown(page, "multilabel-pull")


@browser
def test_wrong_decisions_along_the_bias(stage):
    page = stage(Balance([4], rival=1, crowd=-4, negatives=10)).page
    numbers = page.locator(".gpkl-across g text.gpkl-tick").all_text_contents()
    assert numbers[-4:] == ["1", "0", "1", "10"]  # missed; right between -4 and -1; the rival; from 4 on all


def test_at_rest_the_forces_of_both_losses_add_up_to_nothing():
    for widget in SPECIMENS["balance"].settings[:3]:
        for loss in LOSSES:
            forces = widget.forces(loss, widget.rest(loss))
            assert abs(forces.sum()) < 1e-12 * forces.abs().sum()


def test_neither_side_of_the_multi_label_loss_ever_adds_up_to_more_than_one():
    for widget in SPECIMENS["balance"].settings:
        found = widget.values()
        assert 0 <= found["multilabel-pull"] <= 1 + 1e-12
        assert 0 <= found["multilabel-push"] <= 1 + 1e-12
        assert found["multilabel"] <= found["binary"] * (1 + 1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positives": []}, "1 to 4 scores, got 0"),
        ({"positives": [0] * 5}, "1 to 4 scores, got 5"),
        ({"positives": [51]}, "positives must lie between -50 and 50, got 51"),
        ({"rival": float("nan")}, "rival must lie between"),
        ({"crowd": -1e9}, "crowd must lie between"),
        ({"negatives": 1}, "negatives must lie between 2 and 10000, got 1"),
        ({"shift": 7}, "shift must lie between -12 and 6, got 7"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(Exception, match=message):
        Balance(**options)


def test_the_still_picture_says_what_it_shows():
    text = Balance([0], rival=0, crowd=0, negatives=9999).still()
    assert "binary 6931.472: pull 0.5, push 5e+03, rest at c = −9.21" in text
    assert torch.equal(Balance([1, 2]).scores()[1].nonzero().flatten(), torch.tensor([0, 1]))
