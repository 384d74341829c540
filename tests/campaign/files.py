"""Files by the hundred thousand, in every form, valid and damaged: what is misread, what crashes, what hangs.

python tests/campaign/files.py --files 200000 --seed 0

A valid file is written here, apart from the library, and must come back sentence for sentence. A damaged one may be
refused (CorpusError) or read, and nothing else. Valid ones are also converted to a form drawn at random and read again.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gpkl_lib.corpora import FORMS, CorpusError, How, Sentence, convert_corpus, read_corpus

LIMIT = 20  # seconds of one file, after which it hangs
WORDS = (
    "Mara",
    "met",
    "#win",
    "#",
    "1984",
    "3",
    "O",
    "B-12",
    "e-mail",
    "don't",
    "北京",
    "café",
    "हिन्दी",
    "😂",
    "a\u00a0b",
)
ODD = ("\x96", "\u200e", "a\u2028b", "{", "[", '"', "\\", "-DOCSTART", "<b>", "=", "|", "\u00ad", "ß\u0301", "T1")
TYPES = ("PER", "LOC", "creative-work", "组织", "x[/b]", "B")
Span = tuple[str, int, int]


def sentences(rng: random.Random, *, nested: bool) -> list[Sentence]:
    """One to six sentences, the first of two tokens at least, which differ."""
    made = []
    for number in range(rng.randrange(1, 7)):
        length = rng.randrange(1 if number else 2, 9)
        tokens = [rng.choice(ODD if rng.random() < 0.2 else WORDS) for _ in range(length)]
        if not number:
            tokens[:2] = "Ilse", "ran"
        spans: set[Span] = set()
        for _ in range(rng.randrange(4)):
            start = rng.randrange(length)
            span = rng.choice(TYPES), start, rng.randrange(start + 1, min(length, start + 4) + 1)
            if nested or not any(span[1] < end and start < span[2] for _, start, end in spans):
                spans.add(span)
        made.append(Sentence(tuple(tokens), tuple(spans)))
    return made


def tags(spans: list[Span], length: int, scheme: str) -> list[str]:
    """Flat spans as tags."""
    first, inner, last, single = {
        "IOB1": "IIII", "IOB2": "BIIB", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU",
        "IOE1": "IIII", "IOE2": "IIEE",
    }[scheme]  # fmt: skip
    cells = ["O"] * length
    for kind, start, end in spans:
        touches = any((kind, start) == (before, stop) for before, _, stop in spans)
        followed = any((kind, end) == (after, begin) for after, begin, _ in spans)
        for at in range(start, end):
            letter = single if end - start == 1 else first if at == start else last if at == end - 1 else inner
            if scheme == "IOB1" and at == start and touches:
                letter = "B"
            if scheme == "IOE1" and at == end - 1 and followed:
                letter = "E"
            cells[at] = f"{letter}-{kind}"
    return cells


def layers(sentence: Sentence) -> list[list[Span]]:
    """The spans in layers of which none holds two that overlap."""
    found: list[list[Span]] = [[]]
    for span in sentence.spans:
        for layer in found:
            if not any(span[1] < end and start < span[2] for _, start, end in layer):
                layer.append(span)
                break
        else:
            found.append([span])
    return found


def conll(rng: random.Random, made: list[Sentence]) -> tuple[str, str, dict[str, Any]]:
    """A CoNLL file in a scheme, with or without numbers, parts of speech, comments, CRLF, a byte-order mark."""
    scheme = rng.choice(["IOB1", "IOB2", "BIOES", "BMES", "BILOU", "IOE1", "IOE2"])
    separator, end = rng.choice(["\t", " ", "  "]), rng.choice(["\n", "\r\n"])
    numbered, postag, comments = rng.random() < 0.3, rng.random() < 0.3, rng.random() < 0.3
    kinds = {kind for sentence in made for kind, _, _ in sentence.spans}
    suffixed = rng.random() < 0.2 and "B" not in kinds  # B-B and B-I could be either
    depth = max(len(layers(sentence)) for sentence in made)
    lines = []
    for number, sentence in enumerate(made):
        if comments and separator == "\t":
            lines.append(f"# text = sentence {number}")
        columns = [list(sentence.tokens)]
        if numbered:
            columns.insert(0, [str(n) for n in range(1, len(sentence) + 1)])
        if postag or (numbered and depth == 0):
            columns.append(["NN"] * len(sentence))
        for spans in [*layers(sentence), *[[]] * depth][:depth]:
            cells = tags(spans, len(sentence), scheme)
            columns.append([f"{c[2:]}-{c[0]}" if suffixed and c != "O" else c for c in cells])
        lines += [separator.join(cells) for cells in zip(*columns, strict=True)]
        lines.append(rng.choice(["", "", " ", "\t"]))
    text = "".join(line + end for line in lines)
    return "x.conll", ("\ufeff" if rng.random() < 0.1 else "") + text, {}


def joined(sentence: Sentence) -> tuple[str, list[Span]]:
    """The tokens as a text with a space between them, and the spans over its characters."""
    starts, at = [], 0
    for token in sentence.tokens:
        starts.append(at)
        at += len(token) + 1
    text = " ".join(sentence.tokens)
    return text, [(kind, starts[a], starts[b - 1] + len(sentence.tokens[b - 1])) for kind, a, b in sentence.spans]


def of_text(made: list[Sentence]) -> list[Sentence]:
    """What is read from the text of `joined`, a character a token."""
    return [Sentence(tuple(text), tuple(spans)) for text, spans in map(joined, made)]


JSON: dict[str, Callable[[Sentence], Any]] = {
    "jsonl": lambda s: {"tokens": s.tokens, "spans": [[a, b, t] for t, a, b in s.spans]},
    "genia": lambda s: {
        "tokens": s.tokens, "entity_mentions": [{"start": a, "end": b, "entity_type": t} for t, a, b in s.spans]
    },
    "gliner": lambda s: {"tokenized_text": s.tokens, "ner": [[a, b - 1, t] for t, a, b in s.spans]},
    "spert": lambda s: {"tokens": s.tokens, "entities": [{"type": t, "start": a, "end": b} for t, a, b in s.spans]},
}  # fmt: skip
TEXT: dict[str, Callable[[str, list[Span]], Any]] = {
    "text": lambda text, spans: {"text": text, "spans": [[a, b, t] for t, a, b in spans]},
    "doccano": lambda text, spans: {"id": 1, "text": text, "label": [[a, b, t] for t, a, b in spans]},
    "doccano 2": lambda text, spans: {
        "text": text, "entities": [{"label": t, "start_offset": a, "end_offset": b} for t, a, b in spans]
    },
    "cmeee": lambda text, spans: {
        "text": text,
        "entities": [{"start_idx": a, "end_idx": b - 1, "type": t, "entity": text[a:b]} for t, a, b in spans],
    },
    "cluener": lambda text, spans: {
        "text": text,
        "label": {
            t: {text[a:b]: [[c, d - 1] for k, c, d in spans if k == t and text[c:d] == text[a:b]]
                for kind, a, b in spans if kind == t}
            for t, _, _ in spans
        },
    },
    "spacy": lambda text, spans: [text, {"entities": [[a, b, t] for t, a, b in spans]}],
    "label studio": lambda text, spans: {
        "data": {"text": text},
        "annotations": [{"result": [{"value": {"start": a, "end": b, "text": text[a:b], "labels": [t]}}
                                    for t, a, b in spans]}],
    },
}  # fmt: skip


def valid(rng: random.Random) -> tuple[str, str, str, dict[str, Any], list[Sentence]]:
    """(form, file name, text, options, what must be read) of a file in a form drawn at random."""
    form = rng.choice(["conll", "conll", "conll", "hf", "brat", *JSON, *TEXT])
    made = sentences(rng, nested=form not in ("hf",))
    if form == "conll":
        return form, *conll(rng, made), made
    if form == "hf":
        rows = [{"tokens": s.tokens, "ner_tags": tags(list(s.spans), len(s), "IOB2")} for s in made]
        return form, "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows), {}, made
    if form == "brat":
        text, lines, at = "", [], 0
        for line, spans in map(joined, made):
            lines += [f"T{len(lines) + n}\t{t} {at + a} {at + b}\t{line[a:b]}\n" for n, (t, a, b) in enumerate(spans)]
            text, at = text + line + "\n", at + len(line) + 1
        return form, "x.txt", text + "\0" + "".join(lines), {"tokens": "characters"}, of_text(made)
    values = [JSON[form](s) if form in JSON else TEXT[form](*joined(s)) for s in made]
    ascii_, indent = rng.random() < 0.5, rng.choice([None, None, 1])
    array = rng.random() < 0.5
    dump = json.dumps(values, ensure_ascii=ascii_, indent=indent) if array else ""
    lines = "".join(json.dumps(value, ensure_ascii=ascii_) + "\n" for value in values)
    return form, "x.json", dump or lines, {"tokens": "characters"}, made if form in JSON else of_text(made)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, dropped, doubled or moved."""
    for _ in range(rng.randrange(1, 3)):
        a = rng.randrange(len(data) + 1)
        b = min(len(data), a + rng.choice([0, 1, 1, 2, 10, 100]))
        new = rng.choice(
            [b"", bytes([rng.randrange(256)]), data[a:b] * 2, b"\t", b"\n", b" ", b"\r", b"[", b'"', b"\\ud800"]
        )
        data = data[:a] + new + data[b:]
    return data


