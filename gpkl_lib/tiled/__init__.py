"""Cross-entropy, divergences and decoding of all spans, block by block: the L x L scores are never held."""

from gpkl_lib.tiled.batch import HOLD
from gpkl_lib.tiled.decode import cells_above
from gpkl_lib.tiled.groups import BLOCK, groups_of
from gpkl_lib.tiled.kernel import RunningSums, group_pass
from gpkl_lib.tiled.loss import tiled_head_loss, tiled_span_loss
from gpkl_lib.tiled.targets import tiled_distillation_loss, tiled_symmetric_kl, tiled_uda_loss

__all__ = [
    "BLOCK",
    "HOLD",
    "RunningSums",
    "cells_above",
    "group_pass",
    "groups_of",
    "tiled_distillation_loss",
    "tiled_head_loss",
    "tiled_span_loss",
    "tiled_symmetric_kl",
    "tiled_uda_loss",
]
