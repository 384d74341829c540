"""Where a command writes: what cannot be written there is said before the work, not after it."""

from __future__ import annotations

from pathlib import Path

from gpkl_lib.cli.said import UsageError
from gpkl_lib.corpora import Corpus


def ready(output: str, argument: str = "--output") -> Path:
    """The file's path, with its folder made.

    Raises:
        UsageError: it is a folder, or its folder cannot be made.
    """
    path = Path(output)
    if path.is_dir():
        raise UsageError(f"{argument} {path} is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{argument} {path}: its folder cannot be made: {error.strerror}") from None
    return path


def scored_on(corpus: Corpus) -> dict[str, str | int]:
    """What a report says of the corpus whose scores it has."""
    return {"name": corpus.name, "sha256": corpus.sha256, "sentences": len(corpus)}
