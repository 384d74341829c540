"""From a path, a known name or standard input to bytes, and how they are to be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpkl_lib.corpora.corpus import CorpusError, to_jsonl
from gpkl_lib.corpora.forms import FORMS
from gpkl_lib.corpora.known import KNOWN, find_known, known_file
from gpkl_lib.corpora.source import Source
from gpkl_lib.corpora.text import TOKENS, Tokens
from gpkl_lib.corpora.toy import SIZES, toy_corpus

TOY = tuple(f"toy:{split}" for split in SIZES)
FORMATS = ("auto", "any", "text", *(form.name for form in FORMS))
"""Values of `format`: two that find the form, plain text, and the names of `FORMS`; see `read_corpus`."""


@dataclass(frozen=True)
class How:
    """How a file is to be read: the arguments of `read_corpus`.

    Example:
        >>> How(format="conll", tag_columns=(2, 3)).encoding
        'utf-8'
    """

    format: str = "auto"
    encoding: str = "utf-8"
    tokens: Tokens = "auto"
    token_column: int | None = None
    tag_columns: tuple[int, ...] = ()
    tag_names: tuple[str, ...] = ()
    labels: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if self.tokens not in TOKENS:
            raise ValueError(f"tokens must be one of {', '.join(TOKENS)}, got {self.tokens!r}")


def open_source(
    path: str | os.PathLike[str], how: How, progress: Callable[[int, int], None] | None = None
) -> tuple[Source, Source | None]:
    """The bytes of a file, and of brat's annotations beside it, if that is what it is; of the toy corpus as JSONL."""
    name = os.fspath(path)
    if name in TOY and not Path(name).exists():
        split: Any = name.removeprefix("toy:")
        return Source(name, to_jsonl(toy_corpus(split=split)).encode(), "utf-8"), None
    name, file, sha256 = _locate(os.fspath(path))
    beside = file.with_suffix(".ann") if file and file.suffix == ".txt" else file
    if file and beside and beside.suffix == ".ann" and how.format in ("auto", "any", "brat") and beside.is_file():
        text = Source(str(file.with_suffix(".txt")), _bytes(file.with_suffix(".txt"), name), how.encoding)
        return text, Source(str(beside), _bytes(beside, name), how.encoding)
    source = Source(name, _bytes(file, name), how.encoding, progress)
    if sha256 not in (None, source.sha256):
        raise CorpusError(
            f"{name}: {file} has sha256 {source.sha256}, expected {sha256}; read another version by its path"
        )
    return source, None


def _bytes(file: Path | None, name: str) -> bytes:
    """The bytes of a file, of standard input where there is none."""
    try:
        return file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read: {error.strerror}") from None


def _locate(path: str) -> tuple[str, Path | None, str | None]:
    """Name for messages, file (none for standard input), and the sha256 that a known name promises."""
    if path == "-":
        return "standard input", None, None
    known = known_file(path)
    try:
        there = Path(path).exists()
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path[:80]!r}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if known and not there:
        corpus, split = known
        file = find_known(corpus, split)
        if file is None:
            folder = os.environ.get("GPKL_DATA")
            state = f"is {folder!r}, which does not hold it" if folder else "is not set"
            raise CorpusError(
                f"{path}: not found; the environment variable GPKL_DATA {state}. {corpus.where_to_get(split)}"
            )
        return path, file, corpus.files[split][1]
    if not there:
        hint = known_file(Path(path).name)
        names = ", ".join([*TOY, *(f"{key}:{split}" for key, corpus in KNOWN.items() for split in corpus.files)])
        more = f" {hint[0].where_to_get(hint[1])}" if hint else f" (Known by name: {names}.)"
        raise CorpusError(f"{path}: no such file.{more}")
    return path, Path(path), None
