"""Training in tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import Batch, toy_corpus
from gpkl_lib.training import TILED_FROM, TrainingConfig, takes_tiles, training_loss


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
@pytest.mark.parametrize("method", ["none", "sigmoid", "softmax", "squared"])
def test_a_step_of_training_is_the_same_in_tiles(method: str, head: str) -> None:
    corpus = toy_corpus(12)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head=head, head_size=8, hidden_size=12, dropout=0.3)
    tagger.double()
    batch, found = tagger.collate(corpus.sentences), []
    for tiled in (False, True):
        torch.manual_seed(0)
        tagger.zero_grad()
        losses = training_loss(tagger, batch, TrainingConfig(method=method), 0.5, tiled=tiled)
        losses.loss.backward()
        gradients = [parameter.grad.clone() for parameter in tagger.parameters() if parameter.grad is not None]
        found.append([*map(Tensor.detach, losses), *gradients])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


def test_fit_trains_in_tiles_as_without() -> None:
    corpus, losses = toy_corpus(20), []
    config = TrainingConfig(method="sigmoid", epochs=2, device="cpu")
    for tiled in (False, True):
        tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head_size=8, hidden_size=12)
        history = fit(tagger, corpus, corpus, config=config, tiled=tiled, progress=False)
        losses.append([row["loss"] for row in history.rows])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_auto_takes_tiles_for_long_sentences_of_the_methods_that_have_them() -> None:
    def batch(length: int) -> Batch:
        return Batch({}, torch.ones(2, length, dtype=torch.bool), torch.empty(0, 4, dtype=torch.long))

    assert takes_tiles(TrainingConfig(method="sigmoid"), batch(TILED_FROM), "auto")
    assert not takes_tiles(TrainingConfig(method="sigmoid"), batch(TILED_FROM - 1), "auto")
    assert not takes_tiles(TrainingConfig(method="vat"), batch(TILED_FROM), "auto")
    assert takes_tiles(TrainingConfig(method="none"), batch(1), True)
    assert not takes_tiles(TrainingConfig(method="none"), batch(500), False)
    corpus = toy_corpus(5)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head_size=8, hidden_size=12)
    with pytest.raises(ValueError, match="tiled=True is for the methods none, sigmoid, softmax and squared; vat needs"):
        fit(tagger, corpus, corpus, config=TrainingConfig(method="vat"), tiled=True, progress=False)
    with pytest.raises(ValueError, match="tiled must be"):
        fit(tagger, corpus, corpus, tiled="always", progress=False)  # type: ignore[arg-type]
