"""Packages of an extra, imported where they are first needed and asked for by name where they are missing."""

from __future__ import annotations

import importlib
from typing import Any


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import `module`; where it is missing, ModuleNotFoundError says what needs it and which extra installs it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f"{purpose} needs the package {package}, which is not installed: pip install 'gpkl-lib[{extra}]'"
        raise ModuleNotFoundError(message, name=package) from None
