"""The training panel, driven as a reader would, without a browser."""

from __future__ import annotations

import base64
import re
import threading
import time

import pytest

pytest.importorskip("ipywidgets")
from gpkl_lib.chapters import live
from gpkl_lib.chapters.live import TrainingPanel, training_panel
from gpkl_lib.training.history import History
from gpkl_lib.training.process import Process

BEFORE = History([{"epoch": k, "loss": 4.0 / k, "f1": 0.2 * k} for k in (1, 2, 3)])
HUNG = 1800  # seconds after which a training counts as one that never ends
SMALL = {"sentences": 16, "epochs": 3, "device": "cpu"}


def wait(panel: TrainingPanel) -> None:
    assert panel.wait(HUNG), "the training did not end"


def idle(panel: TrainingPanel) -> bool:
    return not panel.train.disabled and panel.stop.disabled


def test_a_run_moves_the_curves_each_epoch_and_gives_the_controls_back() -> None:
    panel, seen = training_panel("sigmoid", alpha=0.3, earlier={"before": BEFORE}, **SMALL), []
    panel.chart.observe(lambda change: seen.append(len(panel.runs[list(panel.runs)[-1]])), "value")
    assert idle(panel)
    panel.train.click()
    wait(panel)
    (name, history) = list(panel.runs.items())[-1]
    assert name == "sigmoid α=0.3, dropout 0.3, noise 0.1"
    assert len(history) == 3
    assert seen[:2] == [1, 2]
    assert seen[-1] == 3
    assert panel.error is None
    assert re.search(
        r'role="status">sigmoid α=0.3, .*: best dev F1 0\.\d{3} after epoch [123], \d+ s\.<', panel.status.value
    )
    assert idle(panel)
    assert panel.progress.value == 0


def test_the_kernel_stays_free_and_stop_stops_within_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step = [], Process.step
    monkeypatch.setattr(Process, "step", lambda *arguments: (steps.append(1), step(*arguments)))
    panel = training_panel("none", sentences=200, epochs=500, device="cpu")
    panel.train.click()
    assert panel.train.disabled
    assert not panel.stop.disabled
    thread = panel._thread
    panel.train.click()  # no second one
    panel.start()
    assert panel._thread is thread
    limit = time.monotonic() + HUNG
    while not panel.runs.get("none, dropout 0.3, noise 0.1") and time.monotonic() < limit:
        time.sleep(0.05)
    panel.stop.click()
    taken = len(steps)
    wait(panel)
    assert len(steps) <= taken + 1  # the one that was under way
    assert "stopped after" in panel.status.value
    assert 0 < len(panel.runs["none, dropout 0.3, noise 0.1"]) < 500
    assert idle(panel)
    panel.method.value, panel._settings["epochs"] = "squared", 1
    panel.train.click()  # and it trains again
    wait(panel)
    assert [len(h) for h in panel.runs.values()][-1] == 1


def test_an_error_is_shown_and_cleaned_up_after(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = training_panel("none", earlier={"before": BEFORE}, **SMALL)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("<no room>")

    monkeypatch.setattr(live, "fit", broken)
    panel.train.click()
    wait(panel)
    assert isinstance(panel.error, RuntimeError)
    assert 'role="alert"' in panel.status.value
    assert "RuntimeError: &lt;no room&gt;" in panel.status.value
    assert list(panel.runs) == ["before"]
    assert idle(panel)
    monkeypatch.undo()
    panel.train.click()
    wait(panel)
    assert panel.error is None
    assert len(panel.runs) == 2


@pytest.mark.parametrize("method", ["vat", "uda", "softmax"])
def test_every_method_that_is_offered_trains(method: str) -> None:
    panel = training_panel(method, threshold=0.5, **{**SMALL, "epochs": 1})  # above it, no span of uda is sure so early
    assert method in panel.method.options
    assert "distillation" not in panel.method.options
    panel.train.click()
    wait(panel)
    assert panel.error is None, panel.error
    assert len(next(iter(panel.runs.values()))) == 1


def test_distillation_needs_its_teacher() -> None:
    from gpkl_lib.corpora import toy_corpus
    from gpkl_lib.tagger.tagger import Tagger

    corpus = toy_corpus(16)
    teacher = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
    panel = training_panel("distillation", teacher=teacher, temperature=2.0, **{**SMALL, "epochs": 1})
    panel.train.click()
    wait(panel)
    assert panel.error is None, panel.error
    with pytest.raises(ValueError, match=r"method must be one of none, .*, got 'distillation'"):
        training_panel("distillation")


def test_what_cannot_be_trained_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"alpha must lie between 0.01 and 10, got 11"):
        training_panel(alpha=11)
    with pytest.raises(ValueError, match=r"epochs must be positive, got 0"):
        training_panel(epochs=0)
    with pytest.raises(TypeError, match="epochz"):
        training_panel(epochz=3)


def test_runs_of_the_same_settings_are_told_apart_and_clear_forgets_them() -> None:
    panel = training_panel("none", **{**SMALL, "epochs": 1})
    for _ in range(2):
        panel.train.click()
        wait(panel)
    assert list(panel.runs) == ["none, dropout 0.3, noise 0.1", "none, dropout 0.3, noise 0.1 (2)"]
    panel.clear.click()
    assert panel.runs == {}


def test_a_page_without_a_kernel_gets_a_picture_with_its_text() -> None:
    panel = training_panel(earlier={"none <1>": BEFORE})
    data = panel._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = data["text/html"]
    assert picture.startswith('<img alt="Two plots against the epoch')
    assert "none &lt;1&gt;, best F1 0.600 after epoch 3" in picture
    assert base64.b64decode(re.search(r"base64,([^\"]+)", picture)[1]).startswith(b"\x89PNG")
    assert picture == panel.chart.value


def test_closing_the_panel_ends_its_training() -> None:
    panel = training_panel("none", sentences=100, epochs=500, device="cpu")
    panel.train.click()
    panel.close()
    wait(panel)
    assert threading.active_count() < 20
