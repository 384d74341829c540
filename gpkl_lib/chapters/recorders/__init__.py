"""What makes the records that chapters read, each from the recipe beside it."""

from gpkl_lib.chapters.recorders.arms import ARMS, needs, record_arms, seeds, standing
from gpkl_lib.chapters.recorders.boards import board, board_rows
from gpkl_lib.chapters.recorders.corpora import corpus_rows
from gpkl_lib.chapters.recorders.costs import cost_rows
from gpkl_lib.chapters.recorders.lengths import fit_head, length_rows, measure
from gpkl_lib.chapters.recorders.normface import clusters, fit_normalized, normface_rows
from gpkl_lib.chapters.recorders.positions import fit_positions, position_rows
from gpkl_lib.chapters.recorders.recorder import Entry, Recorder, record
from gpkl_lib.chapters.recorders.replays import replay_rows
from gpkl_lib.chapters.recorders.rounding import rounding_rows
from gpkl_lib.chapters.recorders.sentences import cosines, sentence_rows, spearman, unpacked, whiten

RECORDERS: dict[str, Recorder] = {
    "boards": board_rows,
    "corpora": corpus_rows,
    "costs": cost_rows,
    "lengths": length_rows,
    "normface": normface_rows,
    "positions": position_rows,
    "replays": replay_rows,
    "rounding": rounding_rows,
    "sentences": sentence_rows,
}
"""What a recipe may name as its `recorder`."""

__all__ = [
    "ARMS",
    "RECORDERS",
    "Entry",
    "Recorder",
    "board",
    "board_rows",
    "clusters",
    "corpus_rows",
    "cosines",
    "cost_rows",
    "fit_head",
    "fit_normalized",
    "fit_positions",
    "length_rows",
    "measure",
    "needs",
    "normface_rows",
    "position_rows",
    "record",
    "record_arms",
    "replay_rows",
    "rounding_rows",
    "seeds",
    "sentence_rows",
    "spearman",
    "standing",
    "unpacked",
    "whiten",
]
