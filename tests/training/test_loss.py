"""The loss of a step: both views, the divergence between them, and nothing of the padding."""

import math

import pytest
import torch

from gpkl_lib.corpora import Batch
from gpkl_lib.training.loop import TrainingConfig, training_loss


def fake_batch(lengths, positives=()):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Batch(
        {"x": torch.arange(len(lengths))[:, None]}, mask, torch.tensor(positives, dtype=torch.long).view(-1, 4)
    )


def two_fixed_views(first, second):
    calls = []

    def model(batch):
        calls.append(batch)
        return torch.cat([first, second])

    return model, calls


def valid_cells(lengths):
    return [[(i, j) for i in range(length) for j in range(i, length)] for length in lengths]


@pytest.mark.parametrize("method", ["sigmoid", "softmax", "squared"])
def test_the_loss_is_the_mean_of_both_views_and_a_quarter_alpha_of_the_divergence(method):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    batch = fake_batch([4, 2], [(0, 1, 0, 2), (1, 2, 0, 0)])
    model, calls = two_fixed_views(first, second)
    losses = training_loss(model, batch, TrainingConfig(method=method, alpha=0.8))
    assert len(calls) == 1  # both views in one forward pass
    assert calls[0].inputs["x"].flatten().tolist() == [0, 1, 0, 1]
    assert calls[0].attention_mask.shape == (4, 4)
    divergence = task = 0.0
    for b, cells in enumerate(valid_cells([4, 2])):
        for h in range(3):
            s, t = (torch.stack([view[b, h, i, j] for i, j in cells]) for view in (first, second))
            f = {"sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(0), "squared": lambda x: x}[method]
            divergence += float(((f(s) - f(t)) * (s - t)).sum()) / 6
            gold = torch.tensor([[b, h, i, j] in batch.positives.tolist() for i, j in cells])
            for view in (s, t):
                task += math.log1p(float(view[~gold].exp().sum())) / 12
                task += math.log1p(float((-view[gold]).exp().sum())) / 12
    assert float(losses.divergence) == pytest.approx(divergence, rel=1e-9)
    assert float(losses.task) == pytest.approx(task, rel=1e-9)
    assert float(losses.loss) == pytest.approx(task + 0.2 * divergence, rel=1e-9)


def test_without_a_method_there_is_one_view():
    model, calls = two_fixed_views(torch.zeros(1, 2, 3, 3), torch.zeros(0, 2, 3, 3))
    losses = training_loss(model, fake_batch([3]), TrainingConfig(method="none", alpha=9.0))
    assert len(calls[0]) == 1
    assert float(losses.loss) == float(losses.task) == pytest.approx(math.log(7))


def test_garbage_in_padding_changes_nothing():
    first, second = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    batch = fake_batch([4, 2], [(1, 0, 0, 1)])
    config = TrainingConfig(method="softmax")
    clean = training_loss(two_fixed_views(first, second)[0], batch, config)
    first[1, :, :, 2:], second[1, :, 3] = 1e30, -1e30
    assert torch.equal(clean.loss, training_loss(two_fixed_views(first, second)[0], batch, config).loss)
