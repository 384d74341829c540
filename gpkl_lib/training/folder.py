"""The folder of a training run: what was asked for, how it went, the best tagger, and what it takes to go on.

config.json   history.jsonl   history.png   scores.json   best/   checkpoint/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from gpkl_lib._storage import (
    CheckpointError,
    Row,
    load_checkpoint,
    locked,
    read_json,
    read_tensors,
    save_checkpoint,
    write_text,
)
from gpkl_lib.tagger import BEST, CONFIG, DESCRIPTION, SCORES, WEIGHTS, Tagger
from gpkl_lib.training.history import FILE, History

PICTURE, CHECKPOINT = "history.png", "checkpoint"
LOCK = "lock"
"""In the folder of a run: the file that the process which trains in it holds locked."""
FREE = {"config.device", "config.checkpoint_seconds", "train.name", "dev.name"}  # may change when a run is resumed


def holds_training(folder: Path) -> bool:
    """Whether a run has left anything in its folder that was learnt; a start that failed has not.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> holds_training(Path(tempfile.mkdtemp()))
        False
    """
    return (folder / CHECKPOINT).exists() or (folder / FILE).exists()


class RunFolder:
    """Reads and writes a run; keeps nothing if `path` is None, only reads in a process that is not the main one."""

    def __init__(self, path: str | Path | None, *, writes: bool) -> None:
        self.path = None if path is None else Path(path)
        self.writes = writes and path is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out of the folder, which is made; CheckpointError if one is in there."""
        if not self.writes or self.path is None:
            yield
            return
        try:
            with locked(self.path / LOCK):
                yield
        except BlockingIOError as error:
            raise CheckpointError(
                f"another process is training in {self.path}; wait for it, or choose another output folder"
            ) from error

    def check(self, asked: Mapping[str, Any], resume: bool) -> None:
        """Raise CheckpointError if the folder holds a run that is not to be resumed, or not the one `asked` for."""
        if self.path is None:
            if resume:
                raise CheckpointError("resume needs an output folder, the one of the run to go on with")
            return
        file = self.path / CONFIG
        if not file.exists():
            if holds_training(self.path):
                raise CheckpointError(f"{self.path} holds parts of a run but no {CONFIG}; choose another output folder")
            return
        if not resume:
            if not holds_training(self.path):
                return
            raise CheckpointError(f"{self.path} already holds a run: resume it, or choose another output folder")
        before, now = _flat(read_json(file)), _flat(json.loads(json.dumps(asked)))
        changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
        for key in changed:
            if key not in FREE:
                raise CheckpointError(
                    f"{self.path} cannot be resumed: {key} was {before.get(key)!r} and is now {now.get(key)!r}; "
                    "resume with what the run was started with, or choose another output folder"
                )

    def start(self, asked: Mapping[str, Any]) -> None:
        """Note what is asked for, unless there is something to go on with."""
        if self.writes and self.path is not None and not holds_training(self.path):
            write_text(self.path / CONFIG, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the state of the newest whole checkpoint; None if there is none."""
        return None if self.path is None else load_checkpoint(self.path / CHECKPOINT)

    def best(self) -> dict[str, Tensor]:
        """The weights of the best epoch so far."""
        assert self.path is not None
        return read_tensors(self.path / BEST / WEIGHTS)[0]

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a checkpoint of where the run stands."""
        if self.writes and self.path is not None:
            save_checkpoint(self.path / CHECKPOINT, tensors, state)

    def save_best(self, tagger: Tagger) -> None:
        """Save the tagger, whose epoch is the best so far."""
        if self.writes and self.path is not None:
            tagger.save(self.path / BEST)

    def append(self, history: History, row: Row) -> None:
        """Add a row to the history and its file."""
        history.append(row, self.path if self.writes else None)

    def rewrite(self, history: History) -> None:
        """Bring the file back to what the checkpoint knows: a kill may have come between the two."""
        if self.writes and self.path is not None and history.rows:
            history.save(self.path)
        elif self.writes and self.path is not None:
            (self.path / FILE).unlink(missing_ok=True)

    def finish(self, history: History, scores: Mapping[str, Any], tagger: Tagger) -> None:
        """Write scores.json, history.png and, where a file of it was lost, the best tagger."""
        if self.writes and self.path is not None:
            if not (self.path / BEST / DESCRIPTION).exists():
                tagger.save(self.path / BEST)
            write_text(self.path / SCORES, json.dumps(scores, indent=1) + "\n")
            history.plot(self.path / PICTURE)


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """{"config": {"seed": 0}} -> {"config.seed": 0}."""
    if not isinstance(value, dict):
        return {name: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{name}.{key}" if name else key)
    return flat
