"""The benchmark of the tiled span loss: it measures, keeps what it measured, and goes on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "span_loss.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    return {row["implementation"]: row for row in map(json.loads, path.read_text().splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_measures_and_goes_on(tmp_path: Path, dtype: str) -> None:
    output = tmp_path / "record.jsonl"
    what = ("--output", str(output), "--cases", "small", "--lengths", "8", "--seconds", "0.01", "--dtype", dtype)
    first = bench(*what, "--processes", "1")
    assert first.returncode == 0, first.stderr
    found = rows(output)
    assert set(found) == {"tiled", "dense"}
    for row in found.values():
        assert (row["dtype"], row["length"], row["processes"]) == (dtype, 8, 1)
        assert row["median_ms"] == row["milliseconds"][0] > 0
    assert f"small, L = 8, cpu, {dtype}" in first.stdout
    again = bench(*what, "--processes", "2")
    assert again.stdout.count(" MiB\n") == 2, again.stdout  # one more of each, not two
    for name, row in rows(output).items():
        assert row["milliseconds"][0] == found[name]["milliseconds"][0]
        assert row["processes"] == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_says_that_there_is_no_gpu(tmp_path: Path) -> None:
    answer = bench("--output", str(tmp_path / "record.jsonl"), "--device", "cuda")
    assert answer.returncode == 2
    assert "--device cuda: this torch finds no GPU" in answer.stderr


@pytest.mark.slow
def test_a_process_that_fails_is_reported_with_its_message(tmp_path: Path) -> None:
    output = str(tmp_path / "record.jsonl")
    answer = bench("--output", output, "--cases", "small", "--lengths", "8", "--threads", "0")
    assert answer.returncode == 1
    assert "the process ended with 1" in answer.stderr
    assert "positive integer" in answer.stderr
