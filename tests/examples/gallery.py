"""The files of `examples/`, and what a stranger runs them on: ten lines of text of his own, and a small encoder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

from gpkl_lib import Sentence
from gpkl_lib.corpora import Corpus

EXAMPLES = Path(__file__).parents[2] / "examples"
PEOPLE, PLACES = ("Mara", "Ilse", "Tomo", "Ada", "Ben"), ("Oslo", "Bern", "Rostow", "Lund", "Graz")


def load(name: str) -> Any:
    """The module of an example."""
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def ten_lines(turn: int = 0) -> Corpus:
    """Who went where, and five times to which university: a place inside an organisation."""
    sentences = []
    for n in range(10):
        person, place = PEOPLE[n % 5], PLACES[(n + turn) % 5]
        if n < 5:
            sentences.append(Sentence((person, "went", "to", place, "."), (("PER", 0, 1), ("LOC", 3, 4))))
        else:
            words = ("Dr", person, "works", "at", place, "University", "today", ".")
            sentences.append(Sentence(words, (("PER", 1, 2), ("ORG", 4, 6), ("LOC", 4, 5))))
    return Corpus(f"ten lines {turn}", sentences)


def tiny_encoder(folder: Path, **changes: Any) -> Path:
    """A folder with a BERT of random weights and a tokenizer that cuts the places in two."""
    import transformers

    folder.mkdir()
    words = {word for sentence in ten_lines() for word in sentence.tokens} - {*PLACES}
    pieces = {part for place in PLACES for part in (place[:2], "##" + place[2:])}
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words), *sorted(pieces)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=64)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes, **changes)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder
