"""What a training step reads: labelled sentences and, as the method asks, unlabelled ones or a teacher's scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from gpkl_lib.corpora import (
    Batch,
    Corpus,
    Sentence,
    augmented,
    bare,
    batches,
    contents,
    drawn,
    words_by_shape,
)
from gpkl_lib.span_loss import TILED_FROM
from gpkl_lib.tagger import Tagger
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.methods import METHODS
from gpkl_lib.training.methods.method import Target
from gpkl_lib.training.tiles import takes_tiles

GROUP = 32  # sentences that a teacher is asked of together
KEPT = 1 << 28  # numbers of a teacher's, in float32 a GiB: of 5 types and queries of 64 some 370,000 tokens


class Example(NamedTuple):
    """A labelled sentence and, for a method that needs them, unlabelled ones with their copies, or a copy of itself.

    Copies are altered where the method has settings that say how, as "uda" and "copies" have.
    """

    sentence: Sentence
    unlabelled: Sequence[Sentence] = ()
    copies: Sequence[Sentence] = ()


class StepBatches:
    """The batches of the training steps; everything in them follows from the seed and the step.

    Args:
        tagger: the one that learns.
        train: labelled sentences.
        config: names the method; one that needs unlabelled sentences has the settings of "uda" that draw and alter
            them: unlabelled_ratio, hide, exchange.
        unlabelled: for such a method, sentences whose labels are not looked at.
        teacher: for a method that needs one, a tagger with the types of `tagger`; put on its device, and asked at the
            first step what it says of all of `train` (see `Taught`).

    Raises:
        ValueError: what the method needs is missing or empty, what it does not use is given, a teacher of other types.
    """

    def __init__(
        self, tagger: Tagger, train: Corpus, config: TrainingConfig, unlabelled: Corpus | None, teacher: Tagger | None
    ) -> None:
        self.tagger, self.train, self.config, self.teacher = tagger, train, config, teacher
        self.taught: Taught | None = None
        for name, value in (("unlabelled", unlabelled), ("teacher", teacher)):
            if (METHODS[config.method].needs == name) != (value is not None):
                wrong = "needs" if value is None else "has no use for"
                learning = " or ".join(repr(method.name) for method in METHODS.values() if method.needs == name)
                raise ValueError(f"method {config.method!r} {wrong} {name}, which method {learning} learns from")
        if unlabelled is not None and not len(unlabelled):
            raise ValueError("unlabelled has no sentence")
        if teacher is not None and sorted(teacher.types) != sorted(tagger.types):
            known, wanted = ", ".join(teacher.types), ", ".join(tagger.types)
            raise ValueError(f"the teacher must know the types of the tagger, {wanted}; it knows {known}")
        self.unlabelled = bare(unlabelled or ())
        self.alters = METHODS[config.method].setting("hide") is not None
        self.words = words_by_shape([*train, *self.unlabelled]) if self.alters else {}

    def examples(self, sentences: Sequence[Sentence], step: int) -> list[Example]:
        """An example for each labelled sentence of a step, so that processes can share them out."""
        if not self.unlabelled:
            copies = self._altered(sentences, step) if self.alters else ()
            return [Example(sentence, (), copies[n : n + 1]) for n, sentence in enumerate(sentences)]
        config, each = self.config, self.config.unlabelled_ratio
        chosen = drawn(self.unlabelled, config.batch_size * each, seed=config.seed, step=step)[: len(sentences) * each]
        copies = self._altered(chosen, step) if self.alters else chosen
        starts = range(0, len(chosen), each)
        return [
            Example(sentence, chosen[start : start + each], copies[start : start + each])
            for sentence, start in zip(sentences, starts, strict=True)
        ]

    def _altered(self, sentences: Sequence[Sentence], step: int) -> Sequence[Sentence]:
        config = self.config
        seed = f"{config.seed} {step}"
        return augmented(sentences, self.words, hide=config.hide, exchange=config.exchange, seed=seed)

    def collate(
        self, examples: Sequence[Example], device: torch.device, tiled: bool | Literal["auto"] = False
    ) -> tuple[Batch, Target | None]:
        """A batch of the labelled sentences and then the copies, and what `training_loss` takes as `target`.

        That is scores, or where the step is computed in tiles queries and keys: a teacher's, or what the model says of
        unlabelled sentences whose copies are altered.
        """
        sentences = [example.sentence for example in examples]
        copies = [copy for example in examples for copy in example.copies]
        batch = self.tagger.collate([*sentences, *copies]).to(device)
        in_tiles = takes_tiles(self.config, batch, tiled)
        if self.unlabelled and self.alters:
            unlabelled = [one for each in examples for one in each.unlabelled]
            return batch, fixed_target(self.tagger, unlabelled, self.tagger.types, device, in_tiles)
        if self.teacher is None:
            return batch, None
        if self.taught is None:
            self.taught = Taught(self.teacher.to(device), self.train, self.tagger.types)
        return batch, self.taught.target(sentences, in_tiles)

    def record(self) -> dict[str, Any]:
        """What a resumed run must find again, as JSON: digests of the unlabelled sentences and of the teacher."""
        told: dict[str, Any] = {}
        if self.unlabelled:
            told["unlabelled"] = {"sentences": len(self.unlabelled), "contents": contents(self.unlabelled)}
        if self.teacher is not None:
            told["teacher"] = self.teacher.digest()
        return told


class Taught:
    """What a teacher says of sentences: it is asked once for each, as what it says depends on nothing but the sentence.

    Its queries and keys are kept in main memory, and the scores of sentences that are too short for tiles, those of the
    shortest first, about `KEPT` numbers at most; of a batch with other sentences it is asked again each time. It is
    asked in groups that follow from the sentences alone, so that a run that goes on from a checkpoint learns from the
    same digits as one left alone.

    Args:
        teacher: on the device where it is to work, and where the targets go.
        sentences: those that will be asked for, most of them more than once.
        types: the order of the targets; the teacher may have another.
    """

    def __init__(self, teacher: Tagger, sentences: Iterable[Sentence], types: tuple[str, ...]) -> None:
        self.teacher, self.types, room = teacher, types, KEPT
        self.projections: dict[tuple[str, ...], Tensor] = {}  # (2, H, l, d) of l tokens, query and key
        self.scores: dict[tuple[str, ...], Tensor] = {}  # (H, l, l)
        different = {sentence.tokens: sentence for sentence in sentences}
        for group in batches(sorted(different.values(), key=len), GROUP, shuffle=False):
            asked = torch.stack(tuple(fixed_target(teacher, group, types, teacher.device, tiled=True)), 1).cpu()
            for sentence, own in zip(group, asked, strict=True):
                projection = own[:, :, : len(sentence)].clone()  # a view would keep the whole group
                scores = _scores(projection) if len(sentence) < TILED_FROM else None
                room -= projection.numel() + (0 if scores is None else scores.numel())
                if room < 0:
                    return
                self.projections[sentence.tokens] = projection
                if scores is not None:
                    self.scores[sentence.tokens] = scores

    def target(self, sentences: Sequence[Sentence], tiled: bool) -> Target:
        """What `fixed_target` gives, but for rounding."""
        tokens, device = [sentence.tokens for sentence in sentences], self.teacher.device
        if not all(one in self.projections for one in tokens):
            return fixed_target(self.teacher, sentences, self.types, device, tiled)
        longest = max(1, *map(len, sentences), 1)
        if tiled:
            kept = [self.projections[one] for one in tokens]
            both = kept[0].new_zeros(len(kept), *kept[0].shape[:2], longest, kept[0].shape[-1])
            for row, own in zip(both, kept, strict=True):
                row[:, :, : own.shape[2]] = own
            query, key = both.to(device).unbind(1)
            return query, key
        boards = [self.scores[one] if one in self.scores else _scores(self.projections[one]) for one in tokens]
        scores = boards[0].new_full((len(boards), len(self.types), longest, longest), _lowest(boards[0]))
        for row, own in zip(scores, boards, strict=True):
            row[:, : own.shape[-1], : own.shape[-1]] = own
        return scores.to(device)


def _scores(projection: Tensor) -> Tensor:
    """(2, H, L, d) -> (H, L, L), of a sentence without padding, as the heads fill them."""
    query, key = projection
    scores = torch.matmul(query, key.mT)
    return scores.masked_fill(~torch.ones(scores.shape[1:], dtype=torch.bool).triu(), _lowest(scores))


def _lowest(scores: Tensor) -> float:
    return torch.finfo(scores.dtype).min


def fixed_target(
    tagger: Tagger, sentences: Sequence[Sentence], types: tuple[str, ...], device: torch.device, tiled: bool
) -> Target:
    """The scores (B, H, L, L) of a tagger without dropout and without a gradient; its mode is then as it was.

    In tiles its queries and keys, each (B, H, L, d). The H types are in the order of `types`.
    """
    order = slice(None) if types == tagger.types else [tagger.types.index(name) for name in types]
    with tagger.unchanging():
        batch = tagger.collate(sentences, labels=False).to(device)
        if tiled:
            query, key = tagger.project(batch)
            return query[:, order], key[:, order]
        scores: Tensor = tagger(batch)
        return scores[:, order]
