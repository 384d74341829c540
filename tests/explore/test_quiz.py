"""Quizzes in a browser."""

import pytest
from explorable_page import NUMBER, QUIZ

pytestmark = pytest.mark.browser


def test_quiz_with_choices_answers_at_once(stage):
    page = stage(QUIZ).page
    feedback = page.get_by_role("status")
    page.get_by_role("button", name="log 2").click()
    assert "Not this one" in feedback.inner_text()
    assert "log 2 < 1." not in feedback.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert feedback.inner_text().startswith("Right.")
    assert "log 2 < 1." in feedback.inner_text()
    pressed = page.locator("[aria-pressed=true]")
    assert pressed.count() == 1
    assert pressed.inner_text().endswith("1")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("0.6931", "Right"),
        ("0,6935", "Right"),
        ("0.8", "Too large"),
        ("−1", "Too small"),
        ("1/2", "Too small"),
        ("1/2/3", "Write a number"),
        ("log 2", "Write a number"),
        ("", "Write a number"),
        ("1e400", "Write a number"),
    ],
)
def test_quiz_with_a_number(stage, typed, answer):
    page = stage(NUMBER).page
    page.get_by_role("textbox").fill(typed)
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text().startswith(answer)
    assert page.get_by_role("textbox").get_attribute("aria-invalid") == str(answer == "Write a number").lower()


def test_quiz_stores_nothing(stage):
    visit = stage(QUIZ)
    visit.page.get_by_role("button", name="1").click()
    assert visit.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert len(visit.requests) == 1 + sum(url.startswith("blob:") for url in visit.requests)
