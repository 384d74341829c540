"""From a path or a known name to a corpus: bytes, encoding, format."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from pathlib import Path

from gpkl_lib.corpora.conll import parse_conll
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Oddities
from gpkl_lib.corpora.jsonl import parse_jsonl
from gpkl_lib.corpora.known import KNOWN, find_known, known_file

FORMATS = ("auto", "conll", "jsonl")


def read_corpus(path: str | os.PathLike[str], *, format: str = "auto", encoding: str = "utf-8") -> Corpus:
    """Read a corpus from a file, or a known one by its name.

    Args:
        path: a file, or "wnut17:train", "wnut17:dev", "wnut17:test", "germeval2014:train", ...: these are looked for in
            the folder that the environment variable GPKL_DATA names, and their sha256 is checked.
        format: "conll", "jsonl", or "auto": JSONL if the name ends in .jsonl or the first line is a JSON object.
        encoding: of the file. A byte-order mark is dropped and counted.

    Returns:
        The corpus. Nothing in the file is dropped silently; what is unusual stands in `oddities`.

    Raises:
        CorpusError: no such file (with the place to get a known one), bytes in another encoding (with their offset), a
            line that cannot be read (with its number).
        ValueError: unknown format.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    name, file, sha256 = _locate(os.fspath(path))
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read: {error.strerror}") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 not in (None, found):
        raise CorpusError(f"{name}: {file} has sha256 {found}, expected {sha256}; read another version by its path")
    oddities = Oddities()
    text = _decode(data, encoding, name)
    if text.startswith("\ufeff"):
        text = text[1:]
        oddities.add("byte-order mark", 1)
    if not text.strip(" \t\r\n"):
        oddities.add("empty file", 1)
    is_jsonl = format == "jsonl" or (format == "auto" and _looks_like_jsonl(file, text))
    sentences, source = (parse_jsonl if is_jsonl else parse_conll)(text, name, oddities)
    return Corpus(
        name, sentences, sha256=found, oddities=dict(oddities.counts), first_lines=oddities.first_lines, source=source
    )


def _locate(path: str) -> tuple[str, Path, str | None]:
    """Name for messages, file, and the sha256 that a known name promises."""
    known = known_file(path)
    if known and not Path(path).exists():
        corpus, split = known
        file = find_known(corpus, split)
        if file is None:
            folder = os.environ.get("GPKL_DATA")
            state = f"is {folder!r}, which does not hold it" if folder else "is not set"
            raise CorpusError(
                f"{path}: not found; the environment variable GPKL_DATA {state}. {corpus.where_to_get(split)}"
            )
        return path, file, corpus.files[split][1]
    if not Path(path).exists():
        hint = known_file(Path(path).name)
        names = ", ".join(f"{key}:{split}" for key, corpus in KNOWN.items() for split in corpus.files)
        more = f" {hint[0].where_to_get(hint[1])}" if hint else f" (Known by name: {names}.)"
        raise CorpusError(f"{path}: no such file.{more}")
    return path, Path(path), None


def _decode(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise CorpusError(f"{name}: unknown encoding {encoding!r}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise CorpusError(
            f"{name}:{line}: expected {encoding}, found byte 0x{data[error.start]:02x} at offset {error.start} "
            f"({error.reason}); give the file's encoding, such as encoding={'utf-16' if utf16 else 'latin-1'!r}"
        ) from None


def _looks_like_jsonl(file: Path, text: str) -> bool:
    if file.suffix in (".jsonl", ".json", ".ndjson"):
        return True
    first = text.lstrip().split("\n", 1)[0]
    try:
        return isinstance(json.loads(first), dict)
    except json.JSONDecodeError:
        return False
