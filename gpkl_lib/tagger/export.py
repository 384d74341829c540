"""A tagger as a graph, for every batch and length: `torch.export`, and ONNX, which runs without torch."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gpkl_lib._optional import optional
from gpkl_lib._storage import write_bytes
from gpkl_lib.corpora import Batch
from gpkl_lib.tagger.pretrained import PretrainedEncoder
from gpkl_lib.tagger.tagger import Tagger

if TYPE_CHECKING:
    from torch.export import ExportedProgram

MASK, SCORES = "attention_mask", "scores"
TOKENS, LETTERS, WINDOWS = ("batch", "length"), ("batch", "length", "letters"), ("batch", "windows", "pieces")
WORDS: dict[str, tuple[str, ...]] = {"words": TOKENS, "characters": LETTERS}
PIECES: dict[str, tuple[str, ...]] = {"pieces": WINDOWS, "piece_mask": WINDOWS, "first": TOKENS}
TRACED = {"batch": 2, "length": 3, "letters": 4, "windows": 2, "pieces": 5}
"""Sizes at which a graph is traced: none of them is 0 or 1, which a trace takes for constants."""
LIMIT = 2**31
"""Bytes of the largest protobuf message, and so of an ONNX file."""


def export_program(tagger: Tagger) -> ExportedProgram:
    """The tagger as a `torch.export` graph for any number of sentences of any length, without dropout.

    Its inputs are those of `Tagger.collate`, in their order, and then the attention_mask. Its output are the scores
    (B, H, L, L); what is no span, or one longer than `max_span_length`, holds the dtype's lowest number, so that the
    scores above a threshold are the spans of `predict`. A file of `torch.export.save` is read where `gpkl_lib.tagger`
    is imported: a tagger from scratch has an operator of its own in the graph, for an LSTM of any length has none.

    Args:
        tagger: is left as it is.

    Raises:
        RuntimeError: torch is older than 2.6.

    >>> from gpkl_lib.corpora import toy_corpus
    >>> from gpkl_lib.tagger import Tagger, export_program
    >>> corpus = toy_corpus(20)
    >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
    >>> run = export_program(tagger).module()
    >>> batch = tagger.collate(corpus.sentences[:4], labels=False)
    >>> scores = run(*batch.inputs.values(), batch.attention_mask)
    >>> list(scores.shape) == [4, len(corpus.types), *batch.attention_mask.shape[1:] * 2]
    True
    """
    from torch.export import Dim, export

    if not hasattr(Dim, "DYNAMIC"):
        raise RuntimeError(f"a graph of any length needs torch 2.6 or newer, this is {torch.__version__}")
    axes = _axes(tagger)
    sample = tuple(
        torch.ones([TRACED[axis] for axis in places], dtype=torch.bool if "mask" in name else torch.long)
        for name, places in axes.items()
    )
    shapes = tuple(dict.fromkeys(range(len(places)), Dim.DYNAMIC) for places in axes.values())
    return export(_Graph(tagger), sample, dynamic_shapes={"tensors": shapes}, strict=False)


def export_onnx(tagger: Tagger, path: str | Path) -> None:
    """Write the graph of `export_program` as one ONNX file, in one step.

    Its inputs have the names of `Tagger.collate` and "attention_mask", its output is "scores". The file's metadata hold
    under "gpkl" what `Tagger.description` gives, as JSON: the types in the order of the scores and, from scratch, the
    numbers of words and characters. A pretrained encoder's pieces come from its tokenizer, which `Tagger.save` writes.

    Args:
        tagger: is left as it is.
        path: of the new file, such as "tagger.onnx".

    Raises:
        ModuleNotFoundError: a package of the extra "onnx" is missing.
        RuntimeError: torch is older than 2.6.
        ValueError: weights of more than 2 GB, which one ONNX file cannot hold.
        CheckpointError: the disk refuses.

    >>> import numpy, onnxruntime, torch
    >>> from gpkl_lib import decode_spans
    >>> from gpkl_lib.corpora import toy_corpus
    >>> from gpkl_lib.tagger import Tagger, export_onnx
    >>> corpus = toy_corpus(20)
    >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
    >>> export_onnx(tagger, "tagger.onnx")
    >>> session = onnxruntime.InferenceSession("tagger.onnx")
    >>> batch = tagger.collate(corpus.sentences[:4], labels=False)
    >>> inputs = {**batch.inputs, "attention_mask": batch.attention_mask}
    >>> (scores,) = session.run(["scores"], {name: tensor.numpy() for name, tensor in inputs.items()})
    >>> spans = decode_spans(torch.from_numpy(scores), tagger.types, batch.attention_mask)
    >>> spans == tagger.predict(corpus.sentences[:4])
    True
    """
    for package in ("onnx", "onnxscript"):
        optional(package, "onnx", "an ONNX file")
    size = sum(tensor.numel() * tensor.element_size() for tensor in tagger.state_dict().values())
    if size >= LIMIT:
        raise ValueError(f"an ONNX file holds less than 2 GB, the tagger's weights are {size / 1e9:.1f} GB")
    axes = _axes(tagger)
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # torch's, about its own code and about two inputs with one axis
        program = torch.onnx.export(
            export_program(tagger),
            dynamo=True,
            verbose=False,
            input_names=list(axes),
            output_names=[SCORES],
            dynamic_shapes={"tensors": tuple(dict(enumerate(places)) for places in axes.values())},
            custom_translation_table={torch.ops.gpkl.lstm.default: _onnx_lstm()},
        )
    assert program is not None
    program.model.metadata_props["gpkl"] = json.dumps(tagger.description(), ensure_ascii=False)
    write_bytes(Path(path), program.model_proto.SerializeToString())


def _axes(tagger: Tagger) -> dict[str, tuple[str, ...]]:
    """The inputs of a tagger's graph, each with the names of its dimensions."""
    return {**(PIECES if isinstance(tagger.encoder, PretrainedEncoder) else WORDS), MASK: TOKENS}


