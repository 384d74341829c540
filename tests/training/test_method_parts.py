"""Each method split over the parts of a batch, in half precision, and with a pretrained encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from method_cases import (
    CONFIGS,
    CPU,
    TRAIN,
    batches_for,
    gradients,
    loss_of,
    make_tiny_encoder,
    small_tagger,
    still_tagger,
)
from torch import Tensor

import gpkl_lib.adversarial
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.loop import training_loss


@pytest.mark.parametrize("name", CONFIGS)
def test_parts_of_a_batch_weighted_by_their_size_give_the_gradient_of_the_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """Accumulation steps of unequal size. VAT begins from the same direction for every sentence, whatever its batch."""

    def wave(shape: torch.Size, **settings: object) -> Tensor:
        return torch.cos(torch.arange(shape[-1], dtype=torch.float64)).expand(shape).contiguous()

    tagger, config = still_tagger().double(), CONFIGS[name]
    steps = batches_for(tagger, config, small_tagger(seed=5, hidden_size=20).double())
    everything = steps.examples(TRAIN.sentences, 3)

    def loss(part: slice) -> Tensor:
        batch, target = steps.collate(everything[part], CPU)
        return training_loss(tagger, batch, config, 0.7, target).loss * (len(everything[part]) / len(everything))

    with monkeypatch.context() as patch:
        patch.setattr(gpkl_lib.adversarial.torch, "randn", wave)
        whole = gradients(tagger, loss(slice(None)))
        parts = [gradients(tagger, loss(part)) for part in (slice(0, 5), slice(5, 6), slice(6, None))]
    for one, *several in zip(whole, *parts, strict=True):
        torch.testing.assert_close(one, sum(several), rtol=1e-6, atol=1e-9)


def test_divided_by_the_confident_a_part_has_its_own_number_of_them():
    """What the docstring warns of: the gradient of the whole is not the mean of the parts'."""
    tagger, config = still_tagger().double(), replace(CONFIGS["uda"], divide="confident", threshold=0.51)
    steps = batches_for(tagger, config)
    everything = steps.examples(TRAIN.sentences, 3)

    def divergence(part: slice) -> float:
        batch, target = steps.collate(everything[part], CPU)
        return training_loss(tagger, batch, config, 1.0, target).divergence.item()

    whole, halves = divergence(slice(None)), (divergence(slice(0, 6)) + divergence(slice(6, None))) / 2
    assert whole != pytest.approx(halves, rel=1e-6)
    assert whole == pytest.approx(halves, rel=0.5)


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of a few hundred weights with a vocabulary of the toy corpus."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.mark.pretrained
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CONFIGS)
def test_half_precision_under_autocast(name: str, dtype: torch.dtype, tiny_encoder: Path):
    """On a CPU, torch has no LSTM in float16: an encoder of transformers takes both."""
    tagger, config = Tagger.from_encoder(tiny_encoder, TRAIN.types, head_size=8).eval(), CONFIGS[name]
    steps = batches_for(tagger, config)
    batch, target = steps.collate(steps.examples(TRAIN.sentences, 3), CPU)
    found = []
    for half in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype, enabled=half):
            losses = training_loss(tagger, batch, config, 1.0, target)
        assert losses.loss.dtype == torch.float32
        found.append(
            (
                losses.loss.item(),
                losses.divergence.item(),
                torch.cat([g.flatten() for g in gradients(tagger, losses.loss)]),
            )
        )
    (loss, divergence, exact), (near_loss, near_divergence, near) = found
    assert near_loss == pytest.approx(loss, rel=0.02)
    assert near_divergence == pytest.approx(divergence, rel=0.3, abs=1e-3)
    assert torch.nn.functional.cosine_similarity(exact, near, dim=0) > 0.95


@pytest.mark.pretrained
@pytest.mark.parametrize("name", CONFIGS)
def test_any_encoder(name: str, tiny_encoder: Path):
    """Sentences of more than 62 pieces are read in windows, which VAT moves as one."""
    tagger = Tagger.from_encoder(tiny_encoder, TRAIN.types, head_size=4)
    losses = loss_of(tagger.train(), CONFIGS[name])
    assert losses.loss.item() >= losses.task.item() > 0
    if name != "none":
        assert losses.divergence.item() > 0
    for gradient in gradients(tagger, losses.loss):
        assert gradient.isfinite().all()
