"""Name and origin of an experiment's row: a digest of its configuration, and where its numbers came from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gpkl_lib._storage import Row

PACKAGE = Path(__file__).resolve().parents[1]


def identity(settings: Mapping[str, Any]) -> str:
    """The key of a configuration, 16 hexadecimal digits; the order of its settings does not matter.

    Raises:
        ValueError: a NaN or an infinity among the settings.
        TypeError: a value that JSON does not have.
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
    """Provenance of numbers: commit of the code (None if installed from a wheel), versions, device, threads.

    `dirty` is True where the package's own code differs from that commit.
    """
    # A wheel unpacked into some other project's repository must not borrow that project's commit.
    tracked = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    return {
        "commit": _git("rev-parse", "HEAD") if tracked else None,
        "dirty": bool(_git("status", "--porcelain", "--", ".")) if tracked else None,
        "versions": {"gpkl_lib": version("gpkl-lib"), "torch": torch.__version__, "python": platform.python_version()},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }


def device_name(device: torch.device) -> str:
    """Description of a device: 'cpu: x86_64, 2 cores' or 'cuda: NVIDIA H200'."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"cpu: {platform.machine()}, {os.cpu_count()} cores"
    return device.type