class _Graph(nn.Module):
    """A tagger's scores as a function of tensors."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        self.tagger = copy.deepcopy(tagger).cpu().eval().requires_grad_(False)
        self.names = list(_axes(tagger))[:-1]
        for module in list(self.tagger.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.LSTM):
                    setattr(module, name, _AnyLength(child))

    def forward(self, *tensors: Tensor) -> Tensor:
        """Scores (B, H, L, L) of the encoder's inputs and the attention_mask."""
        *inputs, mask = tensors
        batch = Batch(dict(zip(self.names, inputs, strict=True)), mask, torch.zeros(0, 4, dtype=torch.long))
        scores: Tensor = self.tagger(batch)
        longest = self.tagger.max_span_length
        if longest is None:
            return scores
        place = torch.arange(mask.shape[1])
        return scores.masked_fill(place - place[:, None] >= longest, torch.finfo(scores.dtype).min)


class _AnyLength(nn.Module):
    """An `nn.LSTM` of one direction and layer as one operator: torch would unroll it at the length of the trace."""

    def __init__(self, layer: nn.LSTM) -> None:
        super().__init__()
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        self.weights = nn.ParameterList(getattr(layer, name) for name in names)

    def forward(self, states: Tensor) -> tuple[Tensor, None]:
        """(B, L, E) -> (B, L, D)."""
        return torch.ops.gpkl.lstm(states, *self.weights), None


torch.library.define("gpkl::lstm", "(Tensor states, Tensor w_ih, Tensor w_hh, Tensor b_ih, Tensor b_hh) -> Tensor")


@torch.library.impl("gpkl::lstm", "CompositeExplicitAutograd")
def _lstm(states: Tensor, *weights: Tensor) -> Tensor:
    zero = states.new_zeros(1, len(states), weights[1].shape[1])
    return torch.lstm(states, (zero, zero), weights, True, 1, 0.0, False, False, True)[0]


@torch.library.impl("gpkl::lstm", "Meta")  # register_fake would do, and cost each import 3 ms
def _lstm_shape(states: Tensor, *weights: Tensor) -> Tensor:
    return states.new_empty(*states.shape[:2], weights[1].shape[1])


def _onnx_lstm() -> Callable[..., Any]:
    """How ONNX says "gpkl::lstm"; its gates stand in the order input, output, forget, cell."""
    op = optional("onnxscript.onnx_opset", "onnx", "an ONNX file").opset18

    def lstm(states: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        size = w_hh.shape[1]
        rows = torch.arange(4 * size).view(4, size)[[0, 3, 1, 2]].flatten().tolist()
        first = op.Constant(value_ints=[0])
        turned = [op.Unsqueeze(op.Gather(w, op.Constant(value_ints=rows)), first) for w in (w_ih, w_hh, b_ih, b_hh)]
        time_first, bias = op.Transpose(states, perm=[1, 0, 2]), op.Concat(*turned[2:], axis=1)
        found, _, _ = op.LSTM(time_first, *turned[:2], bias, hidden_size=size)  # (L, 1, B, D)
        return op.Transpose(op.Squeeze(found, op.Constant(value_ints=[1])), perm=[1, 0, 2])

    return lstm


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter logs of packages and operators that a tagger does not need."""
    logger = logging.getLogger("torch.onnx")
    before, logger.level = logger.level, logging.ERROR
    try:
        yield
    finally:
        logger.level = before
