"""What makes the records that chapters read."""

from gpkl_lib.chapters.recorders.boards import board
from gpkl_lib.chapters.recorders.normface import clusters, fit_normalized

__all__ = [
    "board",
    "clusters",
    "fit_normalized",
]
