"""What each method adds to the loss of a step: by hand, split over parts, in half precision, with other encoders."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, kl_divergence

import gpkl_lib.adversarial
from gpkl_lib import multilabel_cross_entropy, span_mask, symmetric_kl
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch, Corpus, Sentence, toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.batching import StepBatches, fixed_scores
from gpkl_lib.training.loop import TrainingConfig, training_loss

TRAIN, MORE = toy_corpus(12), toy_corpus(40)[12:]
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
CONFIGS = {
    "none": TrainingConfig(),
    "sigmoid": TrainingConfig(method="sigmoid"),
    "vat": TrainingConfig(method="vat", epsilon=0.2),
    "uda": TrainingConfig(method="uda", temperature=0.7, threshold=0.6, hide=0.3),
    "annealed uda": TrainingConfig(method="uda", annealing="linear", threshold=0.0),
    "distillation": TrainingConfig(method="distillation", temperature=3.0),
    "hottest distillation": TrainingConfig(method="distillation", temperature=math.inf),
}
CPU = torch.device("cpu")


def small_tagger(**settings) -> Tagger:
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **{**SMALL, **settings})


def still_tagger(**settings) -> Tagger:
    """One that sees the same thing twice."""
    return small_tagger(dropout=0.0, word_dropout=0.0, **settings)


def batches_for(tagger: Tagger, config: TrainingConfig, teacher: Tagger | None = None) -> StepBatches:
    if config.method == "distillation" and teacher is None:
        teacher = small_tagger(seed=5, hidden_size=20)
    unlabelled = MORE if config.method == "uda" else None
    return StepBatches(tagger, TRAIN, config, unlabelled, teacher if config.method == "distillation" else None)


def loss_of(tagger: Tagger, config: TrainingConfig, sentences=TRAIN.sentences, done: float = 1.0) -> ConsistencyLoss:
    steps = batches_for(tagger, config)
    batch, target = steps.collate(steps.examples(sentences, 3), CPU)
    return training_loss(tagger, batch, config, done, target)


def gradients(tagger: Tagger, loss: Tensor) -> list[Tensor]:
    return [g.clone() for g in torch.autograd.grad(loss, list(tagger.parameters()))]


def spans_of(lengths: Tensor, longest: int) -> Tensor:
    """(B, 1, L, L), True for the spans."""
    return span_mask(torch.arange(longest) < lengths[:, None])


def random_scores(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# By hand


def dense_cross_entropy(logits: Tensor, batch: Batch, mask: Tensor) -> Tensor:
    labels = torch.zeros_like(logits)
    labels[tuple(batch.positives.T)] = 1
    return multilabel_cross_entropy(logits, labels, class_dims=2, mask=mask)


@pytest.mark.parametrize("divide", ["all", "confident"])
@pytest.mark.parametrize("threshold", [0.0, 0.8])
def test_uda_is_the_kl_to_the_sharpened_target_over_sure_spans(divide: str, threshold: float):
    lengths = torch.tensor([3, 4, 3, 2])  # two labelled sentences, two copies
    logits, target = random_scores(4, 2, 4, 4), random_scores(2, 2, 3, 3, seed=1)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2], [1, 0, 3, 3]]))
    config = TrainingConfig(
        method="uda", alpha=0.7, temperature=0.4, threshold=threshold, divide=divide, alpha_warmup=0.5
    )
    found = training_loss(lambda _: logits, batch, config, 0.25, target)
    total, sure, valid = 0.0, 0, 0
    for b, length in enumerate([3, 2]):
        for h in range(2):
            for i in range(length):
                for j in range(i, length):
                    s, t, valid = logits[2 + b, h, i, j], target[b, h, i, j], valid + 1
                    p = torch.sigmoid(t)
                    if max(p, 1 - p) > threshold:
                        sure += 1
                        total += float(kl_divergence(Bernoulli(logits=t / 0.4), Bernoulli(logits=s)))
    wanted = total / 4 if divide == "all" else total / 4 * valid / sure  # 4 rows: two copies, two types
    assert found.divergence.item() == pytest.approx(wanted, rel=1e-9)
    task = dense_cross_entropy(logits[:2], batch, spans_of(lengths[:2], 4).expand(2, 2, 4, 4))
    assert found.task.item() == pytest.approx(task.item(), rel=1e-9)
    assert found.loss.item() == pytest.approx(task.item() + 0.35 * wanted, rel=1e-9)  # alpha at half of its warm-up


@pytest.mark.parametrize(("schedule", "done"), [("linear", 0.5), ("exp", 0.9), ("log", 0.1)])
def test_annealing_leaves_out_labelled_spans_that_are_right_already(schedule: str, done: float):
    rises = {"log": 1 - math.exp(-5 * done), "linear": done, "exp": math.exp(5 * (done - 1))}
    highest = rises[schedule] / 2 + 0.5
    lengths, logits = torch.tensor([3, 4, 2]), random_scores(3, 2, 4, 4)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2], [1, 0, 3, 3], [1, 1, 0, 1]]))
    config = TrainingConfig(method="uda", annealing=schedule, threshold=0.0)
    found = training_loss(lambda _: logits, batch, config, done, random_scores(1, 2, 2, 2))
    labels = torch.zeros(2, 2, 4, 4)
    labels[tuple(batch.positives.T)] = 1
    right = torch.where(labels == 1, torch.sigmoid(logits[:2]), torch.sigmoid(-logits[:2]))
    still = spans_of(lengths[:2], 4) & (right <= highest)
    assert 0 < still.sum() < spans_of(lengths[:2], 4).expand(2, 2, 4, 4).sum()
    wanted = multilabel_cross_entropy(logits[:2], labels * still, class_dims=2, mask=still)
    assert found.task.item() == pytest.approx(wanted.item(), rel=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 4.0, math.inf])
def test_distillation_is_t_squared_kl_over_spans_and_its_limit(temperature: float):
    lengths = torch.tensor([3, 4])
    logits, target = random_scores(2, 2, 4, 4), random_scores(2, 2, 4, 4, seed=1)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2]]))
    mask = spans_of(lengths, 4).expand(2, 2, 4, 4)
    found = training_loss(
        lambda _: logits,
        batch,
        TrainingConfig(method="distillation", alpha=0.3, temperature=temperature),
        1.0,
        target.masked_fill(~mask, torch.finfo(torch.float64).min),
    )
    s, t = logits[mask], target[mask]
    if temperature == math.inf:
        wanted = (s - t).square().sum() / 8 / 4
    else:
        pair = (Bernoulli(logits=x / temperature) for x in (t, s))
        wanted = temperature**2 * kl_divergence(*pair).sum() / 4
    assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-9)
    assert found.loss.item() == pytest.approx(found.task.item() + 0.3 * wanted.item(), rel=1e-9)
    assert found.task.item() == pytest.approx(dense_cross_entropy(logits, batch, mask).item(), rel=1e-9)


class Recorder:
    """A tagger that remembers what it was called with."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger, self.plain, self.moved, self.embedded = tagger, 0, list[Tensor](), list[Tensor]()

    def __call__(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
        if embeddings is None:
            self.plain += 1
        else:
            self.moved.append(embeddings.detach())
        return self.tagger(batch, embeddings)  # type: ignore[no-any-return]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        found = self.tagger.embed(batch)
        self.embedded.append(found[0].detach())
        return found


@pytest.mark.parametrize("iterations", [1, 3])
def test_vat_moves_each_sentence_by_a_share_of_its_own_length(iterations: int):
    tagger = still_tagger()
    model, batch = Recorder(tagger), tagger.collate(TRAIN.sentences)
    config = TrainingConfig(method="vat", alpha=2.0, epsilon=0.3, power_iterations=iterations)
    found = training_loss(model, batch, config)
    assert (model.plain, len(model.moved), len(model.embedded)) == (1, iterations + 2, 1)
    x, mask = model.embedded[0], batch.attention_mask
    away = model.moved[-1] - x
    assert (away[~mask] == 0).all()
    lengths = (x * mask[..., None]).flatten(1).norm(dim=1)
    torch.testing.assert_close(away.flatten(1).norm(dim=1), 0.3 * lengths)
    torch.testing.assert_close(model.moved[0], x)
    clean, moved = (tagger(batch, at).double() for at in (x, model.moved[-1]))
    spans = span_mask(mask).expand(clean.shape)
    wanted = symmetric_kl(clean[spans], moved[spans], activation="sigmoid") / (len(batch) * len(tagger.types))
    assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-4)
    assert found.task.item() == pytest.approx(loss_of(tagger, CONFIGS["none"]).loss.item(), rel=1e-6)
    assert found.loss.item() == pytest.approx(found.task.item() + 0.5 * found.divergence.item(), rel=1e-6)


