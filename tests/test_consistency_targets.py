"""Losses with a fixed target, UDA and distillation, against the papers' formulas written out."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, kl_divergence

import gpkl_lib
from gpkl_lib import distillation_loss, symmetric_kl, uda_loss
from gpkl_lib.consistency import annealing_threshold


def pair(*shape: int, size: float = 2.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    s, t = (torch.randn(*shape, generator=generator, dtype=torch.float64) * size for _ in range(2))
    return s.requires_grad_(), t.requires_grad_()


# Unsupervised data augmentation


def test_uda_for_a_classifier_is_the_authors_code() -> None:
    """Sharpened log-probabilities, KL by its definition, the mask from the unsharpened ones, a mean over all rows."""
    s, t = pair(40, 5)
    original = torch.softmax(t.detach(), -1)
    sharp = torch.log_softmax(t.detach() / 0.4, -1)
    each = (sharp.exp() * (sharp - torch.log_softmax(s, -1))).sum(-1)
    kept = (original.amax(-1) > 0.8).double()
    assert 0 < kept.sum() < 40
    found = uda_loss(s, t, activation="softmax", temperature=0.4, threshold=0.8, reduction="mean")
    torch.testing.assert_close(found.loss, (each * kept).mean())
    torch.testing.assert_close(found.confident.double(), kept.mean(), check_dtype=False)
    ours, theirs = (torch.autograd.grad(x, s, retain_graph=True)[0] for x in (found.loss, (each * kept).mean()))
    torch.testing.assert_close(ours, theirs)
    by_kept = uda_loss(s, t, activation="softmax", temperature=0.4, threshold=0.8, reduction="mean_confident").loss
    torch.testing.assert_close(by_kept, (each * kept).sum() / kept.sum())


def test_uda_for_global_pointer_judges_each_span() -> None:
    s, t = pair(2, 3, 6, 6)
    mask = torch.ones(6, 6, dtype=torch.bool).triu()
    probability = torch.sigmoid(t.detach())
    sure = (torch.maximum(probability, 1 - probability) > 0.9) & mask
    each = kl_divergence(Bernoulli(logits=t.detach() / 0.5), Bernoulli(logits=s))
    options = {"activation": "sigmoid", "class_dims": 2, "mask": mask, "temperature": 0.5, "threshold": 0.9}
    valid = 2 * 3 * 21
    for reduction, wanted in (
        ("sum", each[sure].sum()),
        ("mean", each[sure].sum() / valid),
        ("mean_confident", each[sure].sum() / sure.sum()),
        ("batchmean", each[sure].sum() / 2),
        ("rowmean", each[sure].sum() / 6),
        ("none", each * sure),
    ):
        torch.testing.assert_close(uda_loss(s, t, reduction=reduction, **options).loss, wanted)  # type: ignore[arg-type]
    assert uda_loss(s, t, **options).confident == sure.sum() / valid  # type: ignore[arg-type]
    assert uda_loss(s, t, **options).loss == uda_loss(s, t, reduction="rowmean", **options).loss  # type: ignore[arg-type]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_the_target_receives_no_gradient_and_temperature_is_its_own(activation: str) -> None:
    s, t = pair(4, 5)
    found = uda_loss(s, t, activation=activation, temperature=0.3, reduction="mean")  # type: ignore[arg-type]
    assert torch.autograd.grad(found.loss, t, retain_graph=True, allow_unused=True) == (None,)
    kind = Bernoulli if activation == "sigmoid" else Categorical
    wanted = kl_divergence(kind(logits=t.detach() / 0.3), kind(logits=s)).mean()  # s stands as it is
    torch.testing.assert_close(found.loss, wanted)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_confident", "batchmean"])
def test_nothing_sure_costs_nothing(activation: str, reduction: str) -> None:
    s, t = pair(4, 5, size=0.01)
    loss, confident = uda_loss(s, t, activation=activation, threshold=0.99, reduction=reduction)  # type: ignore[arg-type]
    assert loss == confident == 0
    assert (torch.autograd.grad(loss, s)[0] == 0).all()


def test_masked_cells_hold_what_they_like() -> None:
    mask = torch.tensor([[True, True, True, False], [False] * 4, [True, False, True, False]])
    for activation in ("sigmoid", "softmax"):
        found = []
        for garbage in (0.0, -math.inf, 1e30):
            s, t = (x.detach().masked_fill(~mask, garbage).requires_grad_() for x in pair(3, 4))
            loss, confident = uda_loss(s, t, activation=activation, mask=mask, threshold=0.6)  # type: ignore[arg-type]
            (gradient,) = torch.autograd.grad(loss, s)
            assert (gradient[~mask] == 0).all()
            found.append((loss.item(), confident.item(), gradient[mask].tolist()))
        assert found[0] == found[1] == found[2]
        assert found[0][0] > 0


def test_a_threshold_of_zero_keeps_every_valid_one() -> None:
    s, t = pair(3, 4)
    for activation in ("sigmoid", "softmax"):
        assert uda_loss(s, t, activation=activation).confident == 1  # type: ignore[arg-type]
    undecided = torch.zeros(1, 2)
    for threshold, kept in ((0.49, 1), (0.5, 0)):  # above, not at
        assert uda_loss(undecided, undecided, activation="sigmoid", threshold=threshold).confident == kept


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_uda_in_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    s, t = (x.detach().to(dtype) for x in pair(4, 5, size=20))
    options = {"activation": "sigmoid", "temperature": 0.4, "threshold": 0.8}
    found = uda_loss(s.requires_grad_(), t, **options)  # type: ignore[arg-type]
    wanted = uda_loss(s.detach().double(), t.double(), **options)  # type: ignore[arg-type]
    assert found.loss.dtype == torch.float32
    assert found.loss.item() == pytest.approx(wanted.loss.item(), rel=1e-5)
    assert torch.autograd.grad(found.loss, s)[0].isfinite().all()


# Training signal annealing


def test_annealing_rises_from_chance_to_certainty() -> None:
    for schedule, half in (("log", 1 - math.exp(-2.5)), ("linear", 0.5), ("exp", math.exp(-2.5))):
        found = [annealing_threshold(x, classes=4, schedule=schedule) for x in (0.0, 0.5, 1.0)]
        assert found[1] == pytest.approx(half * 0.75 + 0.25)
        assert 0.25 <= found[0] < 0.26
        assert 0.99 < found[2] <= 1


# Distillation


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
def test_distillation_of_a_classifier_is_hinton_s(temperature: float) -> None:
    s, t = pair(6, 5)
    soft = torch.softmax(t.detach() / temperature, -1)
    found = distillation_loss(s, t, activation="softmax", temperature=temperature)
    student = torch.log_softmax(s / temperature, -1)
    wanted = temperature**2 * nn.functional.kl_div(student, soft, reduction="batchmean")
    torch.testing.assert_close(found, wanted)
    cross_entropy = -(temperature**2) * (soft * student).sum(-1).mean()  # as the paper has it: the same gradient
    ours, theirs = (torch.autograd.grad(x, s, retain_graph=True)[0] for x in (found, cross_entropy))
    torch.testing.assert_close(ours, theirs)


def test_distillation_of_global_pointer_asks_each_span() -> None:
    s, t = pair(3, 4, 4)
    mask = torch.ones(4, 4, dtype=torch.bool).triu()
    one, other = (Bernoulli(logits=x[:, mask] / 2) for x in (t.detach(), s))
    wanted = 4 * kl_divergence(one, other).sum() / 3
    options = {"activation": "sigmoid", "class_dims": 2, "mask": mask, "temperature": 2.0}
    torch.testing.assert_close(distillation_loss(s, t, **options), wanted)  # type: ignore[arg-type]
    both = 4 * symmetric_kl(t.detach(), s, reduction="batchmean", **options)  # type: ignore[arg-type]
    torch.testing.assert_close(distillation_loss(s, t, symmetric=True, **options), both)  # type: ignore[arg-type]


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_limit_of_a_hot_teacher_is_a_squared_error(symmetric: bool) -> None:
    s, t = pair(6, 5)
    gap = (s - t).detach()
    for activation, limit in (
        ("sigmoid", gap.square().sum(-1).mean() / 8),
        ("softmax", (gap - gap.mean(-1, keepdim=True)).square().sum(-1).mean() / 10),
    ):
        for temperature, precision in ((1e3, 1e-2), (1e7, 1e-6)):
            found = distillation_loss(s, t, activation=activation, temperature=temperature, symmetric=symmetric)  # type: ignore[arg-type]
            assert found.item() == pytest.approx((1 + symmetric) * limit.item(), rel=precision)
            single = distillation_loss(
                s.float(),
                t.float(),
                activation=activation,  # type: ignore[arg-type]
                temperature=temperature,
                symmetric=symmetric,
            )
            assert single.item() == pytest.approx(found.item(), rel=1e-4)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "batchmean", "rowmean"])
def test_an_infinite_temperature_is_the_limit(activation: str, symmetric: bool, reduction: str) -> None:
    """Value and gradient near those of a large temperature, masked cells and a wholly masked row included."""
    s, t = pair(4, 5)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 1]]).bool()
    settings = {"activation": activation, "symmetric": symmetric, "mask": mask, "reduction": reduction}
    found = []
    for temperature in (1e5, math.inf):
        garbage = t.detach().masked_fill(~mask, 1e30)
        loss = distillation_loss(s, garbage, temperature=temperature, **settings)  # type: ignore[arg-type]
        assert torch.autograd.grad(loss.sum(), t, retain_graph=True, allow_unused=True) == (None,)
        found.append((loss, torch.autograd.grad(loss.sum(), s)[0]))
    for near, exact in zip(*found, strict=True):
        torch.testing.assert_close(exact, near, rtol=1e-4, atol=1e-6)
    half = distillation_loss(s.half(), t.half(), temperature=math.inf, **settings)  # type: ignore[arg-type]
    assert half.dtype == torch.float32
    torch.testing.assert_close(
        half.double(), distillation_loss(s, t, temperature=math.inf, **settings), rtol=1e-2, atol=1e-2
    )  # type: ignore[arg-type]


def test_the_teacher_receives_no_gradient() -> None:
    s, t = pair(4, 5)
    for symmetric in (False, True):
        loss = distillation_loss(s, t, activation="sigmoid", temperature=3.0, symmetric=symmetric)
        assert torch.autograd.grad(loss, t, retain_graph=True, allow_unused=True) == (None,)
        assert torch.autograd.grad(loss, s)[0].abs().sum() > 0


def test_gradients_keep_their_size_as_the_temperature_grows() -> None:
    s, t = pair(8, 6)
    losses = [distillation_loss(s, t, activation="sigmoid", temperature=T) for T in (4.0, 64.0)]
    sizes = [torch.autograd.grad(loss, s)[0].norm().item() for loss in losses]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.5)


uda, distillation = (partial(loss, activation="sigmoid") for loss in (uda_loss, distillation_loss))


@pytest.mark.parametrize("loss", [uda_loss, distillation_loss], ids=["uda", "distillation"])
def test_a_decision_has_no_default(loss) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match=r"missing .* 'activation'"):
        loss(*pair(2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, t: uda_loss(s, t, activation="sigmoid", threshold="0.5"), "threshold must be a number, got str"),
        (lambda s, t: annealing_threshold("0.5"), "progress must be a number, got str"),
        (lambda s, t: annealing_threshold(0.5, classes="2"), "classes must be a number, got str"),
        (lambda s, t: distillation_loss(s, t, activation="sigmoid", temperature="2"), "temperature must be a number"),
        (lambda s, t: uda_loss(s, t, activation="sigmoid", class_dims=1.0), "class_dims must be an int, got float"),
    ],
)
def test_what_is_no_number_is_named(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match=message):
        call(*pair(2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, t: uda(s, t, threshold=1.0), r"threshold must lie in \[0, 1\), got 1.0"),
        (lambda s, t: uda(s, t, threshold=-0.1), "threshold must lie in"),
        (lambda s, t: uda(s, t, temperature=0.0), "temperature must lie between"),
        (lambda s, t: uda(s, t[:1]), "must have the shape of input"),
        (lambda s, t: uda(s, t, reduction="average"), "reduction must be one of"),
        (lambda s, t: uda_loss(s, t, activation="tanh"), "activation must be"),
        (lambda s, t: annealing_threshold(1.1), r"progress must lie in \[0, 1\], got 1.1"),
        (lambda s, t: annealing_threshold(0.5, classes=1), "classes must be at least 2, got 1"),
        (lambda s, t: annealing_threshold(0.5, schedule="cosine"), "schedule must be one of log, linear, exp, got"),
        (lambda s, t: distillation(s, t, temperature=-math.inf), "temperature must lie between"),
        (lambda s, t: distillation(s, t[:1], temperature=math.inf), "must have the shape of input"),
        (lambda s, t: distillation(s, t, temperature=math.inf, reduction="average"), "reduction must be one of"),
        (lambda s, t: distillation(s, t[:1]), "must have the shape of input"),
    ],
)
def test_wrong_arguments_are_refused(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call(*pair(2, 3))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize(
    ("loss", "name"), [(uda_loss, "target"), (distillation_loss, "teacher")], ids=["uda", "distillation"]
)
def test_errors_name_the_side_that_came_wrong(loss, name: str, activation: str) -> None:  # type: ignore[no-untyped-def]
    s, t = pair(6, 9)
    with pytest.raises(ValueError, match=rf"{name} must have the shape of input, \(6, 9\), got \(6, 1\)"):
        loss(s, t[:, :1], activation=activation)
    for dtype in (torch.int64, torch.complex64):
        with pytest.raises(TypeError, match=f"{name} must be floating point, got dtype {dtype}"):
            loss(s, t.detach().to(dtype), activation=activation)
        with pytest.raises(TypeError, match=f"input must be floating point, got dtype {dtype}"):
            loss(s.detach().to(dtype), t, activation=activation)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_no_class_no_loss(activation: str) -> None:
    empty = torch.zeros(3, 0)
    assert uda_loss(empty, empty, activation=activation, threshold=0.5) == (0, 0)
    for temperature in (2.0, math.inf):
        assert distillation_loss(empty, empty, activation=activation, temperature=temperature) == 0


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_distillation_keeps_its_digits_at_a_temperature_that_is_no_power_of_two(symmetric: bool) -> None:
    teacher = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 10
    student = teacher + torch.randn(2000, generator=torch.Generator().manual_seed(1)) * 1e-4
    options = {"activation": "sigmoid", "temperature": 3.0, "symmetric": symmetric, "reduction": "none"}
    loss, exact = (
        distillation_loss(x, t, **options) for x, t in ((student, teacher), (student.double(), teacher.double()))
    )
    torch.testing.assert_close(loss.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_uda_is_exact_for_the_target_over_its_temperature_as_that_rounds(activation: str) -> None:
    target = torch.randn(50, 40, generator=torch.Generator().manual_seed(0)) * 4
    sharp = target / 0.4
    s = sharp + torch.randn(50, 40, generator=torch.Generator().manual_seed(1)) * 1e-3
    loss = uda_loss(s, target, activation=activation, temperature=0.4, reduction="sum").loss
    exact = gpkl_lib.kl_divergence(sharp.double(), s.double(), activation=activation)
    torch.testing.assert_close(loss.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("temperature", [1e-2, 1e-6, 1e-9])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_cold_target_is_a_pseudo_label_to_the_last_digits(activation: str, temperature: float):
    s, t = torch.tensor([[3.0, -2.0, 41.39]]), torch.tensor([[2.0, 3.0, -1.0]])
    loss = uda_loss(s, t, activation=activation, temperature=temperature, reduction="sum").loss
    exact = s.double()
    if activation == "sigmoid":
        wanted = torch.nn.functional.binary_cross_entropy_with_logits(exact, (t > 0).double(), reduction="sum")
    else:
        wanted = torch.nn.functional.cross_entropy(exact, t.argmax(-1))
    assert loss.double() == pytest.approx(wanted.item(), rel=3e-6)
