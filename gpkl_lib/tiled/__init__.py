"""Cross-entropy, divergence and decoding of all spans, block by block: the L x L scores are never held."""

from gpkl_lib.tiled.decode import cells_above
from gpkl_lib.tiled.groups import BLOCK, groups_of
from gpkl_lib.tiled.kernel import Walk
from gpkl_lib.tiled.loss import HOLD, tiled_head_loss, tiled_span_loss

__all__ = [
    "BLOCK",
    "HOLD",
    "Walk",
    "cells_above",
    "groups_of",
    "tiled_head_loss",
    "tiled_span_loss",
]
