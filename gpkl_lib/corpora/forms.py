"""The forms in which labelled sentences come: one table, from which files are read, written and explained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gpkl_lib.corpora import json_writers
from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.json_fields import fields, short
from gpkl_lib.corpora.json_forms import characters, cluener, gliner, label_studio, objects, paragraphs, plain, tagged
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.tags import is_tag


@dataclass(frozen=True)
class Form:
    """A way to write labelled sentences.

    Attributes:
        name: what `format` calls it.
        looks: a row of it.
        keys: of a JSON object under which labels of this form may stand; none for CoNLL, CoNLL-U and brat.
        write: from a row to the JSON value of it; None where the form is written as a whole (`convert`).
        of: "tokens", "text" or "both": what `write` needs the row to have.
        array: whether a file of it is one JSON array.

    Example:
        >>> next(form for form in FORMS if form.name == "doccano").keys
        ('label', 'labels', 'entities', 'annotations')
    """

    name: str
    looks: str
    keys: tuple[str, ...] = ()
    write: Callable[[Row], Any] | None = None
    of: str = "tokens"
    array: bool = False


LISTED = ("label", "labels")
FORMS = (
    Form("jsonl", '{"tokens": ["Anna"], "spans": [[0, 1, "PER"]]}, end exclusive; or "text"', ("spans",),
         lambda row: {"tokens": row.tokens, "spans": json_writers.lists(row)}),
    Form("cluener", '{"text": "北京", "label": {"LOC": {"北京": [[0, 1]]}}}, end inclusive', LISTED,
         json_writers.cluener, "text"),
    Form("doccano", '{"text": "Anna", "label": [[0, 4, "PER"]]}; or "labels", or "entities" or "annotations" with '
         '"start_offset"', (*LISTED, "entities", "annotations"),
         lambda row: {"text": row.text, "label": json_writers.lists(row)}, "text"),
    Form("cmeee", '[{"text": "头痛", "entities": [{"start_idx": 0, "end_idx": 1, "type": "sym"}]}], end inclusive',
         ("entities",), json_writers.cmeee, "text", array=True),
    Form("genia", '{"tokens": ["Anna"], "entity_mentions": [{"start": 0, "end": 1, "entity_type": "PER"}]}',
         ("entity_mentions", "entities"), json_writers.genia),
    Form("hf", '{"tokens": ["Anna"], "ner_tags": ["B-PER"]}, or numbers with --tag-names',
         ("ner_tags", "tags", "labels"),
         json_writers.hugging_face),
    Form("label-studio", '[{"data": {"text": "Anna"}, "annotations": [{"result": [...]}]}]; or JSON-MIN', LISTED,
         json_writers.label_studio, "text", array=True),
    Form("spacy", '["Anna", {"entities": [[0, 4, "PER"]]}]; or "ents", or "paragraphs"', ("entities", "ents"),
         lambda row: [row.text, {"entities": json_writers.lists(row)}], "text", array=True),
    Form("prodigy", '{"text": "Anna", "tokens": [...], "spans": [{"start": 0, "end": 4, "label": "PER"}]}', ("spans",),
         json_writers.prodigy, "both"),
    Form("gliner", '{"tokenized_text": ["Anna"], "ner": [[0, 0, "PER"]]}, end inclusive', ("ner",),
         lambda row: {"tokenized_text": row.tokens, "ner": [[s, e - 1, t] for t, s, e in row.spans]}),
    Form("conll", "Anna, tab, B-PER: a token and its tags a line, in any scheme, B-PER or PER-B"),
    Form("conllu", "ten columns, NER=B-PER in the last"),
    Form("brat", "a .txt file and beside it an .ann: T1, tab, PER 0 4, tab, Anna", of="text"),
)  # fmt: skip
"""The forms of labelled files that are read and written."""
BY_NAME = {form.name: form for form in FORMS}
KEYS = tuple(dict.fromkeys(key for form in FORMS for key in form.keys))
SEEMS = re.compile(
    r"(?:^|[^a-z])(?:labels?|entit(?:y|ies)|ner|bio|iob|spans?|tags?|annotations?|mentions?)(?:[^a-z]|$)"
)


def json_rows(value: Any, *, form: str = "", names: tuple[str, ...] = (), labels: bool = True) -> list[Row]:
    """The rows of a JSON value, in whatever form they are; errors do not know the line yet.

    Args:
        value: of a line, or of an element of a file's array.
        form: the only one to read; any if it is not given.
        names: of the tags that numbers stand for.
        labels: False for a file to predict, whose labels are not looked at.

    Raises:
        CorpusError: no such form, or labels that none of the known ones explains.
    """
    match value:
        case [str(text), {"entities": entities}]:
            value = {"text": text, "entities": entities}
        case {"paragraphs": _}:
            return paragraphs(value)
        case {"classes": _, "annotations": [*pairs]}:
            return [row for pair in pairs if pair for row in json_rows(pair, form=form, names=names, labels=labels)]
        case {"data": dict()}:
            return [label_studio(value)]
    if not isinstance(value, dict):
        raise CorpusError(f"expected a JSON object, found {short(value)}")
    bare = fields(value, "tokenized_text" if "tokenized_text" in value else "tokens")
    if not labels:
        return [bare]
    keys = BY_NAME[form].keys if form in BY_NAME and BY_NAME[form].keys and form != "jsonl" else KEYS
    present = [key for key in keys if value.get(key) is not None]
    filled = [key for key in present if value[key]]
    if len(filled) > 1:
        raise CorpusError(
            f"labels stand under {' and '.join(map(short, filled))}: choose one by the form of the file (--format)"
        )
    if not present:
        _check_bare(value)
        row = bare
        row.form, row.odd = f'"{"text" if row.tokens is None else "tokens"}" alone', ["row without labels"]
        return [row]
    row = _read((filled or present)[0], value, names)
    if value.get("answer") in ("reject", "ignore"):
        row.odd.append(f'row answered "{value["answer"]}"')
    return [row]


def _read(key: str, value: dict[str, Any], names: tuple[str, ...]) -> Row:
    """The row of an object whose labels stand under `key`: the shape of what is there tells the form."""
    held = value[key]
    first = held[0] if isinstance(held, list) and held else None
    if "tokenized_text" in value and key == "ner":
        return gliner(value, key)
    if key in ("ner_tags", "tags") or (key in LISTED and "tokens" in value and isinstance(first, str | int)):
        return tagged(value, key, names)
    if isinstance(first, dict):
        return objects(value, key)
    if key == "spans" or (key == "entities" and "tokens" in value):
        return plain(value, key)
    if key in LISTED and not (isinstance(held, list) and all(isinstance(item, list) for item in held)):
        return cluener(value, key)
    if isinstance(held, list) and not held:
        row = fields(value)
        row.form = f'"{"text" if row.tokens is None else "tokens"}" and "{key}"'
        return row
    return characters(value, key)


def _check_bare(value: dict[str, Any]) -> None:
    """Refuse a row without a known key for labels that has something like labels under another."""
    for key, held in value.items():
        if key in ("tokens", "text", "tokenized_text") or not held or not isinstance(held, list | dict):
            continue
        if SEEMS.search(key.lower()) or _like_labels(held):
            raise CorpusError(
                f'expected labels in a known form, found {short(held)} under "{key}"; known forms: '
                f"{', '.join(form.name for form in FORMS)} (gpkl convert --help shows each)"
            )


def _like_labels(held: Any) -> bool:
    items = held if isinstance(held, list) else list(held.values())
    numbers = [sum(isinstance(part, int) for part in _parts(item)) for item in items]
    words = [sum(isinstance(part, str) for part in _parts(item)) for item in items]
    tags = all(isinstance(item, str) and is_tag(item) for item in items) and any(item != "O" for item in items)
    return tags or (min(numbers) >= 2 and min(words) >= 1)


def _parts(item: Any) -> Iterable[Any]:
    return item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()


def forms_text() -> str:
    """A line for each form, for `--help`.

    Example:
        >>> print(forms_text().splitlines()[0])
          jsonl         {"tokens": ["Anna"], "spans": [[0, 1, "PER"]]}, end exclusive; or "text"
    """
    return "".join(f"  {form.name:<13} {form.looks}\n" for form in FORMS)


def json_text(rows: Iterable[Row], form: Form) -> str:
    """Rows in a JSON form: a value a line, or one array.

    Raises:
        CorpusError: a row that the form cannot hold; with its number.
    """
    assert form.write
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(json.dumps(form.write(row), ensure_ascii=False))
        except CorpusError as error:
            raise CorpusError(f"sentence {number} {error}") from None
    return "[\n" + ",\n".join(lines) + "\n]\n" if form.array else "".join(f"{line}\n" for line in lines)
