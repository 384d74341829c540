"""`gpkl train` and `gpkl compare` killed at random moments and started again: they end as those left alone.

python tests/campaign/kills.py [KILLS]
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from gpkl_lib._storage import digest, read_rows, read_tensors
from gpkl_lib.cli import main as gpkl

KILLS = 100
SMALL = ["--toy-size", "40", "--epochs", "3", "--batch-size", "8", "--hidden-size", "16", "--device", "cpu"]
TRAIN = ["train", "--method", "sigmoid", *SMALL]
COMPARE = ["compare", "--methods", "none", "sigmoid", "--seeds", "0", *SMALL]
OF_THE_CLOCK = ("seconds", "cpu_seconds", "resumed", "provenance")


def _quietly(words: list[str]) -> None:
    """Run a command in this process, a fork that has everything imported already."""
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    torch.set_num_threads(1)
    os._exit(gpkl(words))


def _start(words: list[str]) -> Any:
    process = multiprocessing.get_context("fork").Process(target=_quietly, args=(words,))
    process.start()
    return process


def trained(folder: Path) -> Any:
    """What a run of `gpkl train` ended with: weights, history and scores."""
    weights = digest(*read_tensors(folder / "best/model.safetensors"))
    return weights, compared(folder / "history.jsonl"), json.loads((folder / "scores.json").read_text())


def compared(file: Path) -> Any:
    """What `gpkl compare` ended with: its rows, without what a clock says in them."""
    return [{name: value for name, value in row.items() if name not in OF_THE_CLOCK} for row in read_rows(file)]


def campaign(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill and start again, alternately, until `kills` have hit; counts of both, and of runs that ended otherwise."""
    dice, found = random.Random(seed), {"runs": 0, "kills": 0, "otherwise": 0, "not ended": 0}
    commands = {"train": (TRAIN, trained), "compare": (COMPARE, compared)}
    alone, seconds = {}, {}
    for name, (words, ended_with) in commands.items():
        began = time.monotonic()
        process = _start([*words, "--output", str(folder / f"alone-{name}")])
        process.join()
        assert process.exitcode == 0, f"{name} alone ended with {process.exitcode}"
        alone[name], seconds[name] = ended_with(folder / f"alone-{name}"), time.monotonic() - began
    while found["kills"] < kills:
        name = ("train", "compare")[found["runs"] % 2]
        words, ended_with = commands[name]
        output = folder / f"{name}-{found['runs']}"
        found["runs"] += 1
        for allowed in (dice.randint(1, 4), 0):
            for _ in range(allowed or 1):
                go_on = ["train", "--resume"] if name == "train" and (output / "arguments.json").exists() else words
                process = _start([*go_on, "--output", str(output)])
                process.join(dice.uniform(0, seconds[name]) if allowed else None)
                if process.exitcode is not None:
                    break
                process.kill()
                process.join()
                found["kills"] += 1
        if process.exitcode:
            found["not ended"] += 1
        elif ended_with(output) != alone[name]:
            found["otherwise"] += 1
        for left in (output, output.with_name(output.name + ".runs"), output.with_suffix(".png")):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return found


def main() -> int:
    """Run the campaign and print what it counted; 1 where a run ended otherwise than one left alone."""
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)
    print(found)
    return int(bool(found["otherwise"] or found["not ended"]))


if __name__ == "__main__":
    sys.exit(main())
