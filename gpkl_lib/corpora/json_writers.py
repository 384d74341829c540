"""A row as a JSON value, in the forms of other people."""

from __future__ import annotations

from typing import Any

from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.tags import encode_tags


def cluener(row: Row) -> Any:
    """CLUENER: type, surface, places with an inclusive end."""
    label: dict[str, dict[str, list[list[int]]]] = {}
    for kind, start, end in row.spans:
        label.setdefault(kind, {}).setdefault((row.text or "")[start:end], []).append([start, end - 1])
    return {"text": row.text, "label": label}


def cmeee(row: Row) -> Any:
    """CMeEE: objects with an inclusive end."""
    text = row.text or ""
    entities = [{"start_idx": s, "end_idx": e - 1, "type": t, "entity": text[s:e]} for t, s, e in row.spans]
    return {"text": text, "entities": entities}


def genia(row: Row) -> Any:
    """GENIA: objects that count tokens."""
    mentions = [
        {"id": f"T{n}", "start": s, "end": e, "entity_type": t, "text": " ".join((row.tokens or [])[s:e])}
        for n, (t, s, e) in enumerate(row.spans)
    ]
    return {"tokens": row.tokens, "entity_mentions": mentions}


def hugging_face(row: Row) -> Any:
    """Hugging Face datasets: a tag a token; CorpusError where spans overlap."""
    layers = encode_tags(row.spans, len(row.tokens or ()))
    if len(layers) > 1:
        raise CorpusError("has spans that overlap, for which one tag a token has no room")
    return {"tokens": row.tokens, "ner_tags": layers[0]}


def label_studio(row: Row) -> Any:
    """A task of Label Studio with one annotation."""
    text = row.text or ""
    result = [
        {"from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": s, "end": e, "text": text[s:e], "labels": [t]}}
        for t, s, e in row.spans
    ]  # fmt: skip
    return {"data": {"text": text}, "annotations": [{"result": result}]}


def prodigy(row: Row) -> Any:
    """Prodigy: characters and tokens, both with their places."""
    text, places = row.text or "", row.places or []
    tokens = [{"text": text[s:e], "start": s, "end": e, "id": n} for n, (s, e) in enumerate(places)]
    spans = [
        {"start": places[s][0], "end": places[e - 1][1], "token_start": s, "token_end": e - 1, "label": t}
        for t, s, e in row.spans
    ]
    return {"text": text, "tokens": tokens, "spans": spans, "answer": "accept"}


def lists(row: Row) -> list[list[Any]]:
    """The spans as [start, end, type]."""
    return [[start, end, kind] for kind, start, end in row.spans]
