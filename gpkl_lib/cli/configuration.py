"""`gpkl train --config FILE`: arguments from a TOML or JSON file, before those that are typed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpkl_lib.cli.recipes import check_keys, options, parsed
from gpkl_lib.cli.said import UsageError


def with_config(words: Sequence[str], file: str) -> list[str]:
    """The words of `gpkl train` with the settings of the file before them, so that what is typed wins.

    Keys are the long options, with hyphens or underscores; null stands for an option that is not given. The
    arguments.json of a run is such a file.

    Raises:
        UsageError: no such file, neither TOML nor JSON, an unknown key (with the one that is near), a value that the
            option does not take.
    """
    settings = {key.replace("_", "-"): value for key, value in _read(Path(file)).items() if value is not None}
    check_keys(file, settings, options("train") | {"output"}, "train")
    own = []
    for key, value in settings.items():
        if isinstance(value, dict | bool):
            raise UsageError(f"{file}: {key!r} must be a number, a text or a list of them, got {json.dumps(value)}")
        own += [f"--{key}", *map(str, value)] if isinstance(value, list) else [f"--{key}={value}"]
    parsed([words[0], *own], file)  # a mistake here is the file's
    return [words[0], *own, *words[1:]]


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of TOML, JSON and UTF-8 alike
        raise UsageError(f"{path}: neither TOML nor a JSON object: {error}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    return dict(value)
