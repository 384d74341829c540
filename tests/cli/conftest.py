"""A run for the tests that use one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpkl_lib.cli import main
from gpkl_lib.corpora import toy_corpus, write_jsonl


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on three files, small but trained long enough to find something."""
    folder = tmp_path_factory.mktemp("cli")
    for part, size in (("train", 60), ("dev", 20), ("test", 20)):
        write_jsonl(folder / f"{part}.jsonl", toy_corpus(size, split=part))
    files = [word for part in ("train", "dev", "test") for word in (f"--{part}", str(folder / f"{part}.jsonl"))]
    words = [
        "--method",
        "sigmoid",
        "--epochs",
        "14",
        "--batch-size",
        "8",
        "--learning-rate",
        "0.01",
        "--hidden-size",
        "64",
    ]
    assert main(["train", *files, *words, "--alpha", "0.1", "--output", str(folder / "run")]) == 0
    return folder / "run"
