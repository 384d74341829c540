"""Encoders: from a batch of sentences to one hidden state a token. Small and from scratch, or pretrained.

Notation: B sentences, L tokens, C characters of the longest token, E features of an embedding, D of a hidden state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gpkl_lib.corpora import PADDING, UNKNOWN, Batch, Sentence, Vocabulary


class WordEncoder(nn.Module):
    """Word vectors and a convolution over each word's characters, then bidirectional LSTMs, with dropout around each.

    Args:
        vocabulary: numbers for words and characters.
        word_size: features of a word vector.
        character_size: features of a character vector; the convolution gives as many as twice that.
        hidden_size: D, both directions together; even.
        layers: bidirectional LSTMs, each on top of the last.
        dropout: share of features set to 0 in training.
        word_dropout: share of words that training shows as unknown, so that spelling and context must do.

    Raises:
        ValueError: a size below 1, an odd hidden_size, a share outside [0, 1).

    Example:
        >>> from gpkl_lib.corpora import Vocabulary, toy_corpus
        >>> sentences = toy_corpus(16).sentences
        >>> encoder = WordEncoder(Vocabulary.build(sentences), hidden_size=32)
        >>> batch = encoder.collate(sentences[:2], None)
        >>> encoder(batch.inputs, batch.attention_mask).shape[::2]  # (B, L, hidden_size), less L
        torch.Size([2, 32])
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        word_size: int = 100,
        character_size: int = 25,
        hidden_size: int = 200,
        layers: int = 1,
        dropout: float = 0.4,
        word_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        sizes = {"word_size": word_size, "character_size": character_size, "hidden_size": hidden_size, "layers": layers}
        shares = {"dropout": dropout, "word_dropout": word_dropout}
        for name, value in sizes.items():
            if not 1 <= value < 2**31 or (name == "hidden_size" and value % 2):
                raise ValueError(f"{name} must be positive{' and even' if name == 'hidden_size' else ''}, got {value}")
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {share}")
        self.vocabulary, self.hidden_size, self.word_dropout = vocabulary, hidden_size, word_dropout
        self.settings: dict[str, Any] = sizes | shares
        self.words = nn.Embedding(vocabulary.num_words, word_size, padding_idx=PADDING)
        self.characters = nn.Embedding(vocabulary.num_characters, character_size, padding_idx=PADDING)
        self.spelling = nn.Conv1d(character_size, 2 * character_size, 3, padding=1)
        sizes_in = chain([word_size + 2 * character_size], repeat(hidden_size, layers - 1))
        self.layers = nn.ModuleList(BidirectionalLSTM(size, hidden_size) for size in sizes_in)
        self.dropout = nn.Dropout(dropout)

    def collate(self, sentences: Sequence[Sentence], types: Sequence[str] | None) -> Batch:
        """Inputs "words" (B, L) and "characters" (B, L, C)."""
        return self.vocabulary.collate(sentences, types)

    def embed(self, inputs: dict[str, Tensor], attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the layers get of each token, (B, L, F), and which of it stands for something, (B, L)."""
        words, characters = inputs["words"], inputs["characters"]
        if self.training and self.word_dropout:
            hidden = torch.rand(words.shape, device=words.device) < self.word_dropout
            words = words.masked_fill(hidden & attention_mask, UNKNOWN)
        letters = self.characters(characters.flatten(0, 1)).transpose(1, 2)  # (B*L, E, C)
        absent = (characters == PADDING).flatten(0, 1)[:, None]  # a longer word beside it must change nothing
        shapes = torch.relu(self.spelling(letters)).masked_fill(absent, 0).amax(-1).view(*words.shape, -1)
        return torch.cat([self.words(words), shapes], -1), attention_mask

    def forward(self, inputs: dict[str, Tensor], attention_mask: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """words (B, L), characters (B, L, C), attention_mask (B, L) -> hidden states (B, L, D).

        Where `embeddings` are given, they stand for what `embed` makes of words and characters.
        """
        states = self.embed(inputs, attention_mask)[0] if embeddings is None else embeddings
        for layer in self.layers:
            states = layer(self.dropout(states), attention_mask)
        hidden_states: Tensor = self.dropout(states)
        return hidden_states

    def description(self) -> dict[str, Any]:
        """JSON of what `from_description` needs."""
        return {"kind": "words", "vocabulary": json.loads(self.vocabulary.to_json()), **self.settings}

    @classmethod
    def from_description(cls, settings: dict[str, Any], folder: Path) -> WordEncoder:
        """The encoder with weights still to be loaded; it has no files of its own in `folder`."""
        return cls(Vocabulary.from_json(json.dumps(settings.pop("vocabulary"))), **settings)

    def save_files(self, folder: Path) -> None:
        """Nothing: the vocabulary stands in the description."""

    def survey(self, sentences: Iterable[Sentence]) -> dict[str, int]:
        """Nothing to count: every word has a number, and sentences may have any length."""
        return {}


class BidirectionalLSTM(nn.Module):
    """One LSTM from left to right and one from right to left, each blind to padding.

    The second one reads every sentence reversed within its own length. That is what a packed `nn.LSTM` gives, faster on
    a CPU.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(input_size, hidden_size // 2, batch_first=True)
        self.backwards = nn.LSTM(input_size, hidden_size // 2, batch_first=True)

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, L, E), attention_mask (B, L) -> (B, L, D)."""
        length = attention_mask.shape[1]
        last = attention_mask.sum(1, keepdim=True) - 1
        mirror = last - torch.arange(length, device=states.device)
        mirror = torch.where(mirror < 0, mirror + length, mirror)[..., None]  # its own inverse
        left, _ = self.forwards(states)
        right, _ = self.backwards(states.gather(1, mirror.expand_as(states)))
        return torch.cat([left, right.gather(1, mirror.expand_as(right))], -1)
