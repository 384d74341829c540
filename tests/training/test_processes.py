"""Runs in other processes: killed for real, and two that share the work of one."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs import DEV, QUICK, assert_resumes_like, same, train, weights

from gpkl_lib.training.history import History

HUNG = 1800  # seconds after which a process counts as one that never ends
SCRIPT = """
import os, signal, sys, torch
sys.path.insert(0, {tests!r})
import gpkl_lib._storage as checkpoints, gpkl_lib.training.process as process
from dataclasses import replace
from runs import DEV, QUICK, train

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
if moment == "together":
    loaded = [name for name in ("transformers", "matplotlib", "rich", "sympy") if name in sys.modules]
    assert not loaded, loaded
    tagger, history = train(output, replace(QUICK, batch_size=7), dev=DEV[:7], dropout=0.0, word_dropout=0.0)
    rank = torch.distributed.get_rank()
    torch.save(tagger.state_dict(), f"{{output}}/rank{{rank}}.pt")
    torch.distributed.destroy_process_group()
else:
    train(output)
"""


def start(tmp_path, moment, output, *launcher):
    script = tmp_path / f"{moment}.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, *launcher, str(script), moment, str(output)]
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


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path):
    """Batches of 7 and a last one of 6: shares of unequal size, weighted; dev is shared as well, in 4 and 3."""
    torchrun = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone")
    child = start(tmp_path, "together", tmp_path / "run", *torchrun)
    error = child.communicate(timeout=HUNG)[1]
    assert child.returncode == 0, error
    tagger, history = train(config=replace(QUICK, batch_size=7), dev=DEV[:7], dropout=0.0, word_dropout=0.0)
    ranks = [torch.load(tmp_path / "run" / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert same(*ranks)
    for name, tensor in weights(tagger).items():
        torch.testing.assert_close(ranks[0][name], tensor, rtol=1e-3, atol=1e-4)
    together = History.load(tmp_path / "run").rows
    assert len(together) == len(history.rows) == 2
    for row, expected in zip(together, history.rows, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert row["f1"] == pytest.approx(expected["f1"], abs=0.02)
        assert row["dev_loss"] == pytest.approx(expected["dev_loss"], rel=1e-4)
    gold = json.loads((tmp_path / "run" / "scores.json").read_text())["dev"]["gold"]
    assert gold == sum(len(sentence.spans) for sentence in DEV[:7])
