"""Scratch memory of the tiles, kept from call to call."""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor


class Workspace:
    """Named tensors for the blocks of a group, overwritten by those of the next; `like` has the device and dtype."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.kept = like, dict[str, Tensor]()

    @classmethod
    def of_thread(cls, like: Tensor) -> Workspace:
        """The workspace of this thread for the dtype of `like`; on other devices than the CPU a new one.

        On a CPU new memory costs a page fault for each 4 KiB, so it is kept; other devices' allocators keep it
        themselves.
        """
        if like.device.type != "cpu":
            return cls(like)
        with torch.inference_mode(False):  # tensors made in inference mode are of no use to a later training step
            kept: dict[torch.dtype, Workspace] = vars(_OF_THREAD).setdefault("kept", {})
            return kept.setdefault(like.dtype, cls(torch.empty(0, dtype=like.dtype)))

    def empty(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape that holds anything; what the name held before is gone."""
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            with torch.inference_mode(False):
                self.kept[name] = self.like.new_empty(size)
        return self.kept[name][:size].view(shape)


_OF_THREAD = threading.local()
