"""A run folder is one run's: others are kept out while it trains, and a start that failed leaves nothing in the way."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from runs import QUICK, assert_resumes_like, same, train, weights

from gpkl_lib._storage import CheckpointError, locked
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import TrainingError
from gpkl_lib.training.process import Process

BUSY = "another process is training in .*; wait for it, or choose another output folder"


@pytest.mark.parametrize("resume", [False, True])
def test_two_runs_are_not_in_one_folder(tmp_path, alone, resume):
    with locked(tmp_path / "run/lock"), pytest.raises(CheckpointError, match=BUSY):
        train(tmp_path / "run", resume=resume)
    assert not (tmp_path / "run/config.json").exists()
    assert_resumes_like(alone, tmp_path / "run")
    assert not (tmp_path / "run/lock").exists()


def test_it_is_held_as_long_as_it_trains(tmp_path, monkeypatch):
    other = "import sys, pathlib, gpkl_lib._storage as s\nwith s.locked(pathlib.Path(sys.argv[1])): pass"
    step, codes = Process.step, []

    def stepping(*args):
        if len(codes) < 2:
            command = [sys.executable, "-c", other, tmp_path / "lock"]
            codes.append(subprocess.run(command, capture_output=True, text=True).stderr.splitlines()[-1][:15])
        return step(*args)

    monkeypatch.setattr(Process, "step", stepping)
    train(tmp_path)
    assert codes == ["BlockingIOError"] * 2


def test_a_run_that_failed_in_its_first_step_may_be_started_anew(tmp_path, alone):
    with pytest.raises(TrainingError, match="not finite"):
        train(tmp_path, replace(QUICK, learning_rate=1e30))
    assert not (tmp_path / "history.jsonl").exists()
    for file in (tmp_path / "checkpoint").glob("*"):  # one step was taken, and its checkpoint is worth keeping
        file.unlink()
    (tmp_path / "checkpoint").rmdir()
    tagger, _ = train(tmp_path)
    assert same(weights(tagger), alone[0])
    with pytest.raises(CheckpointError, match="already holds a run"):
        train(tmp_path)


def test_a_best_tagger_that_lost_a_file_is_made_whole(tmp_path, alone):
    train(tmp_path)
    (tmp_path / "best/tagger.json").unlink()
    assert_resumes_like(alone, tmp_path)
    assert all(torch.isfinite(tensor).all() for tensor in Tagger.load(tmp_path / "best").state_dict().values())
