"""Corpora: the toy corpus, readers for CoNLL and JSONL files, vocabulary and batches."""

from gpkl_lib.corpora.batches import Batch, Windows, batches, length_mask, positive_cells, truncate, windows
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Sentence
from gpkl_lib.corpora.toy import toy_corpus
from gpkl_lib.corpora.vocabulary import Vocabulary

__all__ = [
    "Batch",
    "Corpus",
    "CorpusError",
    "Sentence",
    "Vocabulary",
    "Windows",
    "batches",
    "length_mask",
    "positive_cells",
    "toy_corpus",
    "truncate",
    "windows",
]
