"""What README says came out is what the records say."""

from __future__ import annotations

from pathlib import Path

from pages import ROOT

from gpkl_lib.experiments import Contrast, by_method, contrasts, read_rows
from gpkl_lib.statistics import PairedDifference

RECORDS = {"toy-arms": "toy corpora", "germeval-arms": "GermEval 2014", "minilm-arms": "WNUT-17 with MiniLM"}
WAYS = {
    "none at the same time": "one view, for the same time",
    "two views": "two views without a divergence",
    "sigmoid": "R-Drop with GlobalPointer's divergence",
    "softmax": "R-Drop with the softmax's",
}
ASKED = [  # the family of r-drop's record
    ("sigmoid", "two views"),
    ("softmax", "sigmoid"),
    ("two views", "none at the same time"),
    ("sigmoid on top spans", "sigmoid"),
    ("softmax", "sigmoid on top spans"),
]
RESULTS = ROOT / "book" / "_results"
Gains = dict[str, dict[tuple[str, str], PairedDifference]]


def gains(results: Path = RESULTS) -> Gains:
    """For each record how far each way of training stands above one view, and R-Drop above the others."""
    found: Gains = {}
    for name in RECORDS:
        summaries = by_method(read_rows(results / f"{name}.jsonl"))
        ways = WAYS.keys() & summaries.keys()
        pairs = [*((way, "none") for way in ways), ("sigmoid", "two views"), ("softmax", "sigmoid")]
        found[name] = {pair: contrast.difference for pair, contrast in contrasts(summaries, *pairs).items()}
    return found


def said(difference: PairedDifference) -> str:
    """In points of F1."""
    mean, low, high = (f"{100 * value:+.1f}" for value in (difference.mean, difference.low, difference.high))
    return f"{mean} ({low} to {high})"


def lines(found: Gains) -> list[str]:
    """The rows of the table."""
    return [
        f"| {corpus}, {found[name]['two views', 'none'].pairs} seeds: {words} | {said(found[name][way, 'none'])} |"
        for name, corpus in RECORDS.items()
        for way, words in WAYS.items()
        if (way, "none") in found[name]
    ]


def test_the_table_and_the_sentences_below_it_are_the_records() -> None:
    readme, found = (ROOT / "README.md").read_text("utf-8"), gains()
    assert [line for line in readme.splitlines() if " seeds: " in line] == lines(found)
    toy = found["toy-arms"]
    assert f"adds to two views,\n{said(toy['sigmoid', 'two views'])} points" in readme
    assert toy["two views", "none"].mean / toy["sigmoid", "none"].mean > 0.5  # "more than half of R-Drop's gain"
    assert toy["none at the same time", "none"].mean > toy["two views", "none"].mean  # "as much"
    summaries = by_method(read_rows(RESULTS / "toy-arms.jsonl"))
    verdicts = [contrast.verdict.word for contrast in contrasts(summaries, *ASKED).values()]
    assert verdicts[:2] == ["undecided", "equivalent"]  # "too little to be decided", "does as well"
    summaries = by_method(read_rows(RESULTS / "germeval-arms.jsonl"))
    asked = contrasts(summaries, ASKED[0]) | contrasts(summaries, *ASKED[1:3])  # as planned: one alone, two as a family
    verdicts = [contrast.verdict.word for contrast in asked.values()]
    assert verdicts == ["equivalent"] * 3  # "none of it is worth half a point"
    sigmoid, views = (said(asked[pair].difference) for pair in (ASKED[0], ASKED[2]))
    assert f"the divergence adds\n{sigmoid} points to two views, and two views {views} to one" in readme
    summaries = by_method(read_rows(RESULTS / "minilm-arms.jsonl"))
    tweets = contrasts(summaries, ASKED[0], ASKED[1], ("two views", "none"))  # one family
    assert {contrast.verdict.word for contrast in tweets.values()} == {"undecided"}  # "decide nothing"
    assert f"ten seeds decide nothing: the divergence adds {said(tweets[ASKED[0]].difference)} to two views" in readme
    assert tweets[ASKED[0]].difference.pairs == 10


def asked(name: str, corpus: str, *pairs: tuple[str, str]) -> dict[tuple[str, str], Contrast]:
    """Contrasts of a record of several corpora, a family for each."""
    rows = [row for row in read_rows(RESULTS / f"{name}.jsonl") if row["corpus"]["name"] == corpus]
    return contrasts(by_method(rows), *pairs)


def test_what_unlabelled_sentences_are_worth_and_what_their_time() -> None:
    ways = [(way, "none") for way in ("uda at T = 1", "none at the same time")]
    found = [asked("uda-arms", corpus, *ways).values() for corpus in ("toy", "germeval2014")]
    (uda, time), (german_uda, german_time) = ([said(contrast.difference) for contrast in ones] for ones in found)
    readme = (ROOT / "README.md").read_text("utf-8").replace("\n", " ")
    assert (
        f"UDA adds {uda} points to labels alone on toy corpora with 100 labelled sentences and {german_uda} on"
        in readme
    )
    assert f"for the time of UDA's steps, add {time} and {german_time}." in readme


def test_no_teacher_is_better_than_labels_for_the_same_time() -> None:
    sentence = "In no comparison is distillation better than labels for the same time."
    assert sentence in (ROOT / "README.md").read_text("utf-8").replace("\n", " ")
    rival = "none at the same time"
    for corpus in ("toy", "germeval2014"):
        found = asked(
            "distillation-arms", corpus, ("every span", rival), ("open spans", rival), ("open spans", "every span")
        )
        assert not [pair for pair, contrast in found.items() if pair[1] == rival and contrast.verdict.word == "better"]
