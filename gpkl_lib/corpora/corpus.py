"""What a corpus is: sentences of tokens and spans, where they came from, and what was odd about them."""

from __future__ import annotations

import bisect
import functools
import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from operator import index
from typing import overload

from gpkl_lib.spans import Span, nested, place_of


class CorpusError(ValueError):
    """A corpus cannot be read; the message names the file, the line, what was expected and what came.

    Example:
        >>> try:
        ...     read_corpus("nowhere.conll")
        ... except CorpusError as error:
        ...     print(str(error)[:27])
        nowhere.conll: no such file
    """


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and the spans over them.

    Attributes:
        tokens: L strings.
        spans: (type, start, end) with `end` exclusive, 0 <= start < end <= L; they may nest, cross, and share a place.
            The constructor sorts them by start, end, type and drops repeats.

    Raises:
        TypeError: a string in the place of its tokens, or something else than spans.
        ValueError: a span that does not lie within the tokens.

    Example:
        >>> sentence = Sentence(("Anna", "works", "in", "Berlin"), (("LOC", 3, 4), ("PER", 0, 1)))
        >>> sentence.spans
        (('PER', 0, 1), ('LOC', 3, 4))
        >>> sentence.surface(("LOC", 3, 4))
        'Berlin'
    """

    tokens: tuple[str, ...]
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.tokens, str):
            raise TypeError(f"tokens must be a list of strings, got {self.tokens!r:.80}; text.split() cuts at spaces")
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if not self.spans:
            object.__setattr__(self, "spans", ())
            return
        try:
            spans = sorted({(str(t), index(start), index(end)) for t, start, end in self.spans}, key=place_of)
        except (TypeError, ValueError):
            raise TypeError(f"spans must be (type, start, end), the last two whole, got {self.spans!r:.80}") from None
        for span in spans:
            if not 0 <= span[1] < span[2] <= len(self.tokens):
                raise ValueError(f"span {span} does not lie within {len(self.tokens)} tokens (end is exclusive)")
        object.__setattr__(self, "spans", tuple(spans))

    def __len__(self) -> int:
        return len(self.tokens)

    def nested(self) -> list[Span]:
        """The spans inside, or on the very place of, another span of the sentence."""
        inside = nested(self.spans)
        return [span for span in self.spans if span in inside]

    def surface(self, span: Span) -> str:
        """The tokens of a span, joined by spaces."""
        return " ".join(self.tokens[span[1] : span[2]])


@dataclass
class Corpus:
    """Sentences with their provenance; `len`, iteration, `corpus[i]` and `corpus[:n]` work as for a list.

    Attributes:
        name: the file's path, a known name such as "wnut17:train", or the toy corpus's parameters; a slice says so.
        sentences: in the order of the source.
        types: the span types, sorted; a slice keeps those of the whole.
        sha256: of the bytes of the file read (of `to_jsonl` for a corpus made in memory); a slice keeps it.
        oddities: how often each irregularity occurred in the source; a slice keeps the counts of the whole.
        first_lines: for each oddity of a file, the line (from 1) where it was seen first.
        source: how the file was understood, in words: format, separator, columns, tagging scheme.

    Example:
        >>> corpus = Corpus("mine", [Sentence(("Anna", "works"), (("PER", 0, 1),)), Sentence(("Yes", "."))])
        >>> len(corpus), corpus.types, corpus[:1].name
        (2, ('PER',), 'mine[:1]')
    """

    name: str
    sentences: list[Sentence]
    types: tuple[str, ...] = ()
    sha256: str = ""
    oddities: dict[str, int] = field(default_factory=dict)
    first_lines: dict[str, int] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        found = {span[0] for sentence in self.sentences for span in sentence.spans}
        self.types = tuple(sorted(found.union(self.types)))
        self.sha256 = self.sha256 or contents(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.sentences)

    @overload
    def __getitem__(self, index: int) -> Sentence: ...

    @overload
    def __getitem__(self, index: slice) -> Corpus: ...

    def __getitem__(self, index: int | slice) -> Sentence | Corpus:
        if isinstance(index, int):
            return self.sentences[index]
        text = ":".join("" if part is None else str(part) for part in (index.start, index.stop, index.step))
        name = f"{self.name}[{text.removesuffix(':')}]" if index != slice(None) else self.name
        return replace(self, name=name, sentences=self.sentences[index])

    def by_type(self) -> dict[str, int]:
        """How many spans each type has, the most frequent first."""
        counts = Counter(dict.fromkeys(self.types, 0))
        counts.update(span[0] for sentence in self.sentences for span in sentence.spans)
        return dict(counts.most_common())

    def describe(self) -> str:
        """A few lines for a person: sentences, tokens, spans by type, nested ones, oddities with their first line."""
        spans = sum(len(sentence.spans) for sentence in self.sentences)
        nested = [len(sentence.nested()) for sentence in self.sentences]
        longest = max(map(len, self.sentences), default=0)
        lines = [
            visible(self.name) + (f" ({self.source})" if self.source else ""),
            f"  {len(self):,} sentences, {sum(map(len, self.sentences)):,} tokens, longest sentence {longest}",
            f"  {spans:,} spans, {sum(nested):,} of them nested, in {sum(map(bool, nested)):,} sentences",
            *(f"    {visible(kind)}: {count:,}" for kind, count in self.by_type().items()),
        ]
        for kind, count in sorted(self.oddities.items()):
            where = f" (first in line {self.first_lines[kind]:,})" if kind in self.first_lines else ""
            lines.append(f"  {kind}: {count:,}{where}")
        return "\n".join(lines)

    __str__ = describe


@dataclass
class Oddities:
    """Counts irregularities while a file is read, and remembers where each kind was seen first."""

    counts: Counter[str] = field(default_factory=Counter)
    first_lines: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, line: int, count: int = 1) -> None:
        """Count `kind`, seen in `line` (from 1)."""
        if count:
            self.counts[kind] += count
            self.first_lines.setdefault(kind, line)

    def sentence(
        self, tokens: Sequence[str], spans: list[Span], line: Callable[[int], int], *, odd_tokens: bool = True
    ) -> Sentence:
        """The sentence, its odd tokens and spans counted; `line` tells the line of the token at an index.

        Without `odd_tokens` the tokens are known to be none of them odd.
        """
        made = Sentence(tuple(tokens), tuple(spans))
        if not made.tokens:
            self.add("sentence without tokens", line(0))
        if odd_tokens and any(map(invisible, made.tokens)):
            for position, token in enumerate(made.tokens):
                kind = "token of control or format characters only" if token else "empty token"
                self.add(kind, line(position), invisible(token))
        if len(spans) > 1 and not (len(spans) == len(made.spans) and _apart(made.spans)):
            self._spans(spans, made.spans, line)
        return made

    def _spans(self, given: list[Span], kept: tuple[Span, ...], line: Callable[[int], int]) -> None:
        """Count spans that stand twice, share a place, or cross."""
        for (_, start, _), count in Counter(given).items():
            self.add("same span twice", line(start), count - 1)
        for (start, _), count in Counter(span[1:] for span in kept).items():
            self.add("second type on one span", line(start), count - 1)
        for start, count in _crossing(kept):
            self.add("crossing spans", line(start), count)


def _apart(spans: Sequence[Span]) -> bool:
    """Whether each span ends before the next begins."""
    return all(a[2] <= b[1] for a, b in pairwise(spans))


def _crossing(spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """For each start, how many pairs cross there: the one begins inside the other and ends beyond it."""
    ends: list[int] = []  # of the spans that begin earlier, sorted
    for start, group in groupby(spans, key=lambda span: span[1]):
        here = [end for _, _, end in group]
        inside = bisect.bisect_right(ends, start)
        yield start, sum(bisect.bisect_left(ends, end) - inside for end in here)
        for end in here:
            bisect.insort(ends, end)


@functools.lru_cache(maxsize=1 << 16)
def invisible(token: str) -> bool:
    """Whether a token has only control (Cc) and format (Cf) characters: word-piece tokenizers drop such tokens."""
    return all(unicodedata.category(character) in ("Cc", "Cf") for character in token)


def visible(text: str) -> str:
    r"""`text` with its control and format characters as escapes: a name reaches no terminal as a command.

    Example:
        >>> visible("a name\x1b[31m")
        'a name\\x1b[31m'
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cf", "Cs")
        else character
        for character in text
    )


def to_jsonl(sentences: Iterable[Sentence]) -> str:
    """Sentences as lines {"tokens": [...], "spans": [[start, end, type], ...]} with `end` exclusive.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> print(to_jsonl([anna]).rstrip())
        {"tokens": ["Anna", "works", "in", "Berlin"], "spans": [[0, 1, "PER"], [3, 4, "LOC"]]}
    """
    rows = ({"tokens": s.tokens, "spans": [[start, end, kind] for kind, start, end in s.spans]} for s in sentences)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def contents(sentences: Iterable[Sentence]) -> str:
    """sha256 of `to_jsonl`: of the very sentences, whatever they are a slice of.

    Example:
        >>> contents(toy_corpus(3)) == contents(toy_corpus(10).sentences[:3])
        True
    """
    return hashlib.sha256(to_jsonl(sentences).encode()).hexdigest()
