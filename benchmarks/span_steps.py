"""The steps that `span_loss.py` measures: each function gives one, for sentences of a length, that can be called again.

torch and the library are imported where they are used: the process that only plans needs neither.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import math
import sys
import types
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

BATCH, TYPES, HEAD_SIZE, HIDDEN, SPANS = 4, 10, 64, 256, 8  # spans: of each sentence
Step = Callable[[], object]


def inputs(length: int, batch: int) -> tuple[Any, Any]:
    """Hidden states (2 * batch, L, HIDDEN) of two views, and gold cells; the same on every device."""
    import torch

    with torch.device("cpu"):
        generator = torch.Generator().manual_seed(length)
        hidden = torch.randn(2 * batch, length, HIDDEN, generator=generator)
        cells = set()
        for b in range(batch):
            for _ in range(SPANS):
                start = int(torch.randint(length, (), generator=generator))
                end = min(length - 1, start + int(torch.randint(5, (), generator=generator)))
                cells.add((b, int(torch.randint(TYPES, (), generator=generator)), start, end))
    return hidden.to(torch.get_default_device()).requires_grad_(), torch.tensor(sorted(cells))


def head() -> Any:
    import torch

    from gpkl_lib import GlobalPointer

    torch.manual_seed(0)
    return GlobalPointer(HIDDEN, TYPES, HEAD_SIZE)


def tiled(length: int, batch: int) -> Step:
    from gpkl_lib.tiled import tiled_head_loss

    model, (hidden, positives) = head(), inputs(length, batch)
    return lambda: tiled_head_loss(model, hidden, positives, views=2, alpha=1.0).loss.backward()


def dense(length: int, batch: int) -> Step:
    import torch

    from gpkl_lib import rdrop_loss, span_mask, sparse_multilabel_cross_entropy

    model, (hidden, positives) = head(), inputs(length, batch)
    real = torch.ones(batch, length, dtype=torch.bool)

    def step() -> None:
        first, second = model(hidden).chunk(2)
        how: dict[str, Any] = {"class_dims": 2, "mask": span_mask(real)}
        rdrop_loss(
            first,
            second,
            lambda view: sparse_multilabel_cross_entropy(view, positives, **how),
            alpha=1.0,
            activation="sigmoid",
            **how,
        ).loss.backward()

    return step


def eager_loss(model: Any) -> Callable[[Any, Any], Any]:
    """The dense way as it is usually written: labels for all cells, one mask by -1e12, differences of sigmoids."""
    import torch

    def loss(hidden: Any, labels: Any) -> Any:
        n, length, _ = hidden.shape
        query, key = model.projection(hidden).view(n, length, 2, TYPES, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        position = torch.arange(length, dtype=torch.float32)[:, None]
        angle = position * 10000.0 ** (-torch.arange(0, HEAD_SIZE, 2) / HEAD_SIZE)
        cos, sin = angle.cos().repeat_interleave(2, -1), angle.sin().repeat_interleave(2, -1)
        query, key = (x * cos + torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2) * sin for x in (query, key))
        logits = query @ key.mT / HEAD_SIZE**0.5
        logits = (logits - torch.ones(length, length).tril(-1) * 1e12).flatten(2).flatten(0, 1)
        s, t = logits.chunk(2)
        signed = (1 - 2 * labels) * logits
        zero = torch.zeros_like(signed[:, :1])
        negative = torch.logsumexp(torch.cat([signed - labels * 1e12, zero], -1), -1)
        positive = torch.logsumexp(torch.cat([signed - (1 - labels) * 1e12, zero], -1), -1)
        divergence = ((s.sigmoid() - t.sigmoid()) * (s - t)).sum(-1).mean()
        return (negative + positive).mean() + divergence / 4

    return loss


def dense_labels(positives: Any, length: int, batch: int) -> Any:
    import torch

    labels = torch.zeros(batch, TYPES, length, length)
    labels[tuple(positives.T)] = 1
    return labels.flatten(2).flatten(0, 1).repeat(2, 1)


def eager(length: int, batch: int, compiled: bool = False) -> Step:
    import torch

    hidden, positives = inputs(length, batch)
    labels, loss = dense_labels(positives, length, batch), eager_loss(head())
    if compiled:
        loss = torch.compile(loss)
    return lambda: loss(hidden, labels).backward()


def compiled(length: int, batch: int) -> Step:
    return eager(length, batch, compiled=True)


def bert4torch(length: int, batch: int) -> Step:
    import torch

    sys.meta_path.append(_Placeholder())  # it imports torchvision, for image models that have no part in this
    try:
        from bert4torch.layers import GlobalPointer
        from bert4torch.losses import MultilabelCategoricalCrossentropy
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"skipped: bert4torch is not installed ({error}); it needs, undeclared, requests pillow tokenizers httpx"
        ) from None
    torch.manual_seed(0)
    model, cross_entropy = GlobalPointer(HIDDEN, TYPES, HEAD_SIZE), MultilabelCategoricalCrossentropy()
    hidden, positives = inputs(length, batch)
    mask, labels = torch.ones(2 * batch, length), dense_labels(positives, length, batch)

    def step() -> None:
        logits = model(hidden, mask).flatten(2).flatten(0, 1)
        s, t = logits.chunk(2)
        divergence = ((s.sigmoid() - t.sigmoid()) * (s - t)).sum(-1).mean()
        (cross_entropy(logits, labels) + divergence / 4).backward()

    return step


def products(length: int, batch: int) -> Step:
    import torch

    from gpkl_lib.tiled import BLOCK, HOLD, groups_of

    device = torch.get_default_device().type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
    query, key = (torch.randn(2, batch, TYPES, length, HEAD_SIZE).to(low) for _ in range(2))
    groups, rows = groups_of(torch.ones(batch, length, dtype=torch.bool), TYPES, 2, BLOCK, HOLD)
    room = torch.empty(max(group.cells(2, rows) for group in groups), dtype=low)

    def step() -> None:
        for group in groups:
            part = (slice(None), group.sentences, slice(group.first, group.last))
            q, k = query[part].flatten(0, 2), key[part].flatten(0, 2)
            by_query, by_key = torch.empty_like(q), torch.zeros_like(k)
            for start in range(0, length, rows):
                end = min(start + rows, length)
                shape = (len(q), end - start, length - start)
                scores = room[: math.prod(shape)].view(shape)
                torch.bmm(q[:, start:end], k[:, start:].mT, out=scores)
                torch.bmm(scores, k[:, start:], out=by_query[:, start:end])
                by_key[:, start:].baddbmm_(scores.mT, q[:, start:end])

    return step


def all_products(length: int, batch: int) -> Step:
    import torch

    of_scores, states = products(length, batch), torch.randn(2 * batch * length, HIDDEN)
    weight, by_projected = torch.randn(2 * TYPES * HEAD_SIZE, HIDDEN), torch.randn(len(states), 2 * TYPES * HEAD_SIZE)

    def step() -> None:
        of_scores()
        for one, other in ((states, weight.mT), (by_projected, weight), (by_projected.mT, states)):
            torch.mm(one, other)

    return step


class HeadModel:
    """A tagger whose encoder is dropout; what a step of training asks of a model."""

    def __init__(self, head: Any) -> None:
        self.head = head

    def states(self, batch: Any, embeddings: Any) -> Any:
        import torch

        return torch.nn.functional.dropout(batch.inputs["states"] if embeddings is None else embeddings, 0.1)

    def __call__(self, batch: Any, embeddings: Any = None) -> Any:
        return self.head(self.states(batch, embeddings), batch.attention_mask)

    def project(self, batch: Any, embeddings: Any = None) -> Any:
        return self.head.project(self.states(batch, embeddings), batch.attention_mask)

    def tiled_loss(self, batch: Any, *, views: int = 1, **options: Any) -> Any:
        from gpkl_lib.tiled import tiled_head_loss

        options = {"attention_mask": batch.attention_mask[: len(batch) // views], "views": views, **options}
        return tiled_head_loss(self.head, self.states(batch, None), batch.positives, **options)

    def embed(self, batch: Any) -> Any:
        return batch.inputs["states"], batch.attention_mask


def method_step(method: str, how: bool, length: int, batch: int) -> Step:
    """A step of a method on `batch` sentences; uda has as many unlabelled ones, a teacher a head of its own."""
    import torch

    from gpkl_lib.corpora import Batch
    from gpkl_lib.training import METHODS, TrainingConfig, training_loss

    config, model, (hidden, positives) = TrainingConfig(method=method), HeadModel(head()), inputs(length, batch)
    teacher, needs = HeadModel(head()), METHODS[method].needs
    rows = 2 * batch if needs == "unlabelled" else batch
    leaf = hidden[:rows].detach().requires_grad_()
    other = Batch({"states": hidden[batch:].detach()}, torch.ones(batch, length, dtype=torch.bool), positives)

    def step() -> None:
        target = None
        with torch.no_grad():
            if needs:
                target = teacher.project(other) if how else teacher(other)
        own = Batch({"states": leaf}, torch.ones(rows, length, dtype=torch.bool), positives)
        training_loss(model, own, config, 1.0, target, tiled=how).loss.backward()

    return step


def tagger_step(method: str, how: bool) -> Step:
    """A whole step of `fit` on the toy corpus: encoder, head, losses, backward, optimiser."""
    import torch

    from gpkl_lib import Tagger
    from gpkl_lib.corpora import toy_corpus
    from gpkl_lib.training import TrainingConfig, training_loss

    corpus, config = toy_corpus(), TrainingConfig(method=method)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=100, dropout=0.3)
    optimizer = torch.optim.AdamW(tagger.parameters(), lr=1e-3, fused=True)
    batches = [tagger.collate(corpus.sentences[at : at + 16]) for at in range(0, 192, 16)]

    def step() -> None:
        for batch in batches:
            optimizer.zero_grad()
            training_loss(tagger, batch, config, tiled=how).loss.backward()
            optimizer.step()

    return step


class _Placeholder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for torchvision where it is missing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        ours = name.split(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: Any) -> types.ModuleType:
        from unittest.mock import MagicMock

        def anything(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return MagicMock()

        module = types.ModuleType(spec.name)
        module.__path__, module.__getattr__ = [], anything  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        pass


STEPS: dict[str, Callable[[int, int], Step]] = {
    "tiled": tiled,
    "dense": dense,
    "eager": eager,
    "compiled": compiled,
    "bert4torch": bert4torch,
    "products": products,
    "all products": all_products,
    "plain dense": lambda length, batch: tagger_step("none", False),
    "plain tiled": lambda length, batch: tagger_step("none", True),
    "two views dense": lambda length, batch: tagger_step("sigmoid", False),
    "two views tiled": lambda length, batch: tagger_step("sigmoid", True),
}
TRAINED = ("none", "sigmoid", "softmax", "squared", "vat", "uda", "distillation")
for _method, _how in product(TRAINED, ("dense", "tiled")):
    STEPS[f"{_method} {_how}"] = partial(method_step, _method, _how == "tiled")
