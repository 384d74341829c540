"""Files that outlive a kill: written beside their place, flushed to the disk, renamed. Safetensors and JSON, no pickle.

A checkpoint is ONE safetensors file; everything that is no tensor stands as JSON in its header, so that the two can
never come from different moments. The one before it stays as `previous.safetensors`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Row = dict[str, Any]
CURRENT, PREVIOUS = "state.safetensors", "previous.safetensors"
METADATA = "gpkl"
"""The one key of a file's metadata, under which stand those of its writer and the checksum, as JSON."""


class CheckpointError(RuntimeError):
    """A file of a run or of a saved tagger cannot be read, cannot be written, or belongs to something else."""


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8) in one step. If the disk refuses: CheckpointError, and `path` is as before."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file of these bytes, as `write_text` does."""
    partial = _partial(path)
    try:
        partial.write_bytes(content)
        _publish(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Callable[[str], object]]:
    """Replace `path` by what is written within, piece by piece (UTF-8), in one step at the end; else it is as before.

    Errors as `write_text`; any other that comes from within goes on, and nothing is replaced.
    """
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            yield lambda text: file.write(text.encode())
        _publish(partial, path)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Replace `path` by a safetensors file with these tensors and their digest, in one step. Errors as `write_text`.

    Equal contents give equal bytes: safetensors sorts the tensors, but not the keys of its metadata, so there is one.
    """
    partial = _partial(path)
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    header = json.dumps({"metadata": dict(metadata), "sha256": digest(plain, metadata)}, sort_keys=True)
    try:
        save_file(plain, partial, metadata={METADATA: header})
        _publish(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file of `write_tensors`; CheckpointError if it is missing, cut short or altered."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no iterator)
            header = json.loads((file.metadata() or {}).get(METADATA, "{}"))
        metadata, expected = header.get("metadata"), header.get("sha256")
    except (OSError, SafetensorError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    if not isinstance(metadata, dict) or not isinstance(expected, str):
        raise CheckpointError(f"{path} is damaged, or not of this version: it lacks its checksum")
    if expected != digest(tensors, metadata):
        raise CheckpointError(f"{path} is damaged: its contents do not match their checksum")
    return tensors, metadata


def digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The sha256 of metadata and tensors: names, dtypes, shapes and values, wherever and however they are kept."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        plain = tensor.detach().cpu().contiguous()
        found.update(json.dumps([name, str(plain.dtype), list(plain.shape)]).encode())
        found.update(plain.view(-1).view(torch.uint8).numpy().data)
    found.update(json.dumps(metadata, sort_keys=True).encode())
    return found.hexdigest()


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint; the last one becomes the previous one. A kill at any moment leaves one of the two whole."""
    folder.mkdir(parents=True, exist_ok=True)
    current, fresh = folder / CURRENT, folder / "next.safetensors"
    write_tensors(fresh, tensors, {"state": json.dumps(state, allow_nan=False)})
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    _publish(fresh, current)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest whole checkpoint as (tensors, state), None if there is none yet.

    A damaged newest one is passed over with a warning. Raises CheckpointError if all there are are damaged.
    """
    present = [path for path in (folder / CURRENT, folder / PREVIOUS) if path.exists()]
    faults = []
    for path in present:
        try:
            tensors, metadata = read_tensors(path)
        except CheckpointError as error:
            faults.append(str(error))
            continue
        if "state" not in metadata:
            faults.append(f"{path} holds no training state")
            continue
        state = json.loads(metadata["state"])  # whole, by its checksum
        if faults:
            warnings.warn(f"{faults[0]}; going back to {path}, step {state.get('step')}", stacklevel=2)
        return tensors, state
    if faults:
        raise CheckpointError("; ".join(faults) + "; no checkpoint is left, start the run again in an empty folder")
    return None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: the file holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: expected a JSON object, got {type(value).__name__}")
    return value


def read_rows(path: str | Path, *, unfinished: bool = False) -> list[Row]:
    r"""Every row of a JSONL file.

    Args:
        path: the file.
        unfinished: somebody may be writing to the file, or was killed: leave out a last line without its newline.

    Raises:
        FileNotFoundError: no such file.
        ValueError: "file:line: ..." on a line that is not a JSON object.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "rows.jsonl")
        >>> _ = file.write_text('{"seed": 0}\n{"seed": 1}\n', "utf-8")
        >>> read_rows(file)
        [{'seed': 0}, {'seed': 1}]
    """
    lines = Path(path).read_bytes().split(b"\n")  # no splitlines: JSON may hold U+2028, which is a line to it
    if unfinished or not lines[-1]:
        del lines[-1]
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            start = line.decode(errors="replace")[:40]
            raise ValueError(f"{path}:{number}: expected one JSON object a line, got {start!r} ({error})") from None
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
    """Add one line and return only once it is on the disk.

    Raises:
        ValueError: NaN or an infinity, which JSON does not have.
        CheckpointError: the disk refuses.
    """
    line = _line(row)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace `path` by these rows in one step. Errors as `append_row`."""
    write_text(path, "".join(map(_line, rows)))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` for this process alone; the system lets go of it when the process ends, killed or not.

    Raises:
        BlockingIOError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(path).acquire(blocking=False)
    except Timeout:
        raise BlockingIOError(errno.EAGAIN, "another process holds the lock", str(path)) from None
    with held:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no open file
                path.unlink()


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _publish(partial: Path, path: Path) -> None:
    """Rename `partial`, whose contents are on the disk by then, and put the new name there too before returning."""
    _flush(partial)
    os.replace(partial, path)
    if os.name == "posix":
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
