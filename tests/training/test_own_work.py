"""A training step is spent on the model: what stands around it takes at most a twentieth of the processor's time."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import METHODS, TrainingConfig, batching, fit, loop
from gpkl_lib.training.process import Process
from gpkl_lib.training.state import Run

TRAIN, DEV, MORE = toy_corpus(160), toy_corpus(16, split="dev"), toy_corpus(400, seed=5)
WATCHED = (
    *((loop, "training_loss"), (Process, "step")),  # the model's own work, and all between, but for
    *((Process, "mean"), (loop, "_check_finite")),
    *((batching, "fixed_target"), (batching, "_scores")),  # a model's own work as well, a teacher's say
    *((loop, "evaluate_together"), (Run, "end_epoch")),  # no part of a step
    *((Run, "rest_of_epoch"), (Run, "finish")),  # the steps lie between the first of the one and the other
)


def own_share(method: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """The share of loss, gradients and optimiser in the steps of a run, in processor time."""
    spent: Counter[str] = Counter()
    began: dict[str, list[float]] = {name: [] for _, name in WATCHED}
    ended: dict[str, list[float]] = {name: [] for _, name in WATCHED}

    def watched(owner: Any, name: str) -> Any:
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            began[name].append(time.process_time())
            try:
                return function(*arguments, **options)
            finally:
                ended[name].append(time.process_time())
                spent[name] += ended[name][-1] - began[name][-1]

        return timed

    tagger = Tagger.from_scratch(TRAIN.sentences, TRAIN.types)
    needs: dict[str, Any] = {
        "unlabelled": {"unlabelled": MORE},
        "teacher": {"teacher": Tagger.from_scratch(TRAIN.sentences, TRAIN.types)},
    }.get(METHODS[method].needs or "", {})
    with monkeypatch.context() as patch:
        for owner, name in WATCHED:
            patch.setattr(owner, name, watched(owner, name))
        fit(tagger, TRAIN, DEV, config=TrainingConfig(method=method, epochs=3, device="cpu"), progress=False, **needs)
    steps = sum(end - start for start, end in zip(began["training_loss"], ended["step"], strict=True))
    own = steps - spent["mean"] - spent["_check_finite"] + spent["fixed_target"] + spent["_scores"]
    whole = began["finish"][0] - began["rest_of_epoch"][0] - spent["evaluate_together"] - spent["end_epoch"]
    return own / whole


@pytest.mark.parametrize("method", ["none", "sigmoid", "vat", "uda", "distillation"])
def test_a_step_is_the_models_own_work(method: str, monkeypatch: pytest.MonkeyPatch):
    shares = [own_share(method, monkeypatch)]
    while max(shares) < 0.95 and len(shares) < 5:  # the best of five: what else runs can only take away
        shares.append(own_share(method, monkeypatch))
    assert max(shares) >= 0.95, shares
