"""Scratch memory of the tiles, kept from call to call."""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor


class Buffers:
    """Room for the blocks of a group, overwritten by those of the next; `like` has the device and dtype."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.kept = like, dict[str, Tensor]()

    @classmethod
    def of(cls, like: Tensor) -> Buffers:
        """On the CPU those of the call before, in this thread: new memory would cost a page fault for each 4 KiB."""
        if like.device.type != "cpu":  # other devices' allocators keep memory themselves
            return cls(like)
        with torch.inference_mode(False):
            kept: dict[torch.dtype, Buffers] = vars(_OF_THREAD).setdefault("kept", {})
            return kept.setdefault(like.dtype, cls(torch.empty(0, dtype=like.dtype)))

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape that holds anything; what the name held before is gone."""
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            with torch.inference_mode(False):
                self.kept[name] = self.like.new_empty(size)
        return self.kept[name][:size].view(shape)


_OF_THREAD = threading.local()
