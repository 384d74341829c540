"""Small commands, and those that must fail."""

from __future__ import annotations

import pytest

from gpkl_lib.cli import main

SMALL = ["--epochs", "2", "--hidden-size", "16", "--batch-size", "8", "--device", "cpu"]


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail with exit code 2 and one line; that line."""
    assert main(list(words)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gpkl ")]
    assert len(lines) == 1
    return lines[0]
