"""`gpkl evaluate`: scores, errors and their report, and what is tuned on labelled sentences."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any
from unicodedata import east_asian_width

from gpkl_lib._storage import write_text, writing
from gpkl_lib.cli import inputs
from gpkl_lib.cli.outputs import ready, scored_on
from gpkl_lib.cli.page import Key, Mark, page, table
from gpkl_lib.cli.predict import load
from gpkl_lib.cli.said import UsageError, say
from gpkl_lib.corpora import Corpus, Sentence, token_kind
from gpkl_lib.experiments import (
    VERDICTS,
    Match,
    confusion,
    confusion_rows,
    confusion_table,
    counts,
    counts_by_type,
    counts_of_nested,
    error_rows,
    errors_table,
    score_rows,
    scores_table,
    show,
    span_errors,
)
from gpkl_lib.spans import Span, SpanScores, span_scores
from gpkl_lib.tagger import Tagger, tagger_folder

Written = tuple[str, list[tuple[int, int]]]
"""A text, and the places of its tokens in it."""

LOOKS = {
    "correct": ("green", "solid"),
    "wrong_type": ("purple", "double"),
    "wrong_boundary": ("ochre", "double"),
    "missed": ("vermilion", "dashed"),
    "spurious": ("vermilion", "double"),
}
SIGN = {"correct": "", "wrong_type": "×", "wrong_boundary": "×", "missed": "–", "spurious": "×"}
RULE = (
    "Every gold and every predicted span is in one class: right; wrong type, on the same tokens; wrong boundary, of "
    "one type and with a common token, the largest share first; else missed or spurious."
)


def evaluate(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Score a tagger on a labelled file: `gpkl evaluate`."""
    if arguments.threshold is not None and arguments.threshold != arguments.threshold:
        raise UsageError("--threshold must be a number, got nan")
    if arguments.threshold is not None and arguments.tune_threshold:
        raise UsageError("--threshold gives what --tune-threshold looks for: leave one of them out")
    output = ready(arguments.output) if arguments.output else None
    as_page = output is not None and output.suffix.lower() in (".html", ".htm")
    if output and not as_page and output.suffix.lower() not in ("", ".json"):
        raise UsageError(f"--output {output}: a report is JSON or a page, a file .json or .html")
    tagger = load(arguments)
    corpus = inputs.corpus(arguments.file, arguments)
    say(str(corpus))
    unknown = sorted({*corpus.types} - {*tagger.types})
    if unknown:
        say(f"types that the tagger was not trained for, all missed: {', '.join(unknown)}")
    _tune(tagger, corpus, arguments)
    threshold = tagger.threshold if arguments.threshold is None else arguments.threshold
    if threshold:
        say(f"spans scored above {threshold:.4g} are found")
    found = tagger.predict(corpus.sentences, batch_size=arguments.batch_size, threshold=threshold)
    gold = [list(sentence.spans) for sentence in corpus]
    scores = span_scores(found, gold)
    show(scores_table(corpus.name, scores))
    matches = span_errors(found, gold) if arguments.errors or as_page else []
    if arguments.errors:
        show(errors_table(corpus.name, matches))
        show(confusion_table(corpus.name, matches))
    if output and as_page:
        with writing(output) as write:
            told = f"{arguments.model}, threshold {threshold:.4g}"
            for piece in _page(corpus, scores, matches, told, inputs.originals(arguments)):
                write(piece)
    elif output:
        record = scores.record() | {"corpus": scored_on(corpus), "threshold": threshold}
        if arguments.errors:
            record |= {"errors": _errors(matches), "confusion": confusion(matches), "wrong": _wrong(corpus, matches)}
        write_text(output, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _tune(tagger: Tagger, corpus: Corpus, arguments: argparse.Namespace) -> None:
    """Choose what is to be chosen on the corpus, say it, and keep it with the tagger."""
    if not (arguments.tune_threshold or arguments.calibrate):
        return
    folder = tagger_folder(arguments.model)
    if not folder.is_dir():
        raise UsageError(f"what is chosen is kept beside the weights, but there is no folder {folder}; save one first")
    if arguments.tune_threshold:
        say(str(tagger.tune_threshold(corpus)))
    if arguments.calibrate:
        try:
            say(str(tagger.calibrate(corpus)))
        except ValueError as error:
            raise UsageError(str(error)) from error
    tagger.save_decoding(folder)
    say(f"kept in {folder}: predict and evaluate use it; scores on {corpus.name} are now those of what it chose")


def _page(
    corpus: Corpus,
    scores: SpanScores,
    matches: Sequence[Match],
    told: str,
    originals: Mapping[tuple[str, ...], Written],
) -> Iterator[str]:
    """The report as a page: scores, errors, confusion, and every sentence with its verdicts."""
    number, count = {verdict: n for n, verdict in enumerate(VERDICTS)}, Counter(match.verdict for match in matches)
    keys = [Key(f"{SIGN[v]} {v.replace('_', ' ')}".strip(), count[v], *LOOKS[v]) for v in VERDICTS]
    lead = f"<p>{escape(told)}. Macro F1 {scores.macro_f1:.4f}. {escape(RULE)}</p>" + "".join(
        table(caption, *filled)
        for caption, filled in (
            ("scores", score_rows(scores)),
            ("errors", error_rows(matches)),
            ("gold types (rows) as they were predicted (columns)", confusion_rows(matches)),
        )
    )
    of: dict[int, list[Match]] = {}
    for match in matches:
        of.setdefault(match.sentence, []).append(match)

    def row(place: int, sentence: Sentence) -> tuple[str, list[Mark], bool]:
        text, places = originals.get(sentence.tokens) or text_of(sentence)
        marks = [
            Mark(places[span[1]][0], places[span[2] - 1][1], f"{span[0]} {sign}".strip(), number[match.verdict], what)
            for match in of.get(place, [])
            for span, sign, what in _shown(match, sentence)
        ]
        return text, marks, all(match.verdict == "correct" for match in of.get(place, []))

    rows = (row(place, sentence) for place, sentence in enumerate(corpus))
    yield from page(corpus.name, lead, keys, rows, quiet="texts without an error")


def _shown(match: Match, sentence: Sentence) -> Iterator[tuple[Span, str, str]]:
    """(span, sign, words) of what is drawn for a match: both spans where the boundary is wrong."""
    gold, own = (
        f"{span[0]}: {sentence.surface(span)}" if span else "nothing" for span in (match.gold, match.predicted)
    )
    words = f"{match.verdict.replace('_', ' ')}; gold {gold}; predicted {own}"
    if match.gold and (match.predicted is None or match.verdict == "wrong_boundary"):
        yield match.gold, SIGN["missed"], words
    if match.predicted:
        yield match.predicted, SIGN[match.verdict], words


def text_of(sentence: Sentence) -> tuple[str, list[tuple[int, int]]]:
    """The tokens as a text, and their places in it.

    A space stands between two of them, but for those that are written without: a character of Chinese or Japanese next
    to another token, and the characters of a text each of which, spaces too, is a token.
    """
    tokens = sentence.tokens
    characters = all(len(token) == 1 for token in tokens) and (
        any(map(str.isspace, tokens)) or token_kind(["".join(tokens)], "auto") == "characters"
    )
    text, places = "", []
    for token in tokens:
        if text and not characters and not (_is_solid(text[-1]) or _is_solid(token[0])):
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
    return text, places


def _is_solid(character: str) -> bool:
    """Whether no space is written beside it: Han, Kana, and the marks of their width; not Hangul."""
    wide = east_asian_width(character) in "WF" and not character.isalnum()
    return wide or token_kind([character], "auto") == "characters"


def _wrong(corpus: Corpus, matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Every error by name: the sentence's number from 1, the class, and what stands in gold and prediction."""

    def side(span: Span | None, sentence: Sentence) -> dict[str, Any] | None:
        if span is None:
            return None
        return {"type": span[0], "text": sentence.surface(span), "start_token": span[1], "end_token": span[2]}

    return [
        {
            "sentence": match.sentence + 1,
            "error": match.verdict,
            "gold": side(match.gold, corpus[match.sentence]),
            "predicted": side(match.predicted, corpus[match.sentence]),
        }
        for match in matches
        if match.verdict != "correct"
    ]


def _errors(matches: Sequence[Match]) -> dict[str, Any]:
    return {**counts(matches), "nested": counts_of_nested(matches), "by_type": counts_by_type(matches)}
