"""Where a tagger is kept: the one rule for what may be named where a tagger is asked for."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from gpkl_lib._storage import CheckpointError

DESCRIPTION, WEIGHTS = "tagger.json", "model.safetensors"
"""In the folder of a saved tagger: what it is made of, and its tensors."""
BEST, CONFIG, SCORES = "best", "config.json", "scores.json"
"""In the folder of a training run: the folder in which its tagger lies, what was asked for, what came out."""


def check_place(what: str, place: object) -> None:
    """Raise TypeError unless it is a path or a string, CheckpointError where it says nothing.

    >>> check_place("a folder", "runs/mine")
    """
    if not isinstance(place, str | PathLike):
        raise TypeError(f"the place of a tagger is {what}, got {place!r:.80}")
    if not str(place):
        raise CheckpointError(f"the place of a tagger is {what}, got an empty name")


def tagger_folder(place: str | Path) -> Path:
    """The folder of a saved tagger: `place` itself, or the `best/` of the run that lies there.

    >>> tagger_folder("runs/mine").as_posix()  # without a runs/mine/best
    'runs/mine'
    """
    folder = Path(place)
    best = folder / BEST
    return best if (best / DESCRIPTION).exists() else folder
