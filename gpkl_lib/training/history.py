"""The history of a training run: one row an epoch, in memory, in history.jsonl, and as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import CheckpointError, Row, append_row, read_rows, write_rows
from gpkl_lib.palette import COLOURS, DASHES, MARKERS, PALETTE
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.methods import METHODS

FILE = "history.jsonl"


def rank(f1: float, dev_loss: float | None) -> tuple[float, float]:
    """What the best epoch has the most of: F1, and at the same F1 the least loss; no loss at all is the worst."""
    return f1, -math.inf if dev_loss is None else -dev_loss


@dataclass
class History:
    """Rows of epoch (from 1), step, what was learnt from, precision, recall, f1, dev_loss and seconds.

    loss, task and divergence are means over the epoch's sentences; divergence is D before alpha/4, None where no second
    view was made; confident, with uda, is the share of spans that were sure enough to count there, else None; alpha is
    the last step's; seconds are those of the epoch, its evaluation included. Precision, recall
    and f1 are on dev, and so is dev_loss, the cross-entropy in nats of what those are decoded from: a mean over
    sentences and types like task, without dropout; None if it is not finite. Spans of a type that the tagger does not
    know have no part in it.

    Example:
        >>> history = History([{"epoch": 1, "f1": 0.4, "dev_loss": 1.0}, {"epoch": 2, "f1": 0.5, "dev_loss": 0.9}])
        >>> history.best["epoch"]
        2
    """

    rows: list[Row] = field(default_factory=list)

    @property
    def best(self) -> Row:
        """The row with the highest f1, of several the one with the lowest dev_loss, of several still the first.

        A row without a dev_loss comes after those that have one. Raises ValueError if there is no row.
        """
        return max(self.rows, key=lambda row: rank(row["f1"], row.get("dev_loss")))

    def remarks(self, config: TrainingConfig) -> list[str]:
        """A sentence, with what to try, for each sign in the rows that training with `config` taught nothing."""
        method, epochs, said = METHODS[config.method], len(self.rows), []
        if epochs and not any(row["f1"] for row in self.rows):
            weight = ", a smaller alpha or a longer alpha_warmup" if method.factor else ""
            said.append(
                f"no span of dev was found in any of {epochs} epochs, so the weights are those of the lowest dev_loss: "
                f"try more epochs, a higher learning rate{weight}, and see whether train and dev are labelled alike"
            )
        idle = sum(row.get("confident") == 0 for row in self.rows)
        if idle:
            limit = f" (it is {config.threshold:g})" if method.setting("threshold") else ""
            said.append(
                f"in {idle} of {epochs} epochs no span of the unlabelled sentences was sure, so they taught nothing: "
                f"try a lower threshold{limit} or more epochs"
            )
        return said

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def load(cls, path: str | Path) -> History:
        """The history in history.jsonl or in the run folder that holds it, without a last line cut short by a kill.

        Raises:
            CheckpointError: no such file, or a line that is no row; the message names it.
        """
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise CheckpointError(f"{path} is missing: no training run has written its history here")
        try:
            return cls(read_rows(path, unfinished=True))
        except ValueError as error:
            raise CheckpointError(str(error)) from error

    def save(self, folder: Path) -> None:
        """Write all rows, replacing the file in one step."""
        write_rows(folder / FILE, self.rows)

    def append(self, row: Row, folder: Path | None) -> None:
        """Add a row; with a folder, at the end of its file too, on the disk before this returns."""
        self.rows.append(row)
        if folder is not None:
            append_row(folder / FILE, row)

    def plot(self, path: str | Path) -> None:
        """Draw loss and its parts on the left, dev precision, recall and F1 on the right, as a PNG; open no window."""
        figure = optional("matplotlib.figure", "train", "a plot of the history").Figure((9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [row["epoch"] for row in self.rows]
        for axes, names in ((left, ("loss", "task", "divergence")), (right, ("precision", "recall", "f1"))):
            for name, colour, dashes, marker in zip(names, COLOURS, DASHES, MARKERS, strict=False):
                values = [row[name] for row in self.rows]
                if None not in values:
                    style: dict[str, Any] = {"color": PALETTE[colour], "linestyle": dashes, "marker": marker}
                    axes.plot(epochs, values, **style, markersize=4, label=name)
            axes.set_xlabel("epoch")
            axes.legend()
        left.set_title("training")
        right.set_title("dev")
        figure.savefig(path, dpi=120)
