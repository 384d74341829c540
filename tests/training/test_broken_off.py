"""Runs that are killed, run out of disk, lose a checkpoint or their way."""

import errno
import math
import os
import warnings
from dataclasses import replace

import pytest
from runs import DEV, QUICK, TRAIN, Killed, assert_resumes_like, die_killed, small_tagger, train

import gpkl_lib._storage
import gpkl_lib.training.loop
import gpkl_lib.training.process
from gpkl_lib._storage import CheckpointError
from gpkl_lib.training.loop import TrainingError, fit


def file_operations(monkeypatch, fatal=None, die=None):
    """Count the operations on files that training does; `die` at number `fatal`, halfway through if it is a write."""
    count = [0]

    def wrap(module, name, midway):
        original = getattr(module, name)

        def operation(*args, **kwargs):
            count[0] += 1
            if count[0] == fatal:
                if midway:
                    original(*args, **kwargs)
                    with open(args[1], "r+b") as file:
                        file.truncate(os.path.getsize(args[1]) // 2)
                die()
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, operation)

    wrap(gpkl_lib._storage, "save_file", True)
    wrap(os, "replace", False)
    wrap(os, "fsync", False)
    return count


def die_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
def test_a_kill_at_any_operation_on_files_costs_nothing(tmp_path, alone, monkeypatch):
    with monkeypatch.context() as patch:
        count = file_operations(patch)
        train(tmp_path / "whole")
    total = count[0]
    assert total > 60
    for fatal in [1, 2, 3, *range(4, total, 7), total]:
        folder = tmp_path / str(fatal)
        with monkeypatch.context() as patch:
            file_operations(patch, fatal, die_killed)
            with pytest.raises(Killed):
                train(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a kill damages nothing, so nothing needs to be passed over
            assert_resumes_like(alone, folder)


def test_a_full_disk_is_reported_and_the_last_checkpoint_stays_good(tmp_path, alone, monkeypatch):
    for fatal in (30, 31, 32, 33, 34, 35, 36):
        folder = tmp_path / str(fatal)
        with monkeypatch.context() as patch:
            file_operations(patch, fatal, die_full)
            with pytest.raises(CheckpointError, match=f"cannot write {folder}.*No space left on device"):
                train(folder)
        assert not list(folder.rglob("*.partial"))
        assert_resumes_like(alone, folder)


def half_a_run(folder, monkeypatch):
    steps, step = iter(range(100)), gpkl_lib.training.process.Process.step
    with monkeypatch.context() as patch:
        patch.setattr(
            gpkl_lib.training.process.Process, "step", lambda *args: die_killed() if next(steps) == 4 else step(*args)
        )
        with pytest.raises(Killed):
            train(folder)


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "flipped":
        data[-5] ^= 1
    else:
        data[:] = b"not safetensors at all"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["cut", "flipped", "foreign"])
def test_a_damaged_checkpoint_is_passed_over_for_the_previous_one(tmp_path, alone, monkeypatch, how):
    half_a_run(tmp_path, monkeypatch)
    damage(tmp_path / "checkpoint" / "state.safetensors", how)
    with pytest.warns(
        UserWarning, match=r"state.safetensors is damaged.*going back to .*previous.safetensors, step \d"
    ):
        assert_resumes_like(alone, tmp_path)


def test_without_a_whole_checkpoint_there_is_a_clear_error(tmp_path, monkeypatch):
    half_a_run(tmp_path, monkeypatch)
    for name in ("state", "previous"):
        damage(tmp_path / "checkpoint" / f"{name}.safetensors", "cut")
    with pytest.raises(CheckpointError, match=r"state.safetensors is damaged.*previous.safetensors is damaged.*again"):
        train(tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights(tmp_path, monkeypatch):
    whole = gpkl_lib.training.loop.training_loss
    calls = []

    def poisoned(*args, **settings):
        calls.append(args)
        losses = whole(*args, **settings)
        return losses._replace(loss=losses.loss * math.nan) if len(calls) == 5 else losses

    monkeypatch.setattr(gpkl_lib.training.loop, "training_loss", poisoned)
    tagger = small_tagger()
    with pytest.raises(TrainingError, match=r"not finite in step 5 \(epoch 2\): loss nan.*learning_rate.*before it"):
        fit(tagger, TRAIN, DEV, config=QUICK, output=tmp_path, progress=False)
    assert all(tensor.isfinite().all() for tensor in tagger.state_dict().values())
    assert gpkl_lib._storage.load_checkpoint(tmp_path / "checkpoint")[1]["step"] == 4


def test_a_learning_rate_far_too_large_ends_in_a_clear_error():
    with pytest.raises(TrainingError, match="not finite in step"):
        train(config=replace(QUICK, learning_rate=1e30, gradient_clip=None))
