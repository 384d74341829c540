"""The gradients of a head that two processes share, of a sentence each: `python shared_gradients.py RANK STORE`."""

from __future__ import annotations

import sys
from datetime import timedelta

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from gpkl_lib import GlobalPointer
from gpkl_lib.tiled import tiled_head_loss


class Loss(torch.nn.Module):
    """The tiled loss as what a wrapped model computes in its `forward`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = GlobalPointer(6, 3, 4).double()
        self.hidden = torch.randn(2, 2, 7, 6, dtype=torch.float64)  # two views of two sentences
        self.positives = torch.tensor([[0, 1, 2, 4]]), torch.tensor([[0, 0, 0, 0], [0, 2, 5, 6]])

    def forward(self, sentence: int) -> Tensor:
        return tiled_head_loss(self.head, self.hidden[:, sentence], self.positives[sentence], views=2, alpha=2.0).loss


def alone() -> list[Tensor]:
    """Gradients of the mean of both sentences' losses, in one process."""
    loss = Loss()
    (sum(loss(sentence) for sentence in range(2)) / 2).backward()
    return [parameter.grad for parameter in loss.head.parameters()]


def together(rank: int, store: str) -> list[Tensor]:
    """Gradients of the head after process `rank` of two did the sentence of that number."""
    loss, wait = Loss(), timedelta(minutes=5)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=wait)
    try:
        shared = DistributedDataParallel(loss)  # it must outlive the backward pass
        shared(rank).backward()
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
    return [parameter.grad for parameter in loss.head.parameters()]


if __name__ == "__main__":
    torch.save(together(int(sys.argv[1]), sys.argv[2]), f"{sys.argv[2]}.{sys.argv[1]}")
