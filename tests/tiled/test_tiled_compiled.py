"""A model that is compiled and uses the tiled loss: its graph breaks there, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gpkl_lib import GlobalPointer
from gpkl_lib.tiled import tiled_head_loss, tiled_span_loss

POSITIVES = torch.tensor([[0, 0, 1, 2], [1, 1, 0, 3]])


def by_head(head: GlobalPointer, states: Tensor) -> Tensor:
    return 3 * tiled_head_loss(head, 2 * torch.tanh(states), POSITIVES, views=2, alpha=0.5).loss


def by_span(head: GlobalPointer, states: Tensor) -> Tensor:
    query, key = head.project(2 * torch.tanh(states))
    return 3 * tiled_span_loss(query, key, POSITIVES, views=2, alpha=0.5).loss


@pytest.mark.parametrize("way", [by_head, by_span])
def test_a_compiled_model_gives_what_it_gives_eagerly(way: Callable[[GlobalPointer, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    head, states = GlobalPointer(8, 2, 4), torch.randn(4, 9, 8, requires_grad=True)
    wanted = torch.autograd.grad(way(head, states), [states, *head.parameters()])
    compiled = torch.compile(way, backend="aot_eager")
    found = torch.autograd.grad(compiled(head, states), [states, *head.parameters()])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
