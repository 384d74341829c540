"""Training in tiles."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import Batch, toy_corpus
from gpkl_lib.training import METHODS, TILED_FROM, Method, TrainingConfig, takes_tiles, training_loss
from gpkl_lib.training.batching import StepBatches

SETTINGS: list[dict[str, Any]] = [
    {"method": "none"},
    {"method": "sigmoid"},
    {"method": "softmax"},
    {"method": "squared"},
    {"method": "vat", "epsilon": 0.5, "power_iterations": 2},
    {"method": "uda", "threshold": 0.5, "temperature": 0.4, "unlabelled_ratio": 2},
    {"method": "uda", "threshold": 0.6, "divide": "confident"},
    {"method": "uda", "threshold": 0.999, "divide": "confident"},
    {"method": "uda", "annealing": "linear"},
    {"method": "distillation", "temperature": 4.0},
    {"method": "distillation", "temperature": math.inf},
    {"method": "top-spans", "top": 3},
    {"method": "vat-unlabelled", "unlabelled_ratio": 2},
    {"method": "open-distillation", "open_above": 0.0},
    {"method": "copies"},
]
CORPUS, MORE = toy_corpus(12), toy_corpus(40)[12:]


def tagger_of(head: str = "global_pointer", **settings: Any) -> Tagger:
    return Tagger.from_scratch(
        CORPUS.sentences, CORPUS.types, head=head, **{"head_size": 8, "hidden_size": 12, **settings}
    )


def sources(method: str) -> dict[str, Any]:
    """What the method learns from besides; a teacher with its types in another order and heads of another size."""
    if METHODS[method].needs == "teacher":
        types = CORPUS.types[::-1]
        return {"teacher": Tagger.from_scratch(CORPUS.sentences, types, head_size=10, hidden_size=20, seed=9)}
    return {"unlabelled": MORE} if METHODS[method].needs == "unlabelled" else {}


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
def test_a_step_of_training_is_the_same_in_tiles(settings: dict[str, Any], head: str) -> None:
    config, given = TrainingConfig(**settings), sources(settings["method"])
    tagger = tagger_of(head, dropout=0.3).double()
    if "teacher" in given:
        given["teacher"].double()
    steps = StepBatches(tagger, CORPUS, config, given.get("unlabelled"), given.get("teacher"))
    found = []
    for tiled in (False, True):
        batch, target = steps.collate(steps.examples(CORPUS.sentences, 3), torch.device("cpu"), tiled)
        tagger.train()
        torch.manual_seed(0)
        tagger.zero_grad()
        losses = training_loss(tagger, batch, config, 0.5, target, tiled=tiled)
        losses.loss.backward()
        gradients = [parameter.grad.clone() for parameter in tagger.parameters() if parameter.grad is not None]
        found.append([*map(Tensor.detach, losses), *gradients])
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        # uda in the dense way has quotients of counts in float32, which alpha multiplies
        rtol, atol = (1e-7, 1e-8) if config.method == "uda" else (1e-9, 1e-9)
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol, check_dtype=False)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.factor])
def test_fit_trains_in_tiles_as_without(method: str) -> None:
    losses = []
    config = TrainingConfig(method=method, epochs=2, batch_size=6, device="cpu", alpha_warmup=0.0)
    for tiled in (False, True):
        history = fit(tagger_of(), CORPUS, CORPUS, config=config, tiled=tiled, progress=False, **sources(method))
        losses.append([row[name] for row in history.rows for name in ("loss", "divergence")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_target_of_the_wrong_form_is_refused() -> None:
    tagger, config = tagger_of(), TrainingConfig(method="distillation")
    batch, scores = tagger.collate(CORPUS.sentences), torch.zeros(1)
    with pytest.raises(
        ValueError, match=r"in tiles target must hold the queries and keys, .* 'distillation' .* got Ten"
    ):
        training_loss(tagger, batch, config, target=scores, tiled=True)
    with pytest.raises(
        ValueError, match=r"target must hold the scores that method 'distillation' learns from, got tup"
    ):
        training_loss(tagger, batch, config, target=(scores, scores))


def test_auto_takes_tiles_for_long_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(length: int) -> Batch:
        return Batch({}, torch.ones(2, length, dtype=torch.bool), torch.empty(0, 4, dtype=torch.long))

    for method in METHODS:
        assert takes_tiles(TrainingConfig(method=method), batch(TILED_FROM), "auto")
        assert not takes_tiles(TrainingConfig(method=method), batch(TILED_FROM - 1), "auto")
    assert takes_tiles(TrainingConfig(method="none"), batch(1), True)
    assert not takes_tiles(TrainingConfig(method="none"), batch(500), False)
    with pytest.raises(ValueError, match="tiled must be"):
        fit(tagger_of(), CORPUS, CORPUS, tiled="always", progress=False)  # type: ignore[arg-type]
    monkeypatch.setitem(METHODS, "own", Method("own", "help", METHODS["none"].loss))
    config = TrainingConfig(method="own")
    assert not takes_tiles(config, batch(TILED_FROM), "auto")
    with pytest.raises(
        ValueError, match=r"tiled=True is for the methods none, .* and vat-unlabelled; own needs all scores at"
    ):
        fit(tagger_of(), CORPUS, CORPUS, config=config, tiled=True, progress=False)
