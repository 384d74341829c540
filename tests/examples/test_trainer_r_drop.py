"""R-Drop in a `transformers.Trainer`, on models made here: it trains, and it computes what it says."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from gallery import load, ten_lines
from torch.nn.functional import cross_entropy, kl_div

from gpkl_lib import distillation_loss, uda_loss, virtual_adversarial_loss

pytestmark = [pytest.mark.pretrained, pytest.mark.usefixtures("accelerate_as_it_was")]
SIZE = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
TAGS = 4


def classifier(dropout: float = 0.0) -> Any:
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        **SIZE, num_labels=TAGS, hidden_dropout_prob=dropout, attention_probs_dropout_prob=0.0
    )
    return transformers.AutoModelForTokenClassification.from_config(config)


def tagged_rows(count: int) -> list[dict[str, list[int]]]:
    """A piece's tag is its number modulo 4; the first of each sentence has none."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for number in range(count):
        pieces = torch.randint(1, 30, (3 + number % 5,), generator=generator).tolist()
        rows.append({"input_ids": pieces, "labels": [-100, *(piece % TAGS for piece in pieces[1:])]})
    return rows


def pad(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in rows)
    filled = [(row, longest - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": torch.tensor([row["input_ids"] + [0] * gap for row, gap in filled]),
        "attention_mask": torch.tensor([[1] * len(row["input_ids"]) + [0] * gap for row, gap in filled]),
        "labels": torch.tensor([row["labels"] + [-100] * gap for row, gap in filled]),
    }


def arguments(folder: Path, **changes: Any) -> Any:
    import transformers

    settings = {
        "per_device_train_batch_size": 8,
        "num_train_epochs": 1,
        "learning_rate": 0.01,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 0,
        "max_grad_norm": 1e9,
    }
    return transformers.TrainingArguments(str(folder), **{**settings, **changes})


def trained(folder: Path, model: Any, alpha: float | None, rows: Any, **changes: Any) -> Any:
    """By the example, or by the stock Trainer where alpha is None."""
    import transformers

    example = load("trainer_r_drop")
    kind = transformers.Trainer if alpha is None else example.RDropTrainer
    own = {} if alpha is None else {"compute_loss_func": functools.partial(example.r_drop, alpha=alpha)}
    trainer = kind(model, arguments(folder, **changes), train_dataset=rows, eval_dataset=rows, data_collator=pad, **own)
    trainer.train()
    return trainer


def test_r_drop_in_a_trainer_learns_and_evaluates(tmp_path: Path):
    rows = tagged_rows(48)
    model = classifier(dropout=0.1)
    untrained = trained(tmp_path, classifier(dropout=0.1), 1.0, rows, learning_rate=0.0).evaluate()["eval_loss"]
    trainer = trained(tmp_path, model, 1.0, rows, num_train_epochs=8)
    assert trainer.evaluate()["eval_loss"] < untrained / 3
    batch = pad(rows)
    with torch.no_grad():
        best = trainer.model.eval()(batch["input_ids"], batch["attention_mask"]).logits.argmax(-1)
    tagged = batch["labels"] != -100
    assert (best == batch["labels"])[tagged].float().mean() > 0.9


def test_without_dropout_it_is_the_stock_trainer(tmp_path: Path):
    rows = tagged_rows(24)
    ours, stock = classifier(), classifier()
    for alpha, model in ((3.0, ours), (None, stock)):
        trained(tmp_path, model, alpha, rows)
    for one, other in zip(ours.parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_gradient_accumulation_changes_nothing(tmp_path: Path):
    """Two steps of 4 sentences, of unequal numbers of tokens, give the gradient of one step of 8."""
    rows, grads = tagged_rows(8), []
    for size, parts in ((8, 1), (4, 2), (2, 4)):
        model = noisy(classifier())
        seen: list[list[torch.Tensor]] = []

        class Spy(torch.optim.SGD):
            def step(self, closure: Any = None, seen: Any = seen) -> None:
                seen.append([p.grad.clone() for g in self.param_groups for p in g["params"] if p.grad is not None])

        example = load("trainer_r_drop")
        trainer = example.RDropTrainer(
            model,
            arguments(tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=parts),
            train_dataset=rows,
            data_collator=pad,
            compute_loss_func=functools.partial(example.r_drop, alpha=2.0),
            optimizers=(Spy(model.parameters(), lr=0.0), None),
        )
        trainer.train()
        assert len(seen) == 1
        grads.append(seen[0])
    for several in grads[1:]:
        for one, other in zip(grads[0], several, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def noisy(model: Any) -> Any:
    """Two views that differ without chance: the second half of a training batch is scored a little differently."""
    original = model.classifier.forward

    def forward(states: torch.Tensor) -> torch.Tensor:
        logits = original(states)
        if not model.training:
            return logits
        half = len(logits) // 2
        return torch.cat([logits[:half], 1.5 * logits[half:]])

    model.classifier.forward = forward
    return model


@pytest.mark.parametrize("items", [None, 17])
def test_the_loss_is_cross_entropy_and_a_quarter_alpha_of_both_kls_over_tagged_tokens(items: int | None):
    import transformers

    logits = torch.randn(6, 5, TAGS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits.requires_grad_()
    labels = pad(tagged_rows(3))["labels"]
    output = transformers.modeling_outputs.TokenClassifierOutput(logits=logits)
    found = load("trainer_r_drop").r_drop(output, torch.cat([labels, labels]), items, alpha=0.8)
    tagged = labels != -100
    s, t = (logits[half][tagged].log_softmax(-1) for half in (slice(0, 3), slice(3, 6)))
    gold = labels[tagged]
    task = (cross_entropy(s, gold, reduction="sum") + cross_entropy(t, gold, reduction="sum")) / 2
    both = kl_div(s, t, reduction="sum", log_target=True) + kl_div(t, s, reduction="sum", log_target=True)
    wanted = (task + 0.2 * both) / (tagged.sum() if items is None else items)
    torch.testing.assert_close(found, wanted)


def test_r_drop_of_a_text_classifier_is_the_mean_over_texts():
    import transformers

    logits = torch.randn(8, TAGS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([0, 3, 1, 1])
    output = transformers.modeling_outputs.SequenceClassifierOutput(logits=logits)
    found = load("trainer_r_drop").r_drop(output, torch.cat([labels, labels]), alpha=0.8)
    s, t = logits.log_softmax(-1).chunk(2)
    both = kl_div(s, t, reduction="sum", log_target=True) + kl_div(t, s, reduction="sum", log_target=True)
    task = (cross_entropy(s, labels) + cross_entropy(t, labels)) / 2
    torch.testing.assert_close(found, task + 0.2 * both / 4)
    with torch.no_grad():
        torch.testing.assert_close(
            load("trainer_r_drop").r_drop(output, labels.repeat(2)), cross_entropy(logits, labels.repeat(2))
        )


def learning(folder: Path) -> Any:
    return arguments(folder, num_train_epochs=30, learning_rate=3e-3)


def test_the_texts_of_the_example_are_learnt(encoder: Path, tmp_path: Path):
    train = ten_lines()
    trainer = load("trainer_r_drop").texts(str(encoder), train, train, "ORG", learning(tmp_path))
    assert [row["labels"] for row in trainer.train_dataset] == [0] * 5 + [1] * 5
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()
    assert after["eval_loss"] < before / 3
    assert after["eval_accuracy"] == 1


def test_the_tokens_of_the_example_are_learnt(encoder: Path, tmp_path: Path):
    train = ten_lines()
    trainer = load("trainer_r_drop").tokens(str(encoder), train, train, train.types, learning(tmp_path))
    # [CLS] Mara went to Os ##lo . [SEP], and [CLS] Dr Mara works at Os ##lo University today . [SEP]
    assert trainer.train_dataset[0]["labels"] == [-100, 3, 0, 0, 1, -100, 0, -100]
    assert trainer.train_dataset[5]["labels"] == [-100, 0, 3, 0, 0, 2, -100, 2, 0, 0, -100]
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] == 1


# The other three losses on a softmax token classifier


def token_losses(model: Any, batch: dict[str, torch.Tensor], target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums over the tagged tokens: what adds up over the parts of a batch."""
    mask = (batch["labels"] != -100)[..., None]
    attention = batch["attention_mask"]
    logits = model(batch["input_ids"], attention).logits
    embeddings = model.get_input_embeddings()(batch["input_ids"])

    def by_embeddings(x: torch.Tensor) -> torch.Tensor:
        return model(inputs_embeds=x, attention_mask=attention).logits  # type: ignore[no-any-return]

    every = {"activation": "softmax", "class_dims": 1, "mask": mask, "reduction": "sum"}
    return {
        "uda": uda_loss(logits, target, **every, temperature=0.4, threshold=0.3).loss,
        "distillation": distillation_loss(logits, target, **every, temperature=2.0),
        "limit": distillation_loss(logits, target, **every, temperature=torch.inf),
        "vat": virtual_adversarial_loss(
            by_embeddings, embeddings, epsilon=0.5, steps=2, xi=0.1, embedding_mask=attention.bool(), **every
        ),
    }


def wave(shape: torch.Size, **settings: Any) -> torch.Tensor:
    """A first direction that is the same for every sentence."""
    return torch.cos(torch.arange(shape[-1], dtype=torch.float32)).expand(shape).contiguous()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_all_losses_on_a_token_classifier_add_up_over_parts_and_bear_half_precision(
    dtype: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
):
    model, rows = classifier().eval(), tagged_rows(8)
    target = 2 * torch.randn(8, 7, TAGS, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(sys.modules["gpkl_lib.adversarial"].torch, "randn", wave)

    def gradients(part: slice) -> dict[str, torch.Tensor]:
        batch = pad(rows[part])
        with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
            losses = token_losses(model, batch, target[part, : batch["labels"].shape[1]])
        found = {}
        for name, loss in losses.items():
            assert loss.dtype == torch.float32
            grads = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
            found[name] = torch.cat([g.flatten() for g in grads])
        return found

    whole, first, second = gradients(slice(None)), gradients(slice(0, 3)), gradients(slice(3, None))
    for name, gradient in whole.items():
        assert gradient.abs().sum() > 0
        close = {"rtol": 1e-3, "atol": 1e-4} if dtype is None else {"rtol": 0.1, "atol": 0.05 * gradient.abs().max()}
        torch.testing.assert_close(first[name] + second[name], gradient, **close)
