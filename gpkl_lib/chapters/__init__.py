"""What the pages of the book show and nothing else uses."""

import typing

from gpkl_lib.chapters.cells import badges, recipe, source, table, verdict

if typing.TYPE_CHECKING:
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


def __getattr__(name: str) -> typing.Any:
    """The panel for those who have a kernel, with its widgets imported when it is first asked for."""
    if name not in ("TrainingPanel", "training_panel"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gpkl_lib.chapters import live

    return getattr(live, name)
