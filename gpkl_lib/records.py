"""Experiments on disk: one JSON object a line, appended durably, and where each came from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]


def identity(settings: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that name a configuration; the order of the keys does not matter.

    Raises:
        ValueError: a NaN or an infinity among the settings.
        TypeError: a value that JSON does not have.
    """
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_rows(path: Path) -> list[Row]:
    """Every row of a JSONL file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: "file:line: ..." on a line that is not a JSON object, the last one included.
    """
    rows: list[Row] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: expected one JSON object a line, got {line[:40]!r} ({error})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}")
        rows.append(row)
    return rows


def repair(path: Path) -> str | None:
    """Cut off a last line that a kill left half written; returns that text, None where the file is whole or absent.

    Every row is written with its newline, so a last line without one was not written to its end.
    """
    if not path.exists():
        return None
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return None
    with path.open("r+b") as file:
        file.truncate(whole)
        os.fsync(file.fileno())
    return content[whole:].decode("utf-8", errors="replace")


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add one line and return only once it is on the disk. Raises ValueError on NaN, which JSON does not have."""
    line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` for this process alone; the system lets go of it when the process ends, killed or not.

    Raises:
        BlockingIOError: another process holds it. On systems without `fcntl` (Windows) nothing is held.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _git(*arguments: str) -> str | None:
    """What git says about the folder that this package lies in; None without git or outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    here = Path(__file__).resolve().parent
    answer = subprocess.run([git, *arguments], cwd=here, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def provenance(device: torch.device) -> Row:
    """Where numbers come from: commit of the code (None if installed from a wheel), versions, device, threads.

    `dirty` is True where the package's own code differs from that commit.
    """
    # A wheel unpacked into some other project's repository must not borrow that project's commit.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    return {
        "commit": _git("rev-parse", "HEAD") if tracked else None,
        "dirty": bool(_git("status", "--porcelain", "--", ".")) if tracked else None,
        "versions": {"gpkl_lib": version("gpkl-lib"), "torch": torch.__version__, "python": platform.python_version()},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }


def device_name(device: torch.device) -> str:
    """The device in words: 'cpu: x86_64, 2 cores' or 'cuda: NVIDIA H200'."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"cpu: {platform.machine()}, {os.cpu_count()} cores"
    return device.type
