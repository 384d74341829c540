"""Softmax and logsumexp in a browser: its bars, its presets."""

import pytest
import torch
from explorable_page import run_line, settled, shown
from specimen import SPECIMENS

import gpkl_lib as g
from gpkl_lib.explore import SoftmaxLogsumexp

pytestmark = pytest.mark.browser


def test_bars_are_as_high_as_the_probabilities(stage):
    settings = SPECIMENS["softmax_logsumexp"].settings
    page = stage(*settings).page
    for i, widget in enumerate(settings):
        bars = page.locator("gpkl-explorable").nth(i).locator("rect.gpkl-bar.gpkl-blue")
        heights = bars.evaluate_all("all => all.map(one => one.height.baseVal.value)")
        p = g.softmax(widget.scale * torch.tensor(widget.logits).double(), temperature=widget.temperature)
        assert heights[: len(p)] == pytest.approx((200 * p).tolist(), abs=1e-3)


def test_presets_and_reset(stage):
    page = stage(SoftmaxLogsumexp([0.5, 1.5, 0.0], temperature=2)).page
    menu = page.get_by_label("start from")
    assert menu.locator("option:checked").inner_text() == "your own"
    menu.select_option(label="two tie at the top")
    settled(page)
    assert shown(page, "max") == 3
    assert page.locator("rect.gpkl-hard[visibility=visible]").count() == 2
    assert page.get_by_role("slider", name="logit").count() == 4
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert run_line(page) == pytest.approx(SoftmaxLogsumexp([0.5, 1.5, 0.0], temperature=2).values()["lse"], rel=1e-12)
    assert page.get_by_role("slider", name="logit").count() == 3


def test_handles_by_every_key(stage):
    page = stage(SoftmaxLogsumexp()).page
    knob = page.get_by_role("slider", name="logit x₁")
    knob.focus()
    seen = []
    for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft", "PageUp", "PageDown", "Home", "End"):
        page.keyboard.press(key)
        settled(page)
        seen.append(float(knob.get_attribute("aria-valuenow")))
    assert seen == [1.1, 1.2, 1.1, 1.0, 2.0, 1.0, -5.0, 5.0]
    assert shown(page, "max") == 5


def test_live_region_speaks_once_after_many_moves(stage):
    page = stage(SoftmaxLogsumexp()).page
    page.wait_for_timeout(900)
    page.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector("[role=status]");
          const observer = new MutationObserver(() => said.push(status.textContent));
          observer.observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    page.get_by_role("slider", name="logit x₁").focus()
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(1200)
    said = page.evaluate("said")
    assert len(said) == 1
    assert f"Smooth maximum {shown(page, 'lse'):.4f}" in said[0]
