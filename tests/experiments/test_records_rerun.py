"""A small record, made again by the command that stands in it, has the same counts."""

import shlex
from pathlib import Path

import pytest
import torch

from gpkl_lib._storage import read_rows
from gpkl_lib.cli import main

RECORD = Path(__file__).parents[2] / "book/_results/toy-small.jsonl"


@pytest.mark.slow
def test_the_small_record_comes_out_again(tmp_path: Path):
    """Every row, by its own command: keys, steps, best epoch and every count exactly, losses but for rounding.

    A few epochs are short enough for that: with another instruction set (ATEN_CPU_CAPABILITY=default) the losses differ
    in the eighth digit and no count does. Another version of torch may draw other random numbers.
    """
    recorded = {row["key"]: row for row in read_rows(RECORD)}
    made_with = {row["provenance"]["versions"]["torch"].partition("+")[0] for row in recorded.values()}
    if made_with != {torch.__version__.partition("+")[0]}:
        pytest.skip(f"the record was made with torch {', '.join(sorted(made_with))}, here is {torch.__version__}")
    (command,) = {row["provenance"]["command"] for row in recorded.values()}
    output = tmp_path / "again.jsonl"
    assert main([*shlex.split(command)[1:], "--jobs", "1", "--output", str(output)]) == 0
    again = {row["key"]: row for row in read_rows(output)}
    assert again.keys() == recorded.keys()
    for key, row in recorded.items():
        for name in ("corpus", "model", "config", "steps", "best_epoch", "dev", "test"):
            assert again[key][name] == row[name], (name, row["config"]["method"])
        for name, curve in row["history"].items():
            if None in curve:  # one view has no divergence
                assert again[key]["history"][name] == curve
            else:
                assert again[key]["history"][name] == pytest.approx(curve, rel=1e-4), name
