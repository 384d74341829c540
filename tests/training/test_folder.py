"""The folder of a run: what it holds, when it is refused, and that a resumed run is the same run."""

import json
from dataclasses import replace

import pytest
from runs import DEV, QUICK, TRAIN, assert_resumes_like, same, scripted, train, weights

from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.training import evaluate
from gpkl_lib.training.history import History


def test_a_run_leaves_everything_in_its_folder(tmp_path):
    tagger, history = train(tmp_path / "runs" / "one")
    names = {
        str(path.relative_to(tmp_path / "runs" / "one")) for path in (tmp_path / "runs").rglob("*") if path.is_file()
    }
    assert names == {"config.json", "history.jsonl", "history.png", "scores.json"} | {
        "best/model.safetensors",
        "best/tagger.json",
        "checkpoint/state.safetensors",
        "checkpoint/previous.safetensors",
    }
    folder = tmp_path / "runs" / "one"
    assert History.load(folder).rows == history.rows
    learnt, judged = "loss task divergence confident alpha", "precision recall f1 dev_loss"
    assert list(history.rows[0]) == f"epoch step {learnt} {judged} seconds".split()
    assert [row["step"] for row in history.rows] == [3, 6]
    assert (folder / "history.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    asked = json.loads((folder / "config.json").read_text())
    assert asked["config"]["alpha"] == QUICK.alpha
    assert asked["train"]["sha256"] == TRAIN.sha256
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["dev"]["f1"] == history.best["f1"] == evaluate(tagger, DEV).f1
    assert scores["dev"]["by_type"]["person"]["gold"] == evaluate(tagger, DEV).by_type["person"].gold


def test_a_folder_in_use_is_refused_with_a_hint(tmp_path):
    train(tmp_path)
    before = (tmp_path / "history.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match="already holds a run: resume it, or choose another"):
        train(tmp_path)
    assert (tmp_path / "history.jsonl").read_bytes() == before
    with pytest.raises(CheckpointError, match="resume needs an output folder"):
        train(resume=True)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"parts of a run but no config.json"):
        train(tmp_path, resume=True)


def test_a_finished_run_resumed_is_the_same_run(tmp_path, alone):
    train(tmp_path)
    assert_resumes_like(alone, tmp_path)


def test_a_resumed_run_still_has_its_best_weights(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.7, 0.3])
    tagger, _ = train(tmp_path)
    again, history = train(tmp_path, resume=True)
    assert history.best["epoch"] == 1
    assert same(weights(again), weights(tagger))


def test_resume_in_an_empty_folder_starts(tmp_path, alone):
    assert_resumes_like(alone, tmp_path / "new")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": replace(QUICK, alpha=3.0)}, r"config.alpha was 0.03 and is now 3.0"),
        ({"config": replace(QUICK, epochs=3)}, r"config.epochs was 2 and is now 3"),
        ({"config": replace(QUICK, seed=3)}, r"config.seed"),
        ({"corpus": toy_corpus(20, seed=1)}, r"train.contents"),
        ({"corpus": TRAIN[:19]}, r"train.contents"),
        ({"dev": DEV[1:]}, r"dev.contents"),
        ({"hidden_size": 14}, r"tagger"),
    ],
)
def test_resume_with_another_configuration_is_refused(tmp_path_factory, changes, named):
    folder = tmp_path_factory.getbasetemp() / "changed"
    if not folder.exists():
        train(folder, replace(QUICK, epochs=2))
    with pytest.raises(CheckpointError, match=f"cannot be resumed: {named}"):
        train(folder, **{"resume": True, **changes})


def test_device_and_rhythm_may_change_on_resume(tmp_path, alone):
    train(tmp_path)
    assert_resumes_like(alone, tmp_path, replace(QUICK, device="auto", checkpoint_seconds=300.0))


def test_a_history_cut_short_is_read_to_its_last_whole_line(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1, "f1": 0.5}\n{"epoch": 2, "f1"')
    assert History.load(path).rows == [{"epoch": 1, "f1": 0.5}]
    path.write_text('{"epoch": 1}\nnonsense\n{"epoch": 3}\n')
    with pytest.raises(CheckpointError, match=r"history\.jsonl:2: expected one JSON object"):
        History.load(tmp_path)
    with pytest.raises(CheckpointError, match="missing"):
        History.load(tmp_path / "nowhere")
