"""Sentences as CoNLL and as CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterable

from gpkl_lib.corpora.corpus import CorpusError, Sentence
from gpkl_lib.corpora.tags import encode_tags


def conll_text(sentences: Iterable[Sentence]) -> str:
    """Sentences as CoNLL: token and IOB2 tags between tabs, as many columns of tags as nested spans need."""
    encoded = [(sentence, encode_tags(sentence.spans, len(sentence))) for sentence in sentences]
    most = max((len(layers) for _, layers in encoded), default=1)
    lines = []
    for sentence, layers in encoded:
        columns = [sentence.tokens, *layers, *[["O"] * len(sentence)] * (most - len(layers))]
        lines += ["\t".join(cells) for cells in zip(*columns, strict=True)] + [""]
    return "".join(f"{line}\n" for line in lines)


def conllu_text(sentences: Iterable[Sentence]) -> str:
    """Sentences as CoNLL-U with NER=TAG in the last column.

    Raises:
        CorpusError: spans that overlap, for which one column has no room.
    """
    lines = []
    for number, sentence in enumerate(sentences, 1):
        layers = encode_tags(sentence.spans, len(sentence))
        if len(layers) > 1:
            raise CorpusError(f"sentence {number} has spans that overlap, which CoNLL-U's last column cannot hold")
        for n, (token, tag) in enumerate(zip(sentence.tokens, layers[0], strict=True), 1):
            lines.append("\t".join([str(n), token, *"_______", f"NER={tag}"]))
        lines.append("")
    return "".join(f"{line}\n" for line in lines)
