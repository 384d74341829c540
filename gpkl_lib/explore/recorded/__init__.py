"""Recorded boards and trainings, as the recorders wrote them: the format is defined here."""

from gpkl_lib.explore.recorded.boards import Board, fold, load_boards, unfold
from gpkl_lib.explore.recorded.replays import Replay, calibration_error, load_replays

__all__ = [
    "Board",
    "Replay",
    "calibration_error",
    "fold",
    "load_boards",
    "load_replays",
    "unfold",
]
