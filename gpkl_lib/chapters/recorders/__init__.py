"""What makes the records that chapters read, each from the recipe beside it."""

from gpkl_lib.chapters.recorders.boards import board, board_rows
from gpkl_lib.chapters.recorders.corpora import corpus_rows
from gpkl_lib.chapters.recorders.normface import clusters, fit_normalized, normface_rows
from gpkl_lib.chapters.recorders.recorder import Entry, Recorder, record
from gpkl_lib.chapters.recorders.replays import replay_rows

RECORDERS: dict[str, Recorder] = {
    "boards": board_rows,
    "corpora": corpus_rows,
    "normface": normface_rows,
    "replays": replay_rows,
}
"""What a recipe may name as its `recorder`."""

__all__ = [
    "RECORDERS",
    "Entry",
    "Recorder",
    "board",
    "board_rows",
    "clusters",
    "corpus_rows",
    "fit_normalized",
    "normface_rows",
    "record",
    "replay_rows",
]
