"""The toy corpus: seeded, nested, ambiguous, with names and patterns of its own in dev and test."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from gpkl_lib.corpora import Corpus, toy_corpus
from gpkl_lib.corpora.grammar import GRAMMAR, TYPES
from gpkl_lib.corpora.names import SPLITS, make_names
from gpkl_lib.spans import Span


def surfaces(corpus: Corpus) -> dict[str, Counter[str]]:
    """Each surface with its types."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in corpus:
        for span in sentence.spans:
            found[sentence.surface(span)][span[0]] += 1
    return found


def depth(spans: tuple[Span, ...]) -> int:
    """How many spans lie over one token at most."""
    return max(sum(start <= token < end for _, start, end in spans) for token in range(25))


def test_the_same_arguments_give_the_same_corpus_everywhere():
    digests = {split: toy_corpus(50, split=split).sha256[:8] for split in SPLITS}
    digests["noisy"] = toy_corpus(50, label_noise=0.3).sha256[:8]
    digests["seed 1"] = toy_corpus(50, seed=1).sha256[:8]
    assert digests == {
        "train": "3031382c",
        "dev": "c54ed5f3",
        "test": "deeb0116",
        "noisy": "ffcc9c9b",
        "seed 1": "17281fc6",
    }, "the generator has changed: results recorded with it no longer hold"


def test_a_smaller_corpus_begins_a_larger_one():
    assert toy_corpus(40, label_noise=0.2).sentences == toy_corpus(60, label_noise=0.2).sentences[:40]
    assert toy_corpus(0).sentences == []
    assert [len(toy_corpus(split=split)) for split in SPLITS] == [200, 200, 400]


@pytest.mark.parametrize("split", SPLITS)
def test_sentences_are_of_moderate_length_and_look_like_english(split: str):
    for sentence in toy_corpus(split=split):
        assert 8 <= len(sentence) <= 25
        assert sentence.tokens[0][0].isupper()
        assert sentence.tokens[-1] == "."
        assert not re.search(r"[\[\]{}()|]", " ".join(sentence.tokens))


@pytest.mark.parametrize("split", SPLITS)
def test_spans_nest_up_to_three_deep_and_never_cross(split: str):
    corpus = toy_corpus(split=split)
    depths = Counter(depth(sentence.spans) for sentence in corpus)
    assert set(depths) <= {1, 2, 3}
    assert depths[3] > len(corpus) / 12
    assert sum(len(s.nested()) for s in corpus) > sum(len(s.spans) for s in corpus) / 4
    for sentence in corpus:
        assert not any(a[1] < b[1] < a[2] < b[2] for a in sentence.spans for b in sentence.spans)
    nests = {(a[0], b[0]) for s in corpus for a in s.spans for b in s.spans if a[1] <= b[1] < b[2] <= a[2] and a != b}
    assert {("work", "organisation"), ("organisation", "place"), ("organisation", "person")} <= nests
    assert {("event", "organisation"), ("place", "person"), ("work", "event")} <= nests


def test_every_type_is_frequent_enough_to_learn():
    assert toy_corpus().types == TYPES
    assert min(toy_corpus().by_type().values()) > 60
    assert min(toy_corpus(split="dev").by_type().values()) > 40


@pytest.mark.parametrize("split", SPLITS)
def test_a_surface_has_several_types(split: str):
    found = surfaces(toy_corpus(split=split))
    ambiguous = {surface: types for surface, types in found.items() if len(types) > 1}
    share = sum(map(Counter.total, ambiguous.values())) / sum(map(Counter.total, found.values()))
    assert 0.15 < share < 0.5
    pairs = {frozenset((a, b)) for types in ambiguous.values() for a in types for b in types if a != b}
    assert frozenset(("person", "place")) in pairs
    assert frozenset(("organisation", "person")) in pairs


def test_newspapers_festivals_and_halls_have_two_types():
    found = surfaces(toy_corpus(3000))
    for ending, types in [
        (("Herald", "Courier"), {"organisation", "work"}),
        (("Festival",), {"organisation", "event"}),
        (("Hall",), {"organisation", "place"}),
    ]:
        named = [set(kinds) for surface, kinds in found.items() if surface.endswith(ending)]
        assert types in named, ending


