"""Corpora: the toy corpus, readers for CoNLL and JSONL files, vocabulary and batches."""

from gpkl_lib.corpora.augmentation import augmented, bare, drawn, words_by_shape
from gpkl_lib.corpora.batch import Batch, Windows, batches, length_mask, positive_cells, truncate, windows
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Sentence, contents, to_jsonl
from gpkl_lib.corpora.jsonl import write_jsonl
from gpkl_lib.corpora.known import KNOWN, KnownCorpus
from gpkl_lib.corpora.reading import read_corpus
from gpkl_lib.corpora.tags import decode_tags, detect_scheme
from gpkl_lib.corpora.toy import SIZES, toy_corpus
from gpkl_lib.corpora.vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = [
    "KNOWN",
    "PADDING",
    "SIZES",
    "UNKNOWN",
    "Batch",
    "Corpus",
    "CorpusError",
    "KnownCorpus",
    "Sentence",
    "Vocabulary",
    "Windows",
    "augmented",
    "bare",
    "batches",
    "contents",
    "decode_tags",
    "detect_scheme",
    "drawn",
    "length_mask",
    "positive_cells",
    "read_corpus",
    "to_jsonl",
    "toy_corpus",
    "truncate",
    "windows",
    "words_by_shape",
    "write_jsonl",
]
