"""How far a run has come, and a bar that shows it in a terminal; nowhere else does the bar say anything."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

from gpkl_lib._optional import optional


class Progress(NamedTuple):
    """Where a run stands after a step.

    Attributes:
        step, steps: done, and of the whole run.
        epoch: under way, from 1.
        loss: mean over the sentences of the epoch so far, in nats.
        f1: of the last epoch that has ended, on dev; None before.

    Example:
        >>> Progress(step=30, steps=120, epoch=2, loss=0.5, f1=0.25)
        Progress(step=30, steps=120, epoch=2, loss=0.5, f1=0.25)
    """

    step: int
    steps: int
    epoch: int
    loss: float
    f1: float | None


class ProgressBar:
    """A listener of `fit` that draws each step; silent unless `enabled` and standard error is a terminal."""

    def __init__(self, *, enabled: bool) -> None:
        self._bar: Any = None
        if not enabled:
            return
        console = optional("rich.console", "train", "the progress bar").Console(stderr=True)
        if console.is_terminal:
            rich = optional("rich.progress", "train", "the progress bar")
            columns = (
                rich.TextColumn("epoch {task.fields[epoch]}"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TextColumn("loss {task.fields[loss]:.3f}  dev F1 {task.fields[f1]}"),
                rich.TimeRemainingColumn(),
            )
            self._bar = rich.Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=None, epoch=1, loss=0.0, f1="-")

    def __call__(self, at: Progress) -> None:
        """Move to where the run stands."""
        if self._bar is not None:
            f1 = "-" if at.f1 is None else f"{at.f1:.3f}"
            self._bar.update(self._task, completed=at.step, total=at.steps, epoch=at.epoch, loss=at.loss, f1=f1)

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
