"""The published corpora, where they are at hand: exact counts."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import pytest

from gpkl_lib.corpora import KNOWN, Corpus, read_corpus
from gpkl_lib.corpora.known import find_known

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPKL_DATA, or the folder beside the repository where that is not set."""
    if not os.environ.get("GPKL_DATA") and BESIDE.is_dir():
        monkeypatch.setenv("GPKL_DATA", str(BESIDE))


def known(name: str) -> Corpus:
    key, split = name.split(":")
    if find_known(KNOWN[key], split) is None:
        pytest.skip(f"GPKL_DATA does not hold it. {KNOWN[key].where_to_get(split)}")
    return read_once(name)


read_once = functools.cache(read_corpus)


# sentences, tokens, longest, spans, nested spans, sentences with nested ones, sentences without spans
COUNTS = {
    "wnut17:train": (3394, 62730, 41, 1975, 0, 0, 2166),
    "wnut17:dev": (1009, 15733, 82, 836, 0, 0, 381),
    "wnut17:test": (1287, 23394, 105, 1079, 0, 0, 598),
    "germeval2014:train": (24000, 452853, 56, 31545, 2468, 1970, 9948),
    "germeval2014:dev": (2200, 41653, 50, 2886, 212, 172, 866),
    "germeval2014:test": (5100, 96499, 51, 6693, 514, 404, 2065),
}
TYPES = {
    "wnut17:train": "person 660, location 548, group 264, corporation 221, product 142, creative-work 140",
    "wnut17:dev": "person 470, product 114, creative-work 105, location 74, group 39, corporation 34",
    "wnut17:test": "person 429, group 165, location 150, creative-work 142, product 127, corporation 66",
    "germeval2014:train": "LOC 9419, PER 8051, ORG 5477, LOCderiv 3410, OTH 3073, ORGpart 812, LOCpart 546, "
    "OTHderiv 239, PERpart 206, OTHpart 191, PERderiv 77, ORGderiv 44",
    "germeval2014:dev": "LOC 869, PER 745, ORG 514, LOCderiv 282, OTH 270, ORGpart 92, LOCpart 53, PERpart 21, "
    "OTHpart 18, OTHderiv 16, ORGderiv 3, PERderiv 3",
    "germeval2014:test": "LOC 1916, PER 1721, ORG 1191, LOCderiv 720, OTH 704, ORGpart 173, LOCpart 114, PERpart 48, "
    "OTHpart 43, OTHderiv 39, PERderiv 15, ORGderiv 9",
}
INVISIBLE = "token of control or format characters only"
ODDITIES = {
    "wnut17:train": {"separator line holding white space": 2394},
    "wnut17:dev": {},
    "wnut17:test": {},
    "germeval2014:train": {INVISIBLE: 40, "second type on one span": 1},
    "germeval2014:dev": {INVISIBLE: 1},
    "germeval2014:test": {INVISIBLE: 8, "second type on one span": 1, "crossing spans": 2},
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str):
    corpus = known(name)
    spans = [sentence.spans for sentence in corpus]
    nested = [len(sentence.nested()) for sentence in corpus]
    assert COUNTS[name] == (
        len(corpus),
        sum(map(len, corpus)),
        max(map(len, corpus)),
        sum(map(len, spans)),
        sum(nested),
        sum(map(bool, nested)),
        spans.count(()),
    )
    assert ", ".join(f"{kind} {count}" for kind, count in corpus.by_type().items()) == TYPES[name]
    assert corpus.oddities == ODDITIES[name]
    assert corpus.name == name


def test_hashtags_stay_tokens():
    hashes = {name: sum(t.startswith("#") for s in known(name) for t in s.tokens) for name in COUNTS}
    assert [hashes[f"wnut17:{split}"] for split in ("train", "dev", "test")] == [828, 22, 247]
    assert sum(count for name, count in hashes.items() if name.startswith("germeval")) == 12


@pytest.mark.slow
def test_the_largest_file_takes_seconds():
    known("germeval2014:train")
    begin = time.process_time()
    read_corpus("germeval2014:train")
    assert time.process_time() - begin < 20, "2.2 s on an idle core when this was written"
