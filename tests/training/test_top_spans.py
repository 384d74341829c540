"""R-Drop on the highest spans of each board: which spans count, and what it is at both ends."""

from __future__ import annotations

import pytest
import torch

from gpkl_lib import symmetric_kl
from gpkl_lib.corpora import Batch
from gpkl_lib.training import TrainingConfig, training_loss
from gpkl_lib.training.methods.top_spans import highest

LENGTHS = (4, 2)
BATCH = Batch(
    {"x": torch.arange(2)[:, None]},
    torch.arange(4) < torch.tensor(LENGTHS)[:, None],
    torch.tensor([[0, 1, 0, 2], [1, 2, 0, 0]]),
)


def views() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return first, second


def loss(top: int, method: str = "top-spans") -> tuple[float, ...]:
    both = torch.cat(views())
    found = training_loss(lambda _: both, BATCH, TrainingConfig(method=method, alpha=0.8, top=top))
    return tuple(float(part) for part in found)


def test_only_the_highest_spans_of_each_board_are_asked_to_agree() -> None:
    first, second = views()
    for top in (1, 3, 5):
        wanted = 0.0
        for b, length in enumerate(LENGTHS):
            for h in range(3):
                cells = [(i, j) for i in range(length) for j in range(i, length)]
                cells.sort(key=lambda cell: -float((first + second)[b, h][cell]))
                s, t = (torch.stack([view[b, h][cell] for cell in cells[:top]]) for view in (first, second))
                wanted += float(symmetric_kl(s, t, activation="sigmoid", reduction="sum")) / 6
        total, task, divergence = loss(top)
        assert divergence == pytest.approx(wanted, rel=1e-9)
        assert total == pytest.approx(task + 0.2 * divergence, rel=1e-9)


def test_with_room_for_all_spans_it_is_the_sigmoid() -> None:
    assert loss(10) == pytest.approx(loss(10, "sigmoid"), rel=1e-12)
    assert loss(999) == pytest.approx(loss(10, "sigmoid"), rel=1e-12)


def test_what_is_no_span_is_never_chosen() -> None:
    scores, mask = torch.tensor([[9.0, 1.0, 2.0, 3.0]]), torch.tensor([[False, True, True, True]])
    assert highest(scores, mask, 2).tolist() == [[False, False, True, True]]
    assert highest(scores, mask, 4).tolist() == [[False, True, True, True]]
