"""Altered copies of labelled sentences as further labelled sentences: what a divergence from copies has to beat."""

from __future__ import annotations

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.training.methods.method import Method, Step
from gpkl_lib.training.methods.two_views import one_view, one_view_tiled
from gpkl_lib.training.methods.uda import EXCHANGE, HIDE


def copies(step: Step) -> ConsistencyLoss:
    """The cross-entropy of one view of the sentences and of their copies, which stand after them."""
    return one_view(step)


METHODS = (
    Method(
        "copies",
        "cross-entropy of each sentence and of a copy with words hidden or exchanged, under the same labels, alone",
        copies,
        factor=0.0,
        tiled=one_view_tiled,
        settings=(HIDE, EXCHANGE),
        marker="d",
        tone="ink",
    ),
)
