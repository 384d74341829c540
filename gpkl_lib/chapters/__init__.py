"""What the pages of the book show and nothing else uses."""

from gpkl_lib.chapters.cells import badges, recipe, source, table, verdict
from gpkl_lib.chapters.live import TrainingPanel, training_panel

__all__ = [
    "TrainingPanel",
    "badges",
    "recipe",
    "source",
    "table",
    "training_panel",
    "verdict",
]