def test_vat_finds_a_worse_direction_than_chance_and_a_larger_epsilon_a_larger_divergence():
    tagger, batch = still_tagger(), None
    batch = tagger.collate(TRAIN.sentences)
    torch.manual_seed(0)
    near, far = (
        training_loss(tagger, batch, TrainingConfig(method="vat", epsilon=e)).divergence.item() for e in (0.1, 0.2)
    )
    assert far > 2 * near > 0
    x, mask = tagger.embed(batch)
    step = torch.randn_like(x) * mask[..., None]
    step *= 0.1 * ((x * mask[..., None]).flatten(1).norm(dim=1) / step.flatten(1).norm(dim=1))[:, None, None]
    with torch.no_grad():
        clean, moved = tagger(batch, x), tagger(batch, x + step)
    spans = span_mask(batch.attention_mask).expand(clean.shape)
    by_chance = symmetric_kl(clean[spans], moved[spans], activation="sigmoid") / (len(batch) * len(tagger.types))
    assert near > 2 * by_chance.item()


def test_longer_embeddings_are_no_way_out_of_vat():
    """A model that reads its embeddings at a tenth of ten times their length is the same model, and pays the same."""

    class Rescaled(nn.Module):
        def __init__(self, tagger: Tagger, factor: float) -> None:
            super().__init__()
            self.tagger, self.factor = tagger, factor

        def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
            x, mask = self.tagger.embed(batch)
            return self.factor * x, mask

        def forward(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
            return self.tagger(batch, None if embeddings is None else embeddings / self.factor)

    tagger, found = still_tagger(), []
    for factor in (1.0, 10.0):
        torch.manual_seed(0)
        loss = training_loss(Rescaled(tagger, factor), tagger.collate(TRAIN.sentences), CONFIGS["vat"])
        found.append(loss.divergence.item())
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_what_padding_holds_is_nothing_to_vat():
    class Littered(Recorder):
        def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
            x, mask = super().embed(batch)
            return x.masked_fill(~mask[..., None], 50.0), mask

    found = []
    for kind in (Recorder, Littered):
        torch.manual_seed(0)
        tagger = still_tagger()
        found.append(training_loss(kind(tagger), tagger.collate(TRAIN.sentences), CONFIGS["vat"]).loss)
    torch.testing.assert_close(*found)


def test_vat_sees_no_difference_that_dropout_makes():
    tagger = small_tagger(dropout=0.5, word_dropout=0.5)
    config = replace(CONFIGS["vat"], epsilon=1e-4)
    assert 0 <= loss_of(tagger, config).divergence.item() < 1e-6
    assert loss_of(tagger, CONFIGS["sigmoid"]).divergence.item() > 1e-2


def test_vat_teaches_the_embeddings_too_and_collects_no_gradient_by_itself():
    tagger = still_tagger()
    loss = loss_of(tagger, CONFIGS["vat"])
    assert all(parameter.grad is None for parameter in tagger.parameters())
    found = gradients(tagger, loss.divergence)
    assert all(gradient.isfinite().all() for gradient in found)
    assert any(
        (g != 0).any() for g, p in zip(found, tagger.parameters(), strict=True) if p is tagger.encoder.words.weight
    )


def test_without_words_there_is_nothing_to_move():
    tagger = still_tagger()
    found = training_loss(tagger, tagger.collate([Sentence(()), Sentence(())]), CONFIGS["vat"])
    assert found.divergence.item() == 0
    assert all(g.isfinite().all() for g in gradients(tagger, found.loss))


# Where the sentences and the target come from


def test_the_target_of_uda_is_the_clean_sentence_without_dropout_and_without_gradient():
    tagger = small_tagger().train()
    steps = batches_for(tagger, CONFIGS["uda"])
    share = steps.examples(TRAIN.sentences[:4], 3)
    batch, target = steps.collate(share, CPU)
    assert tagger.training
    assert target is not None
    assert not target.requires_grad
    further = [sentence for lesson in share for sentence in lesson.unlabelled]
    assert torch.equal(target, tagger.eval()(tagger.collate(further)))
    assert len(batch) == 8
    assert (batch.positives[:, 0] < 4).all()
    assert len(batch.positives) == sum(len(sentence.spans) for sentence in TRAIN.sentences[:4])


def test_labels_of_unlabelled_sentences_are_not_seen():
    tagger = still_tagger()
    bare = Corpus("bare", [Sentence(s.tokens) for s in MORE])
    config, found = CONFIGS["uda"], []
    for corpus in (MORE, bare):
        steps = StepBatches(tagger, TRAIN, config, corpus, None)
        batch, target = steps.collate(steps.examples(TRAIN.sentences, 0), CPU)
        found.append(training_loss(tagger, batch, config, 1.0, target).loss)
        assert steps.record() == StepBatches(tagger, TRAIN, config, bare, None).record()
    assert torch.equal(*found)


def test_the_steps_draw_different_sentences_and_the_same_again():
    steps = batches_for(small_tagger(), replace(CONFIGS["uda"], unlabelled_ratio=3, batch_size=4))
    first, again, next_one = (steps.examples(TRAIN.sentences[:4], step) for step in (0, 0, 1))
    assert first == again
    assert {len(lesson.unlabelled) for lesson in first} == {3}
    seen = [sentence.tokens for lesson in [*first, *next_one] for sentence in lesson.unlabelled]
    assert len(set(seen)) == len(seen) == 24  # 28 to draw from: no one twice in a pass
    copies = [copy.tokens for lesson in first for copy in lesson.copies]
    assert any(a != b for a, b in zip(seen, copies, strict=False))
    assert first[:2] == steps.examples(TRAIN.sentences[:2], 0)  # a short last batch of an epoch takes fewer


def test_a_teacher_speaks_of_the_student_s_types_in_their_order_and_in_its_own_words():
    backwards = Tagger.from_scratch(MORE.sentences, TRAIN.types[::-1], seed=3, hidden_size=20)
    student = still_tagger()
    steps = batches_for(student, CONFIGS["distillation"], backwards)
    batch, target = steps.collate(steps.examples(TRAIN.sentences[:3], 0), CPU)
    own = backwards.eval()(backwards.collate(TRAIN.sentences[:3], labels=False))
    assert target is not None
    assert torch.equal(target, own.flip(1))
    assert not target.requires_grad
    loss = training_loss(student, batch, CONFIGS["distillation"], 1.0, target).loss
    loss.backward()
    assert all(parameter.grad is None for parameter in backwards.parameters())


def test_a_teacher_that_was_training_goes_on_training_undisturbed():
    teacher = small_tagger(dropout=0.5).train()
    first, second = (fixed_scores(teacher, TRAIN.sentences, CPU) for _ in range(2))
    assert torch.equal(first, second)
    assert teacher.training


@pytest.mark.parametrize("method", ["uda", "distillation"])
def test_a_target_that_is_missing_is_asked_for(method: str):
    tagger = small_tagger()
    with pytest.raises(ValueError, match=r"target must hold .*None"):
        training_loss(tagger, tagger.collate(TRAIN.sentences), TrainingConfig(method=method))


def test_sources_that_do_not_fit_the_method_are_refused():
    tagger, teacher = small_tagger(), small_tagger()
    for config, unlabelled, other, message in (
        (CONFIGS["uda"], None, None, "method 'uda' needs unlabelled"),
        (CONFIGS["distillation"], None, None, "method 'distillation' needs teacher"),
        (CONFIGS["sigmoid"], MORE, None, "method 'sigmoid' has no use for unlabelled, which method 'uda' learns from"),
        (CONFIGS["uda"], MORE, teacher, "method 'uda' has no use for teacher"),
        (CONFIGS["uda"], Corpus("empty", []), None, "unlabelled has no sentence"),
        (
            CONFIGS["distillation"],
            None,
            Tagger.from_scratch(TRAIN.sentences, ["planet"], **SMALL),
            "must know the types of the tagger, event, .*; it knows planet",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            StepBatches(tagger, TRAIN, config, unlabelled, other)


# Gradient accumulation, half precision, other encoders


@pytest.mark.parametrize("name", CONFIGS)
def test_parts_of_a_batch_weighted_by_their_size_give_the_gradient_of_the_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """Accumulation steps of unequal size. VAT begins from the same direction for every sentence, whatever its batch."""

    def wave(shape: torch.Size, **settings: object) -> Tensor:
        return torch.cos(torch.arange(shape[-1], dtype=torch.float64)).expand(shape).contiguous()

    tagger, config = still_tagger().double(), CONFIGS[name]
    steps = batches_for(tagger, config, small_tagger(seed=5, hidden_size=20).double())
    everything = steps.examples(TRAIN.sentences, 3)

    def loss(part: slice) -> Tensor:
        batch, target = steps.collate(everything[part], CPU)
        return training_loss(tagger, batch, config, 0.7, target).loss * (len(everything[part]) / len(everything))

    with monkeypatch.context() as patch:
        patch.setattr(gpkl_lib.adversarial.torch, "randn", wave)
        whole = gradients(tagger, loss(slice(None)))
        parts = [gradients(tagger, loss(part)) for part in (slice(0, 5), slice(5, 6), slice(6, None))]
    for one, *several in zip(whole, *parts, strict=True):
        torch.testing.assert_close(one, sum(several), rtol=1e-6, atol=1e-9)


def test_divided_by_the_confident_a_part_has_its_own_number_of_them():
    """What the docstring warns of: the gradient of the whole is not the mean of the parts'."""
    tagger, config = still_tagger().double(), replace(CONFIGS["uda"], divide="confident", threshold=0.51)
    steps = batches_for(tagger, config)
    everything = steps.examples(TRAIN.sentences, 3)

    def divergence(part: slice) -> float:
        batch, target = steps.collate(everything[part], CPU)
        return training_loss(tagger, batch, config, 1.0, target).divergence.item()

    whole, halves = divergence(slice(None)), (divergence(slice(0, 6)) + divergence(slice(6, None))) / 2
    assert whole != pytest.approx(halves, rel=1e-6)
    assert whole == pytest.approx(halves, rel=0.5)


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of a few hundred weights with a vocabulary of the toy corpus."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def make_tiny_encoder(folder: Path) -> Path:
    """Its files in a folder."""
    import transformers

    letters = sorted({c for sentence in TRAIN for token in sentence.tokens for c in token.lower()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **size)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CONFIGS)
def test_half_precision_under_autocast(name: str, dtype: torch.dtype, tiny_encoder: Path):
    """On a CPU, torch has no LSTM in float16: an encoder of transformers takes both."""
    tagger, config = Tagger.from_encoder(tiny_encoder, TRAIN.types, head_size=8).eval(), CONFIGS[name]
    steps = batches_for(tagger, config)
    batch, target = steps.collate(steps.examples(TRAIN.sentences, 3), CPU)
    found = []
    for half in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype, enabled=half):
            losses = training_loss(tagger, batch, config, 1.0, target)
        assert losses.loss.dtype == torch.float32
        found.append(
            (
                losses.loss.item(),
                losses.divergence.item(),
                torch.cat([g.flatten() for g in gradients(tagger, losses.loss)]),
            )
        )
    (loss, divergence, exact), (near_loss, near_divergence, near) = found
    assert near_loss == pytest.approx(loss, rel=0.02)
    assert near_divergence == pytest.approx(divergence, rel=0.3, abs=1e-3)
    assert torch.nn.functional.cosine_similarity(exact, near, dim=0) > 0.95


@pytest.mark.parametrize("name", CONFIGS)
def test_any_encoder(name: str, tiny_encoder: Path):
    """Sentences of more than 62 pieces are read in windows, which VAT moves as one."""
    tagger = Tagger.from_encoder(tiny_encoder, TRAIN.types, head_size=4)
    losses = loss_of(tagger.train(), CONFIGS[name])
    assert losses.loss.item() >= losses.task.item() > 0
    if name != "none":
        assert losses.divergence.item() > 0
    for gradient in gradients(tagger, losses.loss):
        assert gradient.isfinite().all()
