"""A tagger: an encoder, a span head, the names of the types; it trains, predicts, saves and loads."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from gpkl_lib._checks import check_kind
from gpkl_lib._storage import CheckpointError, digest, read_tensors, write_tensors, write_text
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch, Sentence, Vocabulary
from gpkl_lib.divergence import Activation
from gpkl_lib.global_pointer import EfficientGlobalPointer, GlobalPointer
from gpkl_lib.spans import check_types
from gpkl_lib.tagger.calibration import DECODING, decoding_text, read_decoding
from gpkl_lib.tagger.hub import OnHub, fetched
from gpkl_lib.tagger.places import DESCRIPTION, WEIGHTS, check_place, tagger_folder
from gpkl_lib.tagger.predictor import Predictor
from gpkl_lib.tagger.pretrained import PretrainedEncoder
from gpkl_lib.tagger.word_encoder import WordEncoder
from gpkl_lib.tiled import tiled_head_loss

HeadName = Literal["global_pointer", "efficient"]
"""A head by name: `GlobalPointer` or `EfficientGlobalPointer`."""
HEADS = {"global_pointer": GlobalPointer, "efficient": EfficientGlobalPointer}


class Tagger(Predictor, OnHub):
    """Sentences in, one score for every (type, start, end) out. Build it with `from_scratch` or `from_encoder`.

    Args:
        encoder: gives hidden states; brings `hidden_size`, `collate` and `description` with it.
        types: H names of span types, the order of the head's scores.
        head: "global_pointer" or "efficient" (EfficientGlobalPointer).
        head_size: features of a query or key, even.

    Attributes:
        max_span_length: tokens of the longest span that `predict` may give; None for any. `fit` sets it to the longest
            training sentence: scores at greater distances were never trained, and on longer sentences they are noise.
        threshold: spans scored above it are found, where a call gives no other; 0 unless `tune_threshold` chose.
        chosen: what `tune_threshold` chose; None where it has not.
        calibration: what `calibrate` fitted; None where it has not.

    Raises:
        TypeError: types that are no list of names.
        ValueError: unknown head, no types or one of them twice; sizes as the heads say.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> tagger(tagger.collate(corpus.sentences[:2])).shape[:2]  # of two sentences, five types
        torch.Size([2, 5])
        >>> spans = tagger.predict(corpus.sentences[:2])  # not trained yet: what it finds is noise
    """

    def __init__(
        self,
        encoder: WordEncoder | PretrainedEncoder,
        types: Sequence[str],
        *,
        head: HeadName = "global_pointer",
        head_size: int = 64,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"head must be one of {', '.join(HEADS)}, got {head!r}")
        check_types(types)
        if not types or len(set(types)) != len(types):
            raise ValueError(f"types must be distinct names, at least one; got {list(types)}")
        self.encoder = encoder
        self.types = tuple(types)
        self.head = HEADS[head](encoder.hidden_size, len(self.types), head_size)
        self.settings: dict[str, Any] = {"head": head, "head_size": head_size}

    @classmethod
    def from_scratch(
        cls,
        sentences: Sequence[Sentence],
        types: Sequence[str],
        *,
        head: HeadName = "global_pointer",
        head_size: int = 64,
        seed: int = 0,
        **encoder: Any,
    ) -> Tagger:
        """A small tagger with a vocabulary of `sentences`; `encoder` holds settings of `WordEncoder`, by name.

        The initial weights follow from `seed` alone; torch's own random state is left as it was.

        Raises:
            TypeError: sentences that are something else, texts say; types that are no list of names.
            ValueError: no sentence, unknown head, no types or one of them twice; settings as `WordEncoder` says.
        """
        sentences = list(sentences)
        for number, sentence in enumerate(sentences):
            check_kind(f"sentences[{number}]", sentence, Sentence, "with tokens")
        if not sentences:
            raise ValueError("sentences must hold at least one, for a vocabulary is made of them")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            words = WordEncoder(Vocabulary.build(sentences), **encoder)
            return cls(words, types, head=head, head_size=head_size)

    @classmethod
    def from_encoder(
        cls,
        name_or_path: str | Path,
        types: Sequence[str],
        *,
        head: HeadName = "global_pointer",
        head_size: int = 64,
        seed: int = 0,
    ) -> Tagger:
        """A tagger on a pretrained encoder of `transformers`: a local folder or a hub name.

        Raises:
            ModuleNotFoundError: transformers is missing; the message names the extra.
            ValueError: no encoder there that could be loaded, or one without a fast tokenizer.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(PretrainedEncoder.load(name_or_path), types, head=head, head_size=head_size)

    def collate(self, sentences: Sequence[Sentence], *, labels: bool = True) -> Batch:
        """A padded batch of B sentences, on the CPU; without `labels` their spans are not looked at.

        Raises:
            ValueError: a span of a type that the tagger does not have.
        """
        return self.encoder.collate(sentences, self.types if labels else None)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the encoder's layers get, rows first, and a mask of what in it is no padding.

        `virtual_adversarial_loss(lambda x: tagger(batch, x), embeddings, embedding_mask=mask, ...)` moves it.
        """
        return self.encoder.embed(batch.inputs, batch.attention_mask)

    def forward(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
        """Logits (B, H, L, L); the cells that are no span hold the dtype's lowest number.

        Args:
            batch: B sentences.
            embeddings: what to read in the place of what `embed` gives; None for that itself.
        """
        states = self.encoder(batch.inputs, batch.attention_mask, embeddings)
        logits: Tensor = self.head(states, batch.attention_mask)
        return logits

    def project(self, batch: Batch, embeddings: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Query and key, each (B, H, L, d), whose products are the logits; arguments as in `forward`."""
        states = self.encoder(batch.inputs, batch.attention_mask, embeddings)
        head: Any = self.head
        query, key = head.project(states, batch.attention_mask)
        return query, key

    def tiled_loss(
        self,
        batch: Batch,
        *,
        views: int = 1,
        alpha: float = 0.0,
        activation: Activation = "sigmoid",
        top: int | None = None,
    ) -> ConsistencyLoss:
        """The loss of the batch's gold spans in tiles, by `tiled_head_loss`: the logits are never all there.

        Args:
            batch: B sentences; with two views the second half is the first half again.
            views: 1 or 2.
            alpha: weight of the divergence of two views, which counts alpha/4 times.
            activation: what their divergence compares, as `rdrop_loss` has it.
            top: how many spans of a board count in it, the highest ones; None for all.
        """
        states = self.encoder(batch.inputs, batch.attention_mask)
        mask = batch.attention_mask[: len(batch) // views]
        options: dict[str, Any] = {"views": views, "alpha": alpha, "activation": activation, "top": top}
        return tiled_head_loss(self.head, states, batch.positives, attention_mask=mask, **options)

    @property
    def num_parameters(self) -> int:
        """The number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """(pretrained, new): weights that come with the encoder, and those that training begins with."""
        pretrained = list(self.encoder.parameters()) if isinstance(self.encoder, PretrainedEncoder) else []
        known = set(map(id, pretrained))
        return pretrained, [parameter for parameter in self.parameters() if id(parameter) not in known]

    def description(self) -> dict[str, Any]:
        """All that makes the tagger but its weights, as JSON values."""
        own = {"format": 1, "types": list(self.types), **self.settings, "max_span_length": self.max_span_length}
        return own | {"encoder": self.encoder.description()}

    def fingerprint(self) -> str:
        """sha256 of `description`: equal for taggers that can exchange weights."""
        return _sha256(self._text())

    def digest(self) -> str:
        """sha256 of description and weights, whatever file they are in: equal for taggers that score alike."""
        return digest(self.state_dict(), {"tagger": self.fingerprint()})

    def _text(self) -> str:
        return json.dumps(self.description(), ensure_ascii=False, indent=1) + "\n"

    def save(self, folder: str | Path) -> None:
        """Write model.safetensors, tagger.json and (pretrained) the tokenizer's files, each replaced in one step.

        Where a threshold was tuned or probabilities were calibrated, decoding.json holds them.

        Raises:
            TypeError: no path.
            CheckpointError: the disk refuses.
        """
        check_place("a folder", folder)
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{folder} cannot be made a folder: {error.strerror}") from error
        (folder / DECODING).unlink(missing_ok=True)  # of other weights
        self.encoder.save_files(folder)
        write_text(folder / DESCRIPTION, self._text())
        write_tensors(folder / WEIGHTS, self.state_dict(), {"tagger": self.fingerprint()})
        self.save_decoding(folder)

    def save_decoding(self, folder: str | Path) -> None:
        """Write the threshold and the calibration, where there is one, beside the weights that `save` wrote there.

        Raises:
            CheckpointError: the disk refuses.
        """
        if self.chosen or self.calibration:
            write_text(Path(folder) / DECODING, decoding_text(self.digest(), self.chosen, self.calibration))

    @classmethod
    def load(cls, place: str | Path) -> Tagger:
        """What `save` wrote, on the CPU, in evaluation mode. A folder needs no network and no other folder.

        The folder may be a stranger's: no code in it runs, and a description that asks for other weights than lie
        beside it is refused before it costs memory.

        Args:
            place: the folder of a saved tagger, or of a training run, whose best epoch it then is; or, where there is
                no such folder, a name on the hub, "someone/names" (`from_pretrained` has more to say of it).

        Raises:
            TypeError: neither a path nor a name.
            ModuleNotFoundError: a hub name without huggingface_hub; the message names the extra.
            CheckpointError: the folder is missing, damaged, or holds something else; the message says which file.
        """
        folder = tagger_folder(fetched(place))
        value, fingerprint = _read_description(folder)
        tensors, metadata = read_tensors(folder / WEIGHTS)
        if metadata.get("tagger") != fingerprint:
            raise CheckpointError(f"{folder}: {WEIGHTS} and {DESCRIPTION} are not of one tagger; save it again")
        _check_shapes(value, tensors, folder)
        tagger = _described(value, folder)
        tagger.load_state_dict(tensors)
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise CheckpointError(f"{folder / WEIGHTS} holds weights that are not finite: its training diverged")
        if (folder / DECODING).exists():
            tagger.chosen, tagger.calibration = read_decoding(folder / DECODING, tagger.digest())
        return tagger.eval()


ENCODERS: dict[str, type[WordEncoder] | type[PretrainedEncoder]] = {
    "words": WordEncoder,
    "pretrained": PretrainedEncoder,
}


def _described(value: dict[str, Any], folder: Path) -> Tagger:
    """The tagger of a description, with weights still to be loaded."""
    try:
        types, longest, settings = value["types"], value["max_span_length"], copy.deepcopy(value["encoder"])
        if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
            raise ValueError(f"types must be a list of names, got {types!r}")
        if longest is not None and (type(longest) is not int or longest < 1):
            raise ValueError(f"max_span_length must be null or at least 1, got {longest!r}")
        encoder = ENCODERS[settings.pop("kind")].from_description(settings, folder)
        tagger = Tagger(encoder, types, head=value["head"], head_size=value["head_size"])
    except (ModuleNotFoundError, CheckpointError):
        raise
    except Exception as error:  # what the libraries that build raise at settings that nobody meant is theirs to choose
        raise CheckpointError(f"{folder / DESCRIPTION} does not describe a tagger: {error!r}") from error
    tagger.max_span_length = longest
    return tagger


def _check_shapes(value: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> None:
    """Raise CheckpointError unless the weights are those of the description.

    The tagger is built without memory, on the device "meta"; a description of more weights than there are is given up
    on the way, for a hundred thousand layers take minutes even so.
    """
    misfit, registered = f"{folder / WEIGHTS} does not fit {DESCRIPTION}", 0

    def count(*_: object) -> None:
        nonlocal registered
        registered += 1
        if registered > 2 * len(tensors) + 100:  # an encoder makes some that it then drops
            raise CheckpointError(f"{misfit}: that asks for more than the {len(tensors)} tensors there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"), _Unfilled():
            described = {name: tensor.shape for name, tensor in _described(value, folder).state_dict().items()}
    finally:
        hook.remove()
    for name in sorted(described.keys() | tensors.keys()):
        wanted, there = described.get(name), tensors[name].shape if name in tensors else None
        if wanted != there:
            raise CheckpointError(f"{misfit}: {name} should have shape {_shape(wanted)}, has {_shape(there)}")


class _Unfilled(TorchFunctionMode):
    """Draws no numbers for new weights: on "meta" there is no room for them, and torch would import SymPy to see so."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the function gives, the tensor as it is where that is `normal_`."""
        given = kwargs or {}
        return given["tensor"] if function is nn.init.normal_ else function(*args, **given)


def _shape(shape: torch.Size | None) -> str:
    return "none" if shape is None else str(tuple(shape))


def _read_description(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / DESCRIPTION
    if not path.is_file():
        what = "is a file, and a tagger is a folder" if folder.is_file() else "does not exist"
        what = "holds no saved tagger" if folder.is_dir() else what
        raise CheckpointError(f"{folder} {what} ({path.name} is missing)")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict) or value.get("format") != 1:
        raise CheckpointError(f'{path} is no tagger of this version (it should hold "format": 1)')
    return value, _sha256(text)


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
