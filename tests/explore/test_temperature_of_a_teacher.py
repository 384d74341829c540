"""Temperature of a teacher in a browser: what heat adds, what the lines tell, and what is refused."""

import pytest
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import TemperatureOfATeacher

pytestmark = pytest.mark.browser
NAME = "temperature_of_a_teacher"


def set_temperature(page, power):
    """Move the slider, whose position is the logarithm to base 10."""
    page.get_by_label("temperature T").fill(str(power))
    settled(page)


def test_heat_moves_the_pull_from_what_is_open_to_what_is_far(stage):
    page = stage(SPECIMENS[NAME].settings[0]).page
    far, losses = [], []
    for power in (-1, 0, 1, 2, 3):
        set_temperature(page, power)
        far.append(shown(page, "far"))
        losses.append(shown(page, "loss"))
    assert far == sorted(far)
    assert far[1] < 1 < 80 < far[3]
    assert losses == sorted(losses)  # every pull grows with T, and so does the loss
    assert losses[-1] == pytest.approx(shown(page, "limit"), rel=0.01)


def test_lines_are_as_thick_as_the_pull(stage):
    widget = SPECIMENS[NAME].settings[1]
    page = stage(widget).page
    widths = page.locator("svg[aria-label='Scores of teacher and student'] line[x1='24%']").evaluate_all(
        "all => all.map(one => parseFloat(one.style.strokeWidth) || 0)"
    )
    sizes = widget.pulls().abs()
    wanted = [0.5 + 6 * x if x > 0.004 else 0 for x in (sizes / sizes.max()).tolist()]
    assert widths == pytest.approx(wanted, abs=0.051)


def test_a_student_that_is_the_teacher_feels_nothing(stage):
    page = stage(SPECIMENS[NAME].settings[4]).page
    assert [shown(page, key) for key in ("loss", "limit", "gold", "open", "far")] == [0] * 5
    page.get_by_role("slider", name="student's score of the teacher's best span").press("ArrowDown")
    settled(page)
    assert shown(page, "gold") == pytest.approx(100)
    assert shown(page, "limit") == pytest.approx(0.1**2 / 8)


def test_dragging_across_the_shares_sets_the_temperature(stage):
    page = stage(SPECIMENS[NAME].settings[0]).page
    plot = page.locator(".gpkl-across").bounding_box()
    page.mouse.click(plot["x"] + 0.46 * plot["width"], plot["y"] + 40)
    settled(page)
    assert float(page.get_by_label("temperature T").input_value()) == pytest.approx(1, abs=0.02)
    page.mouse.click(plot["x"] + 0.99 * plot["width"], plot["y"] + 40)  # on the limit: as hot as it goes
    settled(page)
    assert page.get_by_label("temperature T").input_value() == "3"


def test_what_does_not_fit_is_refused():
    row = [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="teacher must hold 6 scores for each of 1 types, got \\[3\\]"):
        TemperatureOfATeacher(["a", "b", "c"], ["x"], [row], [row], [[]])
    with pytest.raises(ValueError, match="gold must hold places below 3 for each of 1 types"):
        TemperatureOfATeacher(["a", "b"], ["x"], [row], [row], [[3]])
    with pytest.raises(Exception, match="kind must be one of x, got 'y'"):
        TemperatureOfATeacher(["a", "b"], ["x"], [row], [row], [[]], kind="y")
    with pytest.raises(Exception, match="every score of student must lie between -10000 and 10000"):
        TemperatureOfATeacher(["a", "b"], ["x"], [row], [[0.0, 1.0, float("nan")]], [[]])
    with pytest.raises(Exception, match=r"temperature must lie between 0\.1 and 1000, got 0"):
        TemperatureOfATeacher(["a", "b"], ["x"], [row], [row], [[]], temperature=0)
