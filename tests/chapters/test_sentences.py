"""Whitening with two exponents: corners, too few points, what holds nothing; sentences read, packed and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders import sentences
from gpkl_lib.chapters.recorders.sentences import SETS, SHIPPED, cosines, packed, read_pairs, unpacked, whiten
from gpkl_lib.corpora import CorpusError

RECORD = Path(__file__).parents[2] / "book/_results/sentences.jsonl"


@pytest.fixture
def x() -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=draw, dtype=torch.float64)
    return x @ torch.randn(5, 5, generator=draw, dtype=torch.float64) + torch.arange(5)


def test_the_corners(x: torch.Tensor) -> None:
    torch.testing.assert_close(whiten(x, 0, 0) @ whiten(x, 0, 0).T, x @ x.T)
    away = x - x.mean(0)
    torch.testing.assert_close(whiten(x, 1, 0) @ whiten(x, 1, 0).T, away @ away.T)
    white = whiten(x)
    torch.testing.assert_close(white.mean(0), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-13)
    torch.testing.assert_close(white.T @ white / 60, torch.eye(5, dtype=torch.float64))
    second = whiten(x, 0, 1)
    torch.testing.assert_close(second.T @ second / 60, torch.eye(5, dtype=torch.float64))


def test_the_widest_directions_are_kept_first(x: torch.Tensor) -> None:
    widths = whiten(x, 1, 0.5).square().mean(0)
    assert widths.tolist() == sorted(widths.tolist(), reverse=True)
    torch.testing.assert_close(whiten(x, 1, 0.5, 2), whiten(x, 1, 0.5)[:, :2])


@pytest.mark.parametrize(("points", "left"), [(2, 1), (4, 3), (5, 4), (6, 5), (7, 5)])
def test_few_points_fill_one_direction_less_than_there_are(x: torch.Tensor, points: int, left: int) -> None:
    few = whiten(x[:points])
    assert few.shape == (points, left)
    pairs = torch.combinations(torch.arange(points))
    assert ((cosines(few, pairs) + 1 / (points - 1)).abs().max() < 1e-10) == (points < 7)


def test_a_feature_that_is_always_the_same_makes_no_noise(x: torch.Tensor) -> None:
    padded = torch.cat([x, torch.full((60, 2), 0.1, dtype=torch.float64)], 1)
    torch.testing.assert_close(whiten(padded) @ whiten(padded).T, whiten(x) @ whiten(x).T)


def test_packed_vectors_are_off_by_half_a_step(x: torch.Tensor) -> None:
    x[:, 3] = 0
    again = unpacked(packed(x))
    assert ((again - x).abs() <= 0.501 * x.abs().amax(0) / 127).all()
    assert (again[:, 3] == 0).all()


def test_pairs_are_read_with_their_scores_and_without_what_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    from dataclasses import replace

    content = "4.5\tA cat.\tThe cat.\n\tnot\tscored\n0\tA cat.\tRain.\n"
    (tmp_path / "sts").mkdir()
    (tmp_path / "sts/small.tsv").write_text(content)
    known = replace(SETS[SHIPPED], files={"test": ("small.tsv", hashlib.sha256(content.encode()).hexdigest())})
    monkeypatch.setitem(sentences.SETS, SHIPPED, known)
    monkeypatch.setenv("GPKL_DATA", str(tmp_path))
    texts, pairs, scores = read_pairs(SHIPPED)
    assert texts == ["A cat.", "Rain.", "The cat."]
    assert (pairs.tolist(), scores.tolist()) == ([[0, 2], [0, 1]], [4.5, 0.0])
    (tmp_path / "sts/small.tsv").write_text(content + "1\ta\tb\n")
    with pytest.raises(CorpusError, match=r"another file than the record's.*CC BY 4\.0"):
        read_pairs(SHIPPED)


def test_a_set_that_is_not_there_is_said_with_origin_licence_and_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPKL_DATA", raising=False)
    with pytest.raises(CorpusError, match=r"sha256 0b136074.*brmson/dataset-sts.*CC BY-SA 3.0.*GPKL_DATA/sts"):
        read_pairs("2016.question-question")
    with pytest.raises(ValueError, match=r"sets must be among 2014\.images"):
        list(sentences.sentence_rows(["2016.plagiarism"]))


def test_the_record_is_whole_and_hands_on_one_set_alone() -> None:
    rows = {row["set"]: row for row in read_rows(RECORD)}
    assert rows.keys() == SETS.keys()
    for name, row in rows.items():
        assert row["provenance"]["dirty"] is False
        assert ("texts" in row) == ("vectors" in row) == (name == SHIPPED)
        assert row["sha256"] == SETS[name].files["test"][1]
        assert row["licence"] == SETS[name].licence
        for layer in row["layers"].values():
            grid = {tuple(cell[:3]): cell[3] for cell in layer["grid"]}
            assert len(grid) == 50
            assert grid[0, 0, 384] == layer["raw"]
            simplex = row["sentences"] <= layer["directions"] + 1
            assert (grid[1, 1, 384] is None) == simplex
            assert len(layer["gains"]) == 20
            assert len(layer["white"]) == (0 if simplex else 20)


def test_the_vectors_that_are_handed_on_are_those_of_the_record() -> None:
    (row,) = (row for row in read_rows(RECORD) if row["set"] == SHIPPED)
    pairs = torch.tensor([pair for _, *pair in row["scored"]])
    scores = torch.tensor([score for score, *_ in row["scored"]])
    for layer, kept in row["vectors"].items():
        x = unpacked(kept)
        assert x.shape == (row["sentences"], 384)
        for beta, gamma, keep, told in row["layers"][layer]["grid"]:
            if keep <= 128:
                found = sentences.spearman(cosines(whiten(x, beta, gamma, keep), pairs), scores)
                assert abs(found - told) < 2e-3, (layer, beta, gamma, keep)
