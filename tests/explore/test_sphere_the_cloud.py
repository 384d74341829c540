"""Sphere the cloud in a browser: a point that is dragged anywhere, and a triangle that does not care."""

import pytest
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import SphereTheCloud
from gpkl_lib.explore import sphere_the_cloud as plane


def middle(page):
    box = page.get_by_role("slider", name="first point").locator(".gpkl-hit").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.browser
def test_a_point_is_dragged_and_the_triangle_stays_regular(stage):
    page = stage(SphereTheCloud(3, beta=1, gamma=1)).page
    point = page.get_by_role("slider", name="first point")
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 100, y - 60, steps=5)
    page.mouse.up()
    settled(page)
    right, up = (float(part.split()[-1].replace("−", "-")) for part in point.get_attribute("aria-valuetext").split(","))
    assert (right, up) == (
        pytest.approx(2.8 - 100 / (288 / 8.5), abs=0.1),
        pytest.approx(0.4 + 60 / (288 / 8.5), abs=0.1),
    )
    for key in ("cosine", "least", "largest"):
        assert shown(page, key) == pytest.approx(-0.5, abs=1e-12)
    for key in ("PageUp", "PageUp", "PageUp", "End", "End", "End", "End", "End", "End"):
        page.keyboard.press(key)
    settled(page)
    assert point.get_attribute("aria-valuetext") == "right 4.0, up 4.0"
    assert shown(page, "cosine") == pytest.approx(-0.5, abs=1e-12)


@pytest.mark.browser
def test_the_menu_sets_both_exponents_and_more_points_bring_the_cosines_back(stage):
    page = stage(SphereTheCloud(3)).page
    menu = page.locator("select").first
    menu.select_option(label="white: 1, 1")
    settled(page)
    assert shown(page, "largest") - shown(page, "least") == pytest.approx(0, abs=1e-12)
    assert shown(page, "condition") == 1
    count = page.get_by_label("points N")
    count.focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    assert shown(page, "largest") - shown(page, "least") > 0.5
    assert shown(page, "nats") == pytest.approx(0, abs=1e-12)
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert (shown(page, "nats"), count.input_value()) == (pytest.approx(SphereTheCloud(3).values()["nats"]), "3")


@pytest.mark.browser
def test_a_finger_drags_the_point_and_the_page_stays(stage):
    page = stage(SphereTheCloud(), width=390, height=900, has_touch=True, is_mobile=True).page
    x, y = middle(page)
    touch, scrolled = page.context.new_cdp_session(page), page.evaluate("scrollY")
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        points = [{"x": x - 10 * step, "y": y - 8 * step}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    said = page.get_by_role("slider", name="first point").get_attribute("aria-valuetext")
    assert said not in ("right 2.8, up 0.4", "right 4.0, up 4.0")
    assert page.evaluate("scrollY") == scrolled


@pytest.mark.parametrize("x", [(1.0,), (1.0, 2.0, 3.0), (4.1, 0.0)])
def test_a_point_has_two_numbers_on_the_board(x):
    with pytest.raises(traitlets.TraitError, match="x must"):
        SphereTheCloud(x=x)


def test_no_place_on_the_board_puts_three_points_on_a_line():
    """The condition number would be infinite there, and the nats."""
    (a, b), (c, d) = plane.cloud(3, [0.0, 0.0])[1:].tolist()
    grid = [value / 10 for value in range(-40, 41)]
    assert min(abs((a - x) * (d - y) - (c - x) * (b - y)) for x in grid for y in grid) > 5e-3


def test_evening_out_brings_the_cloud_nearer_to_round_and_uses_more_of_the_plane():
    seen = [SphereTheCloud(beta=1, gamma=gamma / 10).values() for gamma in range(11)]
    for key in ("nats", "condition"):
        values = [value[key] for value in seen]
        assert values == sorted(values, reverse=True)
    assert abs(seen[-1]["nats"]) < 1e-12
