"""When a step is computed in tiles."""

from __future__ import annotations

from typing import Literal

from gpkl_lib.corpora import Batch
from gpkl_lib.span_loss import TILED_FROM
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.methods import METHODS


def check_tiled(config: TrainingConfig, wanted: bool | Literal["auto"]) -> None:
    """Raise ValueError unless `wanted` is True, False or "auto", and True only with a method that has a tiled form."""
    if wanted not in (True, False, "auto"):
        raise ValueError(f'tiled must be True, False or "auto", got {wanted!r}')
    if wanted is True and METHODS[config.method].tiled is None:
        *most, last = (method.name for method in METHODS.values() if method.tiled)
        raise ValueError(
            f"tiled=True is for the methods {', '.join(most)} and {last}; {config.method} needs all scores at once"
        )


def takes_tiles(config: TrainingConfig, batch: Batch, wanted: bool | Literal["auto"]) -> bool:
    """Whether a step is computed in tiles; "auto": if the method allows it and sentences are long enough to gain.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> batch = tagger.collate(corpus.sentences[:4])
        >>> takes_tiles(TrainingConfig(method="sigmoid"), batch, "auto")  # sentences of fewer than TILED_FROM tokens
        False
    """
    check_tiled(config, wanted)
    if wanted == "auto":
        return METHODS[config.method].tiled is not None and batch.attention_mask.shape[1] >= TILED_FROM
    return wanted
