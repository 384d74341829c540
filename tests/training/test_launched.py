"""Two processes that share a run, by both launchers; one that dies; and a launcher that starts one in place of two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import DEV, same, small_tagger, weights, without_seconds
from torch import Tensor
from two_ranks import GROUP, R_DROP, dropout, step, whole

from gpkl_lib.training import History, TrainingError
from gpkl_lib.training.folder import RunFolder
from gpkl_lib.training.loop import _company
from gpkl_lib.training.process import Process, accelerator

HUNG = 1800  # seconds after which a process counts as one that never ends
FILE = Path(__file__).with_name("two_ranks.py")
BARE = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
LAUNCHERS = {
    "torchrun": ("torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone"),
    "accelerate": ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"),
}


def launched(launcher: str, what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**BARE, "OMP_NUM_THREADS": str(torch.get_num_threads()), "HF_HOME": str(folder)}  # no one's settings
    command = [sys.executable, "-m", *LAUNCHERS[launcher], str(FILE), what, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HUNG)


def ranks(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def by_torchrun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torchrun")
    child = launched("torchrun", "runs", folder)
    assert child.returncode == 0, child.stderr
    return folder


@pytest.mark.slow
def test_two_processes_train_what_one_does(by_torchrun: Path, tmp_path: Path) -> None:
    """Batches of 7 and a last one of 6: shares of unequal size, weighted; dev is shared as well, in 4 and 3."""
    first, second = (kept["weights"] for kept in ranks(by_torchrun))
    assert same(first, second)
    for name, tensor in weights(whole(tmp_path)).items():
        torch.testing.assert_close(first[name], tensor, rtol=1e-3, atol=1e-4)
    together, alone = History.load(by_torchrun / "run").rows, History.load(tmp_path).rows
    assert len(together) == len(alone) == 2
    for row, expected in zip(together, alone, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert row["f1"] == pytest.approx(expected["f1"], abs=0.02)
        assert row["dev_loss"] == pytest.approx(expected["dev_loss"], rel=1e-4)
    gold = json.loads((by_torchrun / "run/scores.json").read_text())["dev"]["gold"]
    assert gold == sum(len(sentence.spans) for sentence in DEV[:7])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dense", "tiled"])
def test_both_views_of_a_sentence_are_in_one_process_and_the_loss_is_that_of_one(by_torchrun: Path, form: str) -> None:
    """R-Drop with dropout: one process that drops what the two have dropped has their losses and their gradients."""
    shares = [kept[form] for kept in ranks(by_torchrun)]
    for rank, share in enumerate(shares):
        (words,) = share["seen"]
        first, second = words.chunk(2)
        assert torch.equal(first, second)
        assert torch.equal(first, small_tagger().collate(GROUP[rank::2]).inputs["words"])
        assert not any(torch.equal(*mask.chunk(2)) for mask in share["masks"])  # two views, not one twice
    drawn = zip(*(share["masks"] for share in shares), strict=True)

    def again(x: Tensor) -> Tensor:
        mask = torch.ones(2, len(GROUP), *x.shape[1:], dtype=torch.bool)  # views, sentences
        for rank, own in enumerate(next(drawn)):
            mask[:, rank::2, : own.shape[1]] = own.view(2, -1, *own.shape[1:])
        return mask.flatten(0, 1)

    with accelerator("cpu") as accelerate, dropout(again):
        one = step(Process(accelerate, small_tagger(word_dropout=0.0), R_DROP), GROUP, tiled=form == "tiled")
    assert next(drawn, None) is None
    for share in shares:
        assert share["parts"] == pytest.approx(one["parts"], rel=1e-5)
        torch.testing.assert_close(share["grads"], one["grads"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_accelerate_launch_starts_the_same_two(by_torchrun: Path, tmp_path: Path) -> None:
    child = launched("accelerate", "runs", tmp_path)
    assert child.returncode == 0, child.stderr
    for ours, theirs in zip(ranks(tmp_path), ranks(by_torchrun), strict=True):
        assert same(ours["weights"], theirs["weights"])
        assert ours["dense"]["parts"] == theirs["dense"]["parts"]


@pytest.mark.slow
def test_when_one_of_two_dies_the_run_ends_with_a_message_and_goes_on_from_its_checkpoint(
    by_torchrun: Path, tmp_path: Path
) -> None:
    child = launched("torchrun", "dies", tmp_path)
    assert child.returncode != 0
    assert "SIGKILL" in child.stderr
    assert len(History.load(tmp_path / "run")) == 1  # it died in the second epoch
    assert (tmp_path / "run/checkpoint").is_dir()
    child = launched("torchrun", "goes-on", tmp_path)
    assert child.returncode == 0, child.stderr
    left_alone = by_torchrun / "run"
    assert without_seconds(History.load(tmp_path / "run")) == without_seconds(History.load(left_alone))
    for ours, theirs in zip(ranks(tmp_path), ranks(by_torchrun), strict=True):
        assert same(ours["weights"], theirs["weights"])


@pytest.mark.parametrize("error", [torch.distributed.DistError("NCCL"), RuntimeError("gloo/pair.cc: closed by peer")])
def test_a_process_that_is_left_alone_says_so(error: RuntimeError, tmp_path: Path) -> None:
    with accelerator("cpu") as accelerate:
        process = Process(accelerate, small_tagger(), R_DROP)
    said = r"another process of this run has ended too soon \(this is 0 of 2, from 0\).*"
    for path, hint in ((tmp_path, f"resume it from {tmp_path}"), (None, "give it an output folder")):
        process.count = 2
        with pytest.raises(TrainingError, match=said + hint), _company(process, RunFolder(path, writes=True)):
            raise error
        with pytest.raises(RuntimeError, match="other"), _company(process, RunFolder(path, writes=True)):
            raise RuntimeError("other")
        process.count = 1
        with pytest.raises(type(error), match=str(error)), _company(process, RunFolder(path, writes=True)):
            raise error


@pytest.mark.slow
def test_accelerate_launch_without_its_flag_starts_one_on_a_cpu_and_that_is_said(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("with a GPU it starts as many as it is asked for")
    script = tmp_path / "script.py"
    script.write_text(
        "import warnings\nwarnings.simplefilter('always')\n"
        "from gpkl_lib.training.process import accelerator\n"
        "with accelerator('cpu') as made: print('processes', made.num_processes)\n"
    )
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", str(script)]
    child = subprocess.run(
        command, env={**BARE, "HF_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=HUNG, check=True
    )
    assert "processes 1" in child.stdout
    assert "asked for several processes and has started this one alone" in child.stderr


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({"ACCELERATE_USE_CPU": "True"}, False),  # accelerate launch --num_processes 1
        ({"MASTER_ADDR": "127.0.0.1"}, False),
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "1"}, False),  # torchrun
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}, True),
    ],
)
def test_one_process_in_the_place_of_several_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], warned: bool
) -> None:
    for name in ("MASTER_ADDR", "ACCELERATE_USE_CPU", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with accelerator("cpu"):
            pass
    assert [str(w.message).partition(";")[2][:25] for w in said] == [" torchrun --nproc-per-nod"] * warned