def test_names_of_dev_and_test_are_unseen():
    inventory = {split: make_names(split, 0) for split in SPLITS}
    own = {split: {name for names in inventory[split].own.values() for name in names} for split in SPLITS}
    assert all(inventory[split].known == inventory["train"].own for split in SPLITS)
    assert not own["train"] & own["dev"]
    assert not own["train"] & own["test"]
    assert not own["dev"] & own["test"]
    everything = toy_corpus(3000)
    for split in ("dev", "test"):
        tokens = [token for sentence in toy_corpus(split=split) for token in sentence.tokens]
        names = [token for token in tokens if token in own[split] | own["train"]]
        assert 0.4 < sum(token in own[split] for token in names) / len(names) < 0.6
        assert not own[split] & {token for sentence in everything for token in sentence.tokens}


def test_the_names_of_another_seed_are_others():
    first, second = (set(make_names("train", seed).own["surname"]) for seed in (0, 1))
    assert len(first & second) < len(first) / 4


def test_dev_has_words_and_patterns_that_training_never_shows():
    words = {split: {t for s in toy_corpus(3000, split=split) for t in s.tokens if t.islower()} for split in SPLITS}
    assert words["train"] < words["dev"] == words["test"]
    assert {"hired", "works"} <= words["train"]
    assert {"promoted", "essay", "nobody"} <= words["dev"] - words["train"]
    assert len(words["dev"] - words["train"]) > 60


def test_training_can_be_learnt_by_heart():
    """The words of a training sentence tell its spans: none comes twice with other spans."""
    labels = defaultdict(set)
    for sentence in toy_corpus(3000):
        labels[sentence.tokens].add(sentence.spans)
    assert max(map(len, labels.values())) == 1


def test_every_symbol_of_the_grammar_is_used_and_defined():
    used = {symbol for texts in GRAMMAR.values() for text in texts for symbol in re.findall(r"\[([^\]]+)\]", text)}
    assert used | {"sentence"} == set(GRAMMAR)
    assert {symbol.split("/")[0] for symbol in GRAMMAR if "/" in symbol} == set(TYPES)


# Label noise


def test_label_noise_damages_the_stated_share_and_counts_it():
    clean, noisy = toy_corpus(1000), toy_corpus(1000, label_noise=0.2)
    assert [s.tokens for s in noisy] == [s.tokens for s in clean]
    spans = sum(len(s.spans) for s in clean)
    lost = sum(len(set(a.spans) - set(b.spans)) for a, b in zip(clean, noisy, strict=True))
    assert lost == sum(noisy.oddities.values())
    assert abs(lost / spans - 0.2) < 0.02
    assert set(noisy.oddities) == {"label noise: dropped", "label noise: another type", "label noise: shifted"}
    assert all(count > lost / 4 for count in noisy.oddities.values())
    assert sum(len(s.spans) for s in noisy) == spans - noisy.oddities["label noise: dropped"]
    assert clean.oddities == {}


def test_damage_is_what_it_says():
    clean, noisy = toy_corpus(300), toy_corpus(300, label_noise=0.2)
    kinds: Counter[str] = Counter()
    for a, b in zip(clean, noisy, strict=True):
        lost, new = set(a.spans) - set(b.spans), set(b.spans) - set(a.spans)
        for kind, start, end in new:
            relabelled = any(place == (start, end) and t != kind for t, *place_ in lost for place in [tuple(place_)])
            shifted = any(t == kind and abs(s - start) + abs(e - end) == 1 for t, s, e in lost)
            assert relabelled or shifted
            kinds["another type" if relabelled else "shifted"] += 1
    assert min(kinds.values()) > 40


def test_more_noise_damages_the_same_spans_and_others():
    clean, some, more = (toy_corpus(200, label_noise=rate).sentences for rate in (0, 0.1, 0.3))
    for a, b, c in zip(clean, some, more, strict=True):
        assert set(a.spans) - set(b.spans) <= set(a.spans) - set(c.spans)
    everything = toy_corpus(200, label_noise=1.0).sentences
    assert not any(set(a.spans) & set(b.spans) for a, b in zip(clean, everything, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "valid"}, "split must be one of train, dev, test, got 'valid'"),
        ({"size": -1}, "size must not be negative, got -1"),
        ({"label_noise": 1.5}, "label_noise must lie between 0 and 1, got 1.5"),
        ({"label_noise": 0.1, "split": "dev"}, "label_noise is for the training split; dev measures, and stays clean"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        toy_corpus(**arguments)
