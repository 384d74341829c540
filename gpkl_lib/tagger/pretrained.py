"""A pretrained encoder of `transformers` under the span head: each word is seen through its first piece.

Notation: B sentences, L words, W windows of a sentence, P pieces of a window, D features of a hidden state.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from gpkl_lib._optional import optional
from gpkl_lib.corpora import Batch, Sentence, length_mask, positive_cells

TOKENIZER = "tokenizer"
DATA_ALONE = {"trust_remote_code": False, "use_safetensors": True}
"""No code of a stranger's runs, and none hides in a pickle: without these words transformers asks, or reads one."""
CODE = ("auto_map", "attn_implementation", "_attn_implementation", "experts_implementation", "quantization_config")
"""Settings of an encoder that name code to be fetched or modules to be replaced: never followed."""


class PretrainedEncoder(nn.Module):
    r"""Any encoder that `transformers.AutoModel` loads, with its fast tokenizer; use `load`.

    A word without a piece (control characters, say) is read as the unknown token. A sentence of more pieces than the
    model has positions is read in several windows cut between words; no word is left out. `survey` counts both.

    Args:
        model: maps input_ids (N, P) and attention_mask (N, P) to last_hidden_state (N, P, D).
        tokenizer: its fast tokenizer.
        dropout: on the hidden states of the words, in training.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from transformers import BertConfig, BertModel, BertTokenizerFast
        >>> folder, words = tempfile.mkdtemp(), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "anna", "works"]
        >>> _ = Path(folder, "vocab.txt").write_text("\n".join(words), "utf-8")
        >>> _ = BertTokenizerFast(str(Path(folder, "vocab.txt"))).save_pretrained(folder)
        >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
        >>> BertModel(BertConfig(vocab_size=7, **sizes)).save_pretrained(folder)
        >>> PretrainedEncoder.load(folder).hidden_size
        8
    """

    def __init__(self, model: Any, tokenizer: Any, *, dropout: float = 0.1) -> None:
        super().__init__()
        if not tokenizer.is_fast:
            raise ValueError(f"the encoder needs a fast tokenizer, got {type(tokenizer).__name__}")
        if isinstance(getattr(model, "pooler", None), nn.Module):
            model.pooler = None  # a sentence vector: never used here, so it would never get a gradient
        self.model, self.tokenizer = model, tokenizer
        self.hidden_size = int(model.config.hidden_size)
        self.settings = {"dropout": dropout}
        self.dropout = nn.Dropout(dropout)
        self._prefix, self._suffix = _special_tokens(tokenizer)
        self.max_pieces = _positions(model, tokenizer) - len(self._prefix) - len(self._suffix)
        self._pieces: dict[str, list[int]] = {}

    @classmethod
    def load(cls, name_or_path: str | Path) -> PretrainedEncoder:
        """From a local folder (then nothing is asked of the network) or by a hub name.

        Raises:
            ModuleNotFoundError: transformers is missing; the message names the extra.
            ValueError: there is no encoder and tokenizer that could be loaded.
        """
        transformers = optional("transformers", "transformers", "a pretrained encoder")
        source, local = str(name_or_path), Path(name_or_path).is_dir()
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source, local_files_only=local, add_prefix_space=True, trust_remote_code=False
            )
            model = transformers.AutoModel.from_pretrained(
                source, local_files_only=local, dtype=torch.float32, **DATA_ALONE
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            kind = "folder" if local else "hub name (there is no such folder)"
            raise ValueError(f"no encoder could be loaded from the {kind} {source!r}: {error}") from error
        return cls(model, tokenizer)

    def pieces(self, tokens: Iterable[str]) -> list[list[int]]:
        """The piece numbers of each word, [] for a word of which the tokenizer leaves nothing."""
        tokens = list(tokens)
        unseen = sorted({token for token in tokens if token not in self._pieces})
        if unseen:
            encoded = self.tokenizer([[t] for t in unseen], is_split_into_words=True, add_special_tokens=False)
            self._pieces.update(zip(unseen, encoded["input_ids"], strict=True))
        return [self._pieces[token] for token in tokens]

    def survey(self, sentences: Iterable[Sentence]) -> dict[str, int]:
        """What cannot be shown to the model as it stands: counts of words without a piece, of sentences in windows."""
        pieces = [self.pieces(sentence.tokens) for sentence in sentences]
        windows = [sum(1 for _ in self._windows(words)) for words in pieces]
        return {
            "words without a word piece, read as unknown": sum(not word for words in pieces for word in words),
            "words of more pieces than fit, read by their first": sum(
                len(w) > self.max_pieces for s in pieces for w in s
            ),
            f"sentences of more than {self.max_pieces} word pieces, read in windows": sum(n > 1 for n in windows),
        }

    def _windows(self, words: list[list[int]]) -> Iterator[list[list[int]]]:
        """Consecutive words whose pieces fit in the model's positions; a word without a piece becomes unknown."""
        window: list[list[int]] = []
        for word in words:
            word = word[: self.max_pieces] or [self.tokenizer.unk_token_id]
            if sum(map(len, window)) + len(word) > self.max_pieces:
                yield window
                window = []
            window.append(word)
        yield window

    def collate(self, sentences: Sequence[Sentence], types: Sequence[str] | None) -> Batch:
        """Inputs "pieces" and "piece_mask" (B, W, P), "first" (B, L): where in W * P each word's first piece stands."""
        mask = length_mask(sentences)
        rows = [list(self._windows(self.pieces(sentence.tokens))) for sentence in sentences]
        count = max(map(len, rows), default=1)
        ends = len(self._prefix) + len(self._suffix)
        width = max((sum(map(len, window)) for windows in rows for window in windows), default=0) + ends
        pieces = torch.full((len(rows), count, width), self.tokenizer.pad_token_id or 0)
        first = torch.zeros(mask.shape, dtype=torch.long)
        piece_mask = torch.zeros(pieces.shape, dtype=torch.bool)
        for row, windows in enumerate(rows):
            places = []
            for number, window in enumerate(windows):
                line = list(self._prefix)
                for word in window:
                    places.append(number * width + len(line))
                    line += word
                line += self._suffix
                pieces[row, number, : len(line)] = torch.tensor(line)
                piece_mask[row, number, : len(line)] = True
            first[row, : len(places)] = torch.tensor(places, dtype=torch.long)
        inputs = {"pieces": pieces, "piece_mask": piece_mask, "first": first}
        return Batch(inputs, mask, positive_cells(sentences, types))

    def embed(self, inputs: dict[str, Tensor], attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding of each word piece, (B, W, P, E), without its position, and which are pieces, (B, W, P)."""
        return self.model.get_input_embeddings()(inputs["pieces"]), inputs["piece_mask"]

    def forward(self, inputs: dict[str, Tensor], attention_mask: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """pieces and piece_mask (B, W, P), first (B, L), attention_mask (B, L) -> hidden states (B, L, D).

        Where `embeddings` are given, they stand for what `embed` makes of the pieces.
        """
        pieces, piece_mask, first = inputs["pieces"], inputs["piece_mask"], inputs["first"]
        used = piece_mask.any(-1)  # most sentences have one window, whatever the longest one has
        given = {"input_ids": pieces[used]} if embeddings is None else {"inputs_embeds": embeddings[used]}
        states = self.model(**given, attention_mask=piece_mask[used].long()).last_hidden_state
        spread = states.new_zeros(*pieces.shape, self.hidden_size)
        spread[used] = states
        words = spread.flatten(1, 2).gather(1, first[..., None].expand(-1, -1, self.hidden_size))  # (B, L, D)
        hidden_states: Tensor = self.dropout(words)
        return hidden_states

    def description(self) -> dict[str, Any]:
        """JSON of what `from_description` needs beside the tokenizer's files."""
        return {"kind": "pretrained", "config": self.model.config.to_dict(), **self.settings}

    def save_files(self, folder: Path) -> None:
        """Write the tokenizer's files into folder/tokenizer, each replaced in one step."""
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            self.tokenizer.save_pretrained(temporary)
            (folder / TOKENIZER).mkdir(exist_ok=True)
            for file in Path(temporary).iterdir():
                os.replace(file, folder / TOKENIZER / file.name)

    @classmethod
    def from_description(cls, settings: dict[str, Any], folder: Path) -> PretrainedEncoder:
        """The encoder with weights still to be loaded, and the tokenizer of `save_files`; nothing in either is run."""
        transformers = optional("transformers", "transformers", "a tagger with a pretrained encoder")
        config = transformers.AutoConfig.for_model(**_without_code(settings.pop("config")))
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(folder / TOKENIZER), local_files_only=True, trust_remote_code=False
            )
        except OSError as error:
            raise ValueError(f"no tokenizer in {folder / TOKENIZER}: {error}") from error
        return cls(transformers.AutoModel.from_config(config, trust_remote_code=False), tokenizer, **settings)


def _without_code(settings: Any) -> Any:
    """Settings, and those within them, without the ones that name CODE."""
    if not isinstance(settings, dict):
        return settings
    return {name: _without_code(value) for name, value in settings.items() if name not in CODE}


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a sentence."""
    bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def _positions(model: Any, tokenizer: Any) -> int:
    """How many pieces the model takes at once."""
    limits = [int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 10**9))]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)  # RoBERTa counts from padding_idx + 1
    return min(limit for limit in limits if limit > 0)
