"""Adversarial direction: the point in the plane by mouse and keys, and the library's own search."""

import math

import pytest
import torch
import traitlets
from explorable_page import settled, shown

from gpkl_lib.adversarial import virtual_adversarial_loss
from gpkl_lib.explore import AdversarialDirection
from gpkl_lib.explore import adversarial_direction as plane


@pytest.mark.browser
def test_the_point_moves_in_both_directions(stage):
    page = stage(AdversarialDirection((0.4, 0.1))).page
    knob = page.get_by_role("slider", name="embedding x")
    box = knob.locator(".gpkl-hit").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 24, y - 48, steps=4)
    page.mouse.up()
    settled(page)
    assert knob.get_attribute("aria-valuetext") == "first −0.1, second 1.1"
    wanted = AdversarialDirection((-0.1, 1.1)).values()
    assert {key: shown(page, key) for key in wanted} == pytest.approx(wanted, rel=1e-9)
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "End"):
        page.keyboard.press(key)
    settled(page)
    assert knob.get_attribute("aria-valuetext") == "first 1.0, second 1.3"
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    settled(page)
    assert knob.get_attribute("aria-valuetext") == "first 1.0, second 1.6"


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_plane_is_searched_as_the_library_searches(steps):
    x = (0.4, 0.1)
    first = torch.randn(1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))[0]
    start = math.degrees(math.atan2(first[1], first[0]))
    ours = plane.divergence_after(x=x, start=start, epsilon=0.5, xi=0.1, steps=steps)
    loss = virtual_adversarial_loss(
        plane.scores,
        torch.tensor([x], dtype=torch.float64),
        epsilon=0.5,
        activation="sigmoid",
        xi=0.1,
        steps=steps,
        generator=torch.Generator().manual_seed(3),
    )
    assert loss.item() == pytest.approx(ours, rel=1e-10)


def test_contours_are_where_the_divergence_has_their_level():
    x, angles = (0.4, 0.1), 360 * torch.arange(96) / 96
    for level in plane.LEVELS:
        radii = plane.contour(x, level)
        inside = radii < plane.REACH
        assert inside.float().mean() > 0.5
        found = plane.divergence(x, radii[:, None] * plane.unit(angles))[inside]
        assert (found / level - 1).abs().max() < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": (1.0,)}, "two numbers, got 1"),
        ({"x": (0.0, 3.0)}, "x must lie between -1.6 and 1.6"),
        ({"start": 181}, "start must lie between -180 and 180"),
        ({"epsilon": 0}, "epsilon must lie between 0.05 and 3"),
        ({"xi": 11}, "xi must lie between 0.01 and 10"),
        ({"steps": 9}, "steps must lie between 0 and 8"),
    ],
)
def test_errors_name_the_setting(settings, message):
    with pytest.raises(traitlets.TraitError, match=message):
        AdversarialDirection(**settings)
