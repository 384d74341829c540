"""Data made anew from a seed: another order, damaged labels; and what the command line makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpkl_lib.cli import build_parser, train
from gpkl_lib.corpora import Corpus, noisy, shuffled, toy_corpus, write_jsonl
from gpkl_lib.experiments import Trial


def test_an_order_follows_from_the_seed_and_loses_nothing():
    corpus = toy_corpus(60)
    one, again, other = shuffled(corpus, 1), shuffled(corpus, 1), shuffled(corpus, 2)
    assert one.sentences == again.sentences != other.sentences
    assert sorted(map(str, one)) == sorted(map(str, other)) == sorted(map(str, corpus))
    assert one.sha256 == corpus.sha256
    assert one.name == f"{corpus.name}, drawn with seed 1"
    assert {str(s) for s in one[:20]} != {str(s) for s in other[:20]}


def test_noise_damages_the_stated_share_of_any_corpus():
    clean = toy_corpus(500, seed=4)
    rough = noisy(clean, 0.2, 7)
    changed = sum(len({*a.spans} - {*b.spans}) for a, b in zip(clean, rough, strict=True))
    assert changed == sum(rough.oddities.values())
    assert changed / sum(len(s.spans) for s in clean) == pytest.approx(0.2, abs=0.03)
    assert [s.tokens for s in rough] == [s.tokens for s in clean]
    assert noisy(clean, 0.2, 7).sentences == rough.sentences != noisy(clean, 0.2, 8).sentences
    assert noisy(clean, 0.0, 7).sentences == clean.sentences
    with pytest.raises(ValueError, match="label_noise must lie between 0 and 1, got 2"):
        noisy(clean, 2, 0)


def test_noise_on_one_type_and_one_token_can_only_drop():
    alone = Corpus("c", [type(toy_corpus(1)[0])(("Ann",), (("PER", 0, 1),))] * 30)
    rough = noisy(alone, 1.0, 0)
    assert not any(s.spans for s in rough)
    assert rough.oddities == {"label noise: dropped": 30}


class TestCommandLine:
    @pytest.fixture
    def files(self, tmp_path: Path) -> list[str]:
        words = []
        for part, size in (("train", 60), ("dev", 10), ("test", 10)):
            write_jsonl(tmp_path / f"{part}.jsonl", toy_corpus(size, split=part))
            words += [f"--{part}", str(tmp_path / f"{part}.jsonl")]
        return words

    @staticmethod
    def trial(*words: str) -> Trial:
        return train.trial(build_parser().parse_args(["train", *words]))

    def test_each_seed_has_sentences_of_its_own(self, files: list[str]):
        first, *drawn = (
            self.trial(*files, "--limit-train", "20", "--seed", "3", *more)
            for more in ([], ["--draw", "seed"], ["--draw", "seed", "--seed", "4"])
        )
        assert first.task.record().keys() == {"name", "train", "dev", "test"}
        assert [trial.task.record()["draw"] for trial in drawn] == ["seed", "seed"]
        assert len({tuple(map(str, trial.task.train)) for trial in (first, *drawn)}) == 3
        assert all(len(trial.task.train) == 20 for trial in drawn)
        assert drawn[0].task.test is not None
        assert first.task.test is not None
        assert drawn[0].task.test.sentences == first.task.test.sentences

    def test_what_is_left_over_is_unlabelled(self, files: list[str]):
        words = ["--limit-train", "20", "--draw", "seed", "--method", "uda", "--unlabelled", "rest"]
        task = self.trial(*files, *words).task
        assert task.unlabelled is not None
        assert len(task.unlabelled) == 40
        assert not {s.tokens for s in task.train} & {s.tokens for s in task.unlabelled}

    def test_each_seed_has_a_toy_corpus_of_its_own(self):
        (first, drawn, other) = (
            self.trial("--seed", seed, *more).task
            for seed, more in (("5", []), ("5", ["--draw", "seed"]), ("6", ["--draw", "seed"]))
        )
        assert first.train.sha256 == toy_corpus().sha256
        for part, corpus in drawn.parts().items():
            assert corpus.sha256 == toy_corpus(split=part, seed=5).sha256 != other.parts()[part].sha256

    def test_noise_is_in_the_name_of_a_run_and_in_no_part_that_measures(self, files: list[str]):
        clean, rough = self.trial(*files), self.trial(*files, "--label-noise", "0.3")
        assert rough.task.record() == {**clean.task.record(), "label_noise": 0.3}
        assert rough.task.train.sentences != clean.task.train.sentences
        assert rough.task.dev.sentences == clean.task.dev.sentences
