"""How other people write labelled sentences as JSON: a function for each form, from an object to a row."""

from __future__ import annotations

from typing import Any

from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.json_fields import as_list, by_characters, check_surface, fields, kinds, place, short, triple
from gpkl_lib.corpora.row import Row
from gpkl_lib.spans import Span


def plain(value: dict[str, Any], key: str = "spans") -> Row:
    """{"tokens": [...], "spans": [[start, end, type]]}, or "text" in place of "tokens"."""
    row = fields(value)
    length = len(row.tokens if row.tokens is not None else row.text or "")
    row.spans = [triple(span, length) for span in as_list(value.get(key), key)]
    row.form = f'"{"text" if row.tokens is None else "tokens"}" and "{key}"'
    return row


def characters(value: dict[str, Any], key: str) -> Row:
    """{"text": ..., key: [[start, end, type]]}: doccano's and spaCy's lists."""
    if not isinstance(value.get("text"), str) or "tokens" in value:
        raise CorpusError(f'expected "{key}" to stand beside a "text"; use "spans" beside "tokens"')
    return plain(value, key)


def cluener(value: dict[str, Any], key: str = "label") -> Row:
    """{"text": ..., "label": {type: {surface: [[start, end]]}}}, `end` inclusive."""
    text, label = value.get("text"), value[key]
    if not isinstance(text, str) or "tokens" in value:
        raise CorpusError('expected "label" to stand beside a "text"; use "spans" beside "tokens"')
    if not isinstance(label, dict) or not all(isinstance(surfaces, dict) for surfaces in label.values()):
        raise CorpusError(f'expected "label" to be {{type: {{surface: [[start, end], ...]}}}}, found {short(label)}')
    spans = []
    for kind, surfaces in label.items():
        for surface, places in surfaces.items():
            for at in places if isinstance(places, list) else [places]:
                spans.append(_cluener(kind, surface, at, text))
    return Row(text=text, spans=spans, form='"text" and "label"')


def _cluener(kind: str, surface: str, at: Any, text: str) -> Span:
    match at:
        case [int(start), int(end)] if not isinstance(start, bool) and not isinstance(end, bool):
            if kind and 0 <= start <= end < len(text):
                if text[start : end + 1] != surface:
                    found = text[start : end + 1]
                    raise CorpusError(f"expected {kind} {surface!r} at {at} (end inclusive), found {found!r}")
                return kind, start, end + 1
    raise CorpusError(
        f"expected a place [start, end] with 0 <= start <= end < {len(text)} (end inclusive) "
        f"for {kind} {surface!r}, found {short(at)}"
    )


def objects(value: dict[str, Any], key: str) -> Row:
    """{key: [{"start", "end", "label" or "type"}]}: spaCy, Prodigy, GENIA, SpERT; doccano and CMeEE by other names.

    They count tokens where the object has a list of strings under "tokens", characters of its "text" otherwise; with
    tokens that are objects (Prodigy), a span must begin and end with one.
    """
    row = fields(value)
    of_text = row.places is not None or row.tokens is None
    length = len(row.text or "") if of_text else len(row.tokens or ())
    whole = Row(text=row.text) if of_text else row
    styles = set()
    for item in as_list(value.get(key), key):
        if not isinstance(item, dict):
            raise CorpusError(f'expected "{key}" to hold objects, found {short(item)}')
        style = next((style for style in STYLES if style[0] in item and style[1] in item), None)
        name = next((name for name in KINDS if item.get(name) is not None), None)
        if style is None or name is None:
            raise CorpusError(f'expected objects with "start", "end" and "label" in "{key}", found {short(item)}')
        start_key, end_key, surface, last = style
        if start_key != "start" and not of_text:
            raise CorpusError(f'expected "{start_key}" to stand beside a "text", found "tokens"')
        start, end = place(item, start_key, end_key, length, inclusive=bool(last))
        check_surface(whole, start, end, item.get(surface))
        row.spans += [(kind, start, end) for kind in kinds(item[name], row)]
        styles.add(f'"{key}" with "{start_key}"')
    if of_text:
        row.spans = by_characters(row, row.spans)
    row.form = f'"{"text" if of_text else "tokens"}" and {" and ".join(sorted(styles)) or f"{chr(34)}{key}{chr(34)}"}'
    return row


