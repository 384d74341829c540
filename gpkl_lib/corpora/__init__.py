"""Corpora: the toy corpus, readers for CoNLL and JSONL files, vocabulary and batches."""

from gpkl_lib.corpora.batches import Batch, Windows, batches, length_mask, positive_cells, truncate, windows
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Sentence
from gpkl_lib.corpora.jsonl import write_jsonl
from gpkl_lib.corpora.known import KNOWN, KnownCorpus
from gpkl_lib.corpora.reading import read_corpus
from gpkl_lib.corpora.toy import toy_corpus
from gpkl_lib.corpora.vocabulary import Vocabulary

__all__ = [
    "KNOWN",
    "Batch",
    "Corpus",
    "CorpusError",
    "KnownCorpus",
    "Sentence",
    "Vocabulary",
    "Windows",
    "batches",
    "length_mask",
    "positive_cells",
    "read_corpus",
    "toy_corpus",
    "truncate",
    "windows",
    "write_jsonl",
]
