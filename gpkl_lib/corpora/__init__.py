"""Corpora: the toy corpus, readers for CoNLL and JSONL files, vocabulary and batches."""

from gpkl_lib.corpora.augmentation import augmented, bare, drawn, words_by_shape
from gpkl_lib.corpora.batch import Batch, Windows, batches, length_mask, positive_cells, truncate, windows
from gpkl_lib.corpora.brat import brat_texts
from gpkl_lib.corpora.convert import convert_corpus, write_jsonl, written_rows
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Sentence, contents, to_jsonl, visible
from gpkl_lib.corpora.drawing import noisy, shuffled
from gpkl_lib.corpora.forms import FORMS, Form, forms_text
from gpkl_lib.corpora.known import KNOWN, KnownCorpus, find_known
from gpkl_lib.corpora.opening import FORMATS, How
from gpkl_lib.corpora.reading import read_corpus
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.tags import decode_tags, detect_scheme
from gpkl_lib.corpora.text import TOKENS, Tokens, token_kind
from gpkl_lib.corpora.texts import Texts, read_texts
from gpkl_lib.corpora.toy import SIZES, toy_corpus
from gpkl_lib.corpora.vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = [
    "FORMATS",
    "FORMS",
    "KNOWN",
    "PADDING",
    "SIZES",
    "TOKENS",
    "UNKNOWN",
    "Batch",
    "Corpus",
    "CorpusError",
    "Form",
    "How",
    "KnownCorpus",
    "Row",
    "Sentence",
    "Texts",
    "Tokens",
    "Vocabulary",
    "Windows",
    "augmented",
    "bare",
    "batches",
    "brat_texts",
    "contents",
    "convert_corpus",
    "decode_tags",
    "detect_scheme",
    "drawn",
    "find_known",
    "forms_text",
    "length_mask",
    "noisy",
    "positive_cells",
    "read_corpus",
    "read_texts",
    "shuffled",
    "to_jsonl",
    "token_kind",
    "toy_corpus",
    "truncate",
    "visible",
    "windows",
    "words_by_shape",
    "write_jsonl",
    "written_rows",
]
