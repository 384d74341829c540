"""Name and origin of an experiment's row: a digest of its configuration, where its numbers came from, its counts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpkl_lib._storage import Row
from gpkl_lib.spans import Span

PACKAGE = Path(__file__).resolve().parents[1]


def identity(settings: Mapping[str, Any]) -> str:
    """The key of a configuration, 16 hexadecimal digits; the order of its settings does not matter.

    Raises:
        ValueError: a NaN or an infinity among the settings.
        TypeError: a value that JSON does not have.

    Example:
        >>> identity({"alpha": 0.4, "seed": 0}) == identity({"seed": 0, "alpha": 0.4})
        True
    """
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    """Output of git in the package's folder; None without git or outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run([git, *arguments], cwd=PACKAGE, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def provenance(device: torch.device) -> Row:
    """Provenance of numbers: commit of the code (None if installed from a wheel), versions, device, processor, threads.

    `dirty` is True where the package's own code differs from that commit.

    Example:
        >>> sorted(provenance(torch.device("cpu")))[:3]
        ['commit', 'device', 'dirty']
    """
    # A wheel unpacked into some other project's repository must not borrow that project's commit.
    tracked = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    return {
        "commit": _git("rev-parse", "HEAD") if tracked else None,
        "dirty": bool(_git("status", "--porcelain", "--", ".")) if tracked else None,
        "versions": {
            "gpkl_lib": version("gpkl-lib"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "device": device_name(device),
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
    }


def device_name(device: torch.device) -> str:
    """Description of a device: 'cpu: x86_64, 2 cores' or 'cuda: NVIDIA H200'."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"cpu: {platform.machine()}, {os.cpu_count()} cores"
    return device.type


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The model of the processor, as Linux tells it in `cpuinfo`, else as Python's `platform` does."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [
        value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == "model name"
    ]
    return models[0] if models else platform.processor() or platform.machine()


def sentence_counts(found: Iterable[Iterable[Span]], gold: Iterable[Iterable[Span]]) -> str:
    """Correct, predicted and gold spans of each sentence, as `read_counts` reads them.

    The three lists of whole numbers are JSON, deflated and in base64: a kilobyte or two for a test set of thousands.
    """
    pairs = [(set(guess), set(truth)) for guess, truth in zip(found, gold, strict=True)]
    lists = [[len(a & b) for a, b in pairs], [len(a) for a, _ in pairs], [len(b) for _, b in pairs]]
    return base64.b64encode(zlib.compress(json.dumps(lists, separators=(",", ":")).encode(), 9)).decode()


def read_counts(row: Row) -> Sequence[Sequence[int]]:
    """The lists (correct, predicted, gold), a number a test sentence, of a recorded row.

    Raises:
        ValueError: the row has none, as those of tuning and those recorded before there were any.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> part = toy_corpus(4)
        >>> config, model = TrainingConfig(epochs=1, device="cpu"), ModelConfig(hidden_size=8)
        >>> row = run_trial(Trial(Task("toy", part, part, part), model, config), Path(tempfile.mkdtemp(), "run"))
        >>> correct, predicted, gold = read_counts(row)
        >>> gold == [len(sentence.spans) for sentence in part]
        True
    """
    text = (row["test"] or {}).get("sentences")
    if text is None:
        raise ValueError(f"row {row['key']} has no counts of its test sentences")
    lists: list[list[int]] = json.loads(zlib.decompress(base64.b64decode(text)))
    return lists
