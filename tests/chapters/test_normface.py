"""The small experiment at a fixed scale: its data, what a run shows, and its record."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest
import torch

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.__main__ import main
from gpkl_lib.chapters.recorders.normface import Curve, clusters, fit_normalized
from gpkl_lib.smoothing import normalized_scale_bound

RECORD = Path(__file__).parents[2] / "book/_results/normface.jsonl"
SMALL = clusters(5, 8, (4, 6), seed=1)


def test_clusters_are_balanced_noisy_and_the_same_every_time() -> None:
    (inputs, labels), (others, _) = SMALL
    assert inputs.shape == (20, 8)
    assert others.shape == (30, 8)
    assert torch.bincount(labels).tolist() == [4] * 5
    again = clusters(5, 8, (4, 6), seed=1)
    assert torch.equal(again[0][0], inputs)
    assert not torch.equal(clusters(5, 8, (4, 6), seed=2)[0][0], inputs)
    (clean, _), _ = clusters(5, 8, (4, 6), noise=0.0)
    assert torch.allclose(clean.norm(dim=1), torch.ones(20))
    wide, _ = clusters(50, 64, (200, 1), noise=1.5)[0]
    assert (wide.square().sum(1).mean() - 1).sqrt().item() == pytest.approx(1.5, rel=0.02)


def test_a_run_learns_stays_above_the_floor_and_repeats() -> None:
    curve = fit_normalized(*SMALL, scale=2.0, steps=55, every=20)
    assert curve.steps == [0, 20, 40, 55]
    assert all(len(x) == 4 for x in (curve.loss, curve.accuracy, curve.margin, curve.lead))
    assert curve.loss[-1] < curve.loss[0]
    assert min(curve.loss) >= normalized_scale_bound(5, 2.0)
    assert all(0 <= a <= 1 for a in curve.accuracy)
    assert all(m < lead <= 5 / 4 + 1e-4 for m, lead in zip(curve.margin, curve.lead, strict=True))
    for loss, lead in zip(curve.loss, curve.lead, strict=True):  # the first line of the bound
        assert loss >= math.log1p(4 * math.exp(-2 * lead)) - 1e-4
    assert fit_normalized(*SMALL, scale=2.0, steps=55, every=20) == curve
    assert fit_normalized(*SMALL, scale=2.0, steps=55, every=20, seed=1) != curve


def test_the_record_is_complete_and_says_where_it_is_from() -> None:
    rows = read_rows(RECORD)
    assert {(row["scale"], row["seed"]) for row in rows} == {(s, k) for s in (1, 4, 16, 64, 256) for k in range(5)}
    for row in rows:
        assert row["provenance"].keys() >= {"commit", "versions", "device", "command"}
        assert row["provenance"]["dirty"] is False
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/normface.toml"
        assert row["seconds"] > 0
        assert row["steps"] == list(range(0, 401, 10))
        assert min(row["loss"]) >= normalized_scale_bound(row["classes"], row["scale"]) * (1 - 1e-4)  # five digits
    torch_of_record = {row["provenance"]["versions"]["torch"].partition("+")[0] for row in rows}
    if torch_of_record != {torch.__version__.partition("+")[0]}:
        pytest.skip(f"torch {torch.__version__} draws other clusters than {torch_of_record}, of the record")
    for seed in range(5):
        parts = clusters(seed=seed)
        data = hashlib.sha256(b"".join(t.numpy().tobytes() for part in parts for t in part)).hexdigest()
        assert {row["data"]["sha256"] for row in rows if row["seed"] == seed} == {data}


def test_a_recorded_run_comes_out_again() -> None:
    row = next(row for row in read_rows(RECORD) if row["scale"] == 16 and row["seed"] == 0)
    curve = fit_normalized(*clusters(seed=0), scale=16.0, steps=40)
    assert curve.loss == pytest.approx(row["loss"][:5], rel=1e-3)
    assert curve.accuracy == pytest.approx(row["accuracy"][:5], abs=0.01)


def test_only_what_is_missing_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "gpkl_lib.chapters.recorders.normface.fit_normalized",
        lambda *_, scale, seed: Curve(scale, [0], [1.0], [0.5], [0.0], [0.0]),
    )
    recipe, output = tmp_path / "record.toml", tmp_path / "record.jsonl"
    for scales in ("[1, 4]", "[1, 4, 16]"):
        recipe.write_text(f'recorder = "normface"\n[[runs]]\nseeds = [0]\nscales = {scales}\n', "utf-8")
        assert main([str(recipe)]) == 0
    rows = read_rows(output)
    assert [row["scale"] for row in rows] == [1, 4, 16]
    assert len({row["key"] for row in rows}) == 3
    said = capsys.readouterr().err
    assert said.count("is made") == 3
    assert said.count("was there already") == 2
    assert math.isclose(rows[0]["accuracy"][0], 0.5)