def write(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file (brat's two, which a NUL separates); the path to read."""
    data = text.encode() if isinstance(text, str) else text
    for old in folder.iterdir():
        old.unlink()
    if name == "x.txt":
        data, _, annotations = data.partition(b"\0")
        (folder / "x.ann").write_bytes(annotations)
    (folder / name).write_bytes(data)
    return folder / name


def attempt(action: Callable[[], Any]) -> tuple[str, Any]:
    """("read", what came), ("refused", why), ("crash", the traceback) or ("hang", "")."""
    signal.alarm(LIMIT)
    try:
        return "read", action()
    except CorpusError as error:
        return "refused", str(error)
    except TimeoutError:
        return "hang", ""
    except Exception:
        return "crash", traceback.format_exc()
    finally:
        signal.alarm(0)


def _hang(*_: object) -> None:
    raise TimeoutError


def run(files: int, seed: int, *, report: Callable[[str], None] = print) -> Counter[str]:
    """Try so many files; half are valid. What should not be is reported with the file's number, and counted."""
    counts: Counter[str] = Counter()
    signal.signal(signal.SIGALRM, _hang)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(files):
            if number and number % 10_000 == 0:
                report(f"after {number:,} files: {faults(counts)} faults, {dict(counts)}")
            rng = random.Random(f"{seed} {number}")
            form, file, text, options, expected = valid(rng)
            whole = bool(number % 2)
            path = write(folder, file, text if whole else damaged(rng, text.encode()))
            outcome, what = attempt(lambda path=path, options=options: read_corpus(path, **options).sentences)
            kind = "valid" if whole else "damaged"
            if whole and outcome == "read" and what != expected:
                outcome, what = "misread", f"{what}\nexpected {expected}"
            counts[f"{kind}, {outcome}"] += 1
            bad = outcome in ("crash", "hang", "misread") or (whole and outcome == "refused")
            if not whole and outcome == "read":
                again, why = attempt(lambda path=path: read_corpus(path, format="any", labels=False).sentences)
                counts[f"damaged, to predict, {again}"] += 1
                bad, what = bad or again in ("crash", "hang"), why
            if whole and outcome == "read":
                bad = _convert(rng, folder, path, options, counts) or bad
            if bad:
                report(f"file {number} of seed {seed}, {kind} {form}: {outcome}\n{path.read_bytes()!r:.2000}\n{what}")
    return counts


def _convert(rng: random.Random, folder: Path, path: Path, options: dict[str, Any], counts: Counter[str]) -> bool:
    to = rng.choice([form.name for form in FORMS])
    target = folder / ("out.ann" if to == "brat" else "out")
    outcome, what = attempt(lambda: convert_corpus(path, target, to=to, how=How(**options)))
    if outcome == "read":
        before = read_corpus(path, **options)
        after = read_corpus(target, format=to, tokens="characters")
        moved = before.by_type() != after.by_type()
        outcome = "spans moved" if moved else "written"
    counts[f"converted, {outcome}"] += 1
    if outcome in ("spans moved", "crash", "hang"):
        print(f"to {to}: {outcome}\n{what}")
        return True
    return False


def main() -> int:
    """The command line; exit code 1 if anything was misread, crashed or hung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    begin = time.monotonic()
    counts = run(arguments.files, arguments.seed, report=partial(print, flush=True))
    for kind, count in sorted(counts.items()):
        print(f"{count:>9,}  {kind}")
    print(f"{arguments.files:,} files, seed {arguments.seed}, {time.monotonic() - begin:.0f} s")
    return int(faults(counts) > 0)


def faults(counts: Counter[str]) -> int:
    """How many tries ended as none should."""
    wrong = ("misread", "crash", "hang", "spans moved")
    return sum(count for kind, count in counts.items() if kind.endswith(wrong)) + counts["valid, refused"]


if __name__ == "__main__":
    sys.exit(main())