# (key of the start, key of the end, key of the span's own text, 1 where the end is inclusive)
STYLES = (
    ("start_idx", "end_idx", "entity", 1),
    ("start_offset", "end_offset", "text", 0),
    ("start", "end", "text", 0),
)
KINDS = ("label", "labels", "type", "entity_type", "entity_group")


def tagged(value: dict[str, Any], key: str, names: tuple[str, ...] = ()) -> Row:
    """{"tokens": [...], "ner_tags": [...]}: a tag a token, as a name or as its number in `names`."""
    row, tags = fields(value), as_list(value.get(key), key)
    if row.tokens is None:
        raise CorpusError(f'expected "{key}" to stand beside "tokens"')
    if len(tags) != len(row.tokens):
        raise CorpusError(f'expected a tag for each of {len(row.tokens)} tokens in "{key}", found {len(tags)}')
    if tags and all(isinstance(tag, int) and not isinstance(tag, bool) for tag in tags):
        if not names:
            raise CorpusError(
                f'"{key}" are numbers, {short(tags)}: give their names in order, tag_names=["O", "B-PER", ...] '
                "(--tag-names O B-PER ...)"
            )
        if not 0 <= min(tags) <= max(tags) < len(names):
            raise CorpusError(f'expected numbers from 0 to {len(names) - 1} in "{key}", found {short(tags)}')
        tags = [names[tag] for tag in tags]
    row.tags = tags
    row.form = f'"tokens" and "{key}"'
    return row


def gliner(value: dict[str, Any], key: str = "ner") -> Row:
    """{"tokenized_text": [...], "ner": [[start, end, type]]}, `end` the last token."""
    row = fields(value, "tokenized_text")
    row.spans = [triple(span, len(row.tokens or ()), inclusive=True) for span in as_list(value.get(key), key)]
    row.form = '"tokenized_text" and "ner"'
    return row


def label_studio(value: dict[str, Any]) -> Row:
    """A task of Label Studio's JSON export: the first annotation that was not cancelled."""
    texts = [text for text in value["data"].values() if isinstance(text, str)]
    done = [each for each in as_list(value.get("annotations"), "annotations") if not each.get("was_cancelled")]
    text = value["data"].get("text", texts[0] if len(texts) == 1 else None)
    if not isinstance(text, str):
        raise CorpusError(f'expected "data" to hold a "text", found {short(value["data"])}')
    row = Row(text=text, form='Label Studio\'s "data" and "annotations"')
    row.odd += ["further annotation of a task, left out"] * (len(done) - 1)
    for result in as_list(done[0].get("result"), "result") if done else []:
        item = result.get("value", {}) if isinstance(result, dict) else {}
        name = next((key for key in ("labels", "hypertextlabels") if item.get(key)), None)
        if name is None:
            row.odd.append("annotation that is no span, left out")
            continue
        start, end = place(item, "start", "end", len(text))
        check_surface(row, start, end, item.get("text"))
        row.spans += [(kind, start, end) for kind in kinds(item[name], row)]
    return row


def paragraphs(value: dict[str, Any]) -> list[Row]:
    """A document of spaCy 2: "paragraphs" of "sentences" of "tokens", each with "orth" and "ner"."""
    rows = []
    for paragraph in as_list(value.get("paragraphs"), "paragraphs"):
        for sentence in as_list(paragraph.get("sentences"), "sentences"):
            tokens = as_list(sentence.get("tokens"), "tokens")
            row = Row(tokens=[str(token["orth"]) for token in tokens], form='spaCy\'s "paragraphs"')
            row.tags = [str(token.get("ner") or "O") for token in tokens]
            row.tags = ["O" if tag == "-" else tag for tag in row.tags]
            rows.append(row)
    return rows
