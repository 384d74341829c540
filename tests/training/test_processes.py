"""Runs in other processes that are killed for real."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from runs import assert_resumes_like

HUNG = 1800  # seconds after which a process counts as one that never ends
SCRIPT = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import gpkl_lib._storage as checkpoints, gpkl_lib.training.process as process
from runs import train

moment, output = sys.argv[1], sys.argv[2]
def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
if moment == "step":
    step = process.Process.step
    process.Process.step = lambda self, rate: kill() if next(steps) == 4 else step(self, rate)
    steps = iter(range(100))
if moment == "write":
    save = checkpoints.save_file
    def half(tensors, path, metadata):
        save(tensors, path, metadata)
        if next(writes) == 5:
            os.truncate(path, os.path.getsize(path) // 2)
            kill()
    checkpoints.save_file, writes = half, iter(range(100))
train(output)
"""


def start(tmp_path, moment, output):
    script = tmp_path / f"{moment}.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, str(script), moment, str(output)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_for_real_and_resumed(tmp_path, alone):
    """SIGKILL in the middle of an epoch, and in the middle of writing a checkpoint."""
    children = {moment: start(tmp_path, moment, tmp_path / f"run-{moment}") for moment in ("step", "write")}
    for moment, child in children.items():
        error = child.communicate(timeout=HUNG)[1]
        assert child.returncode == -signal.SIGKILL, error
        assert (tmp_path / f"run-{moment}" / "checkpoint").exists()
        assert_resumes_like(alone, tmp_path / f"run-{moment}")
