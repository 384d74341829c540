"""Multi-label cross-entropy, dense and sparse, against a brute force in 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from gpkl_lib import multilabel_cross_entropy, plateau_bound, span_mask, sparse_multilabel_cross_entropy, symmetric_kl

Loss = Callable[..., Tensor]


def dense(input: Tensor, positive: Tensor, **options: Any) -> Tensor:
    return multilabel_cross_entropy(input, positive, **options)


def sparse(input: Tensor, positive: Tensor, **options: Any) -> Tensor:
    return sparse_multilabel_cross_entropy(input, positive.nonzero(), **options)


either = pytest.mark.parametrize("loss", [dense, sparse])


def logits(*shape: int, seed: int = 0, scale: float = 4.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def some(*shape: int, share: float, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def brute_force(input: Tensor, positive: Tensor, mask: Tensor, class_dims: int) -> Tensor:
    """One class at a time, a loss a row."""
    rows = input.shape[: input.ndim - class_dims]
    losses = []
    with mp.workdps(50):
        for s, p, m in zip(*(x.reshape(math.prod(rows), -1).tolist() for x in (input, positive, mask)), strict=True):
            negatives, positives = mp.mpf(1), mp.mpf(1)
            for score, is_positive, is_valid in zip(s, p, m, strict=True):
                if is_valid and is_positive:
                    positives += mp.exp(-mp.mpf(score))
                elif is_valid:
                    negatives += mp.exp(mp.mpf(score))
            losses.append(float(mp.log(negatives) + mp.log(positives)))
    return torch.tensor(losses, dtype=torch.float64).reshape(rows)


# ---------------------------------------------------------------------------------------------------------------------
# Values.


@either
@pytest.mark.parametrize("class_dims", [1, 2, 3, 4])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0], ids=["no positives", "some", "all positive"])
def test_both_forms_are_the_brute_force(loss: Loss, class_dims: int, share: float) -> None:
    s = logits(2, 3, 5, 5)
    mask = some(2, 3, 5, 5, share=0.7, seed=2)
    mask[0, 1] = False  # a padded row
    positive = some(2, 3, 5, 5, share=share) & mask
    truth = brute_force(s, positive, mask, class_dims)
    options = {"class_dims": class_dims, "mask": mask}
    torch.testing.assert_close(loss(s, positive, **options, reduction="none"), truth)
    torch.testing.assert_close(loss(s, positive, **options), truth.mean())
    everywhere = torch.ones_like(mask)
    torch.testing.assert_close(
        loss(s, positive, class_dims=class_dims, reduction="none"), brute_force(s, positive, everywhere, class_dims)
    )


@settings(deadline=None, max_examples=100)
@given(
    length=st.integers(1, 6),
    types=st.integers(1, 3),
    share=st.sampled_from([0.0, 0.2, 1.0]),
    scale=st.sampled_from([0.1, 5.0, 50.0]),
    seed=st.integers(0, 1000),
)
def test_dense_and_sparse_agree_to_1e_6_in_float32(
    length: int, types: int, share: float, scale: float, seed: int
) -> None:
    s = logits(3, types, length, length, seed=seed, scale=scale).float()
    real = some(3, length, share=0.7, seed=seed + 1)
    mask = span_mask(real)
    positive = some(3, types, length, length, share=share, seed=seed + 2) & mask
    a, b = s.clone().requires_grad_(), s.clone().requires_grad_()
    options = {"class_dims": 2, "mask": mask}
    values = dense(a, positive, **options), sparse(b, positive, **options)
    torch.testing.assert_close(*values, rtol=1e-6, atol=1e-6)
    truth = brute_force(s, positive, mask.expand_as(s), 2).mean()
    torch.testing.assert_close(values[0].double(), truth, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(*(torch.autograd.grad(v, x)[0] for v, x in zip(values, (a, b), strict=True)))


@either
@pytest.mark.parametrize("z", [5, 10, 12, 15, 16, 40, 100])
def test_a_confident_positive_has_the_right_loss_and_the_right_sign_of_every_gradient(loss: Loss, z: float) -> None:
    """Where the sum over all classes less the positives has lost the negatives."""
    s = torch.full((100,), -10.0)
    s[0] = z
    s.requires_grad_()
    positive = torch.arange(100) == 0
    value = loss(s, positive)
    truth = brute_force(s.detach(), positive, torch.ones_like(positive), 1)
    torch.testing.assert_close(value.double(), truth, rtol=1e-6, atol=0)
    value.backward()
    assert s.grad is not None
    assert s.grad[0] < 0
    assert (s.grad[1:] > 0).all()
    torch.testing.assert_close(s.grad[0].item(), -1 / (1 + math.exp(z)), rtol=1e-5, atol=1e-44)


@either
def test_float64_is_right_to_its_last_digits(loss: Loss) -> None:
    s = torch.linspace(-60, 60, 121, dtype=torch.float64)[:, None]
    for label in (True, False):
        positive = torch.full_like(s, label, dtype=torch.bool)
        truth = brute_force(s, positive, torch.ones_like(positive), 1)
        torch.testing.assert_close(loss(s, positive, reduction="none"), truth, rtol=1e-15, atol=0)


@either
def test_an_entity_at_the_first_cell_counts(loss: Loss) -> None:
    s = torch.zeros(1, 1, 4, 4)
    positive = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    nothing = loss(s, positive, class_dims=2)
    positive[0, 0, 0, 0] = True
    assert nothing.item() == pytest.approx(math.log(17))
    assert loss(s, positive, class_dims=2).item() == pytest.approx(math.log(16) + math.log(2))


@either
def test_the_minimum_separates_the_classes_at_zero(loss: Loss) -> None:
    s = logits(4, 9).requires_grad_()
    positive = some(4, 9, share=0.4)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(loss(s, positive), s)
        s = (s - 5 * gradient).detach().requires_grad_()
    assert torch.equal(s > 0, positive)


# ---------------------------------------------------------------------------------------------------------------------
# Masks, reductions, sizes.


@either
def test_nothing_in_a_masked_cell_reaches_value_or_gradient(loss: Loss) -> None:
    s, mask = logits(4, 6), some(4, 6, share=0.6)
    mask[3] = False
    positive = some(4, 6, share=0.5, seed=3) & mask
    truth = brute_force(s, positive, mask, 1).mean()
    for garbage in (0.0, -1e12, math.inf, -math.inf, math.nan):
        leaf = s.masked_fill(~mask, garbage).requires_grad_()
        value = loss(leaf, positive, mask=mask)
        torch.testing.assert_close(value, truth)
        (gradient,) = torch.autograd.grad(value, leaf)
        assert (gradient[~mask] == 0).all()
        assert (gradient[mask] != 0).all()
        assert gradient.isfinite().all()


@either
def test_longer_padding_changes_nothing(loss: Loss) -> None:
    s = logits(2, 3, 5, 5)
    mask = span_mask(torch.ones(2, 5))
    positive = some(2, 3, 5, 5, share=0.2) & mask
    padded, marked = (torch.nn.functional.pad(x, (0, 7, 0, 7), value=v) for x, v in ((s, 50.0), (positive, False)))
    longer = span_mask(torch.arange(12).expand(2, 12) < 5)
    torch.testing.assert_close(
        loss(padded, marked, class_dims=2, mask=longer), loss(s, positive, class_dims=2, mask=mask)
    )


@either
def test_reductions(loss: Loss) -> None:
    s, positive = logits(2, 3, 5, 5), some(2, 3, 5, 5, share=0.1)
    each = loss(s, positive, class_dims=2, reduction="none")
    assert each.shape == (2, 3)
    torch.testing.assert_close(loss(s, positive, class_dims=2, reduction="sum"), each.sum())
    torch.testing.assert_close(loss(s, positive, class_dims=2, reduction="mean"), each.sum() / 6)
    torch.testing.assert_close(loss(s, positive, class_dims=2, reduction="batchmean"), each.sum() / 2)
    for reduction in ("mean", "batchmean"):
        twice = loss(s.repeat(2, 1, 1, 1), positive.repeat(2, 1, 1, 1), class_dims=2, reduction=reduction)
        torch.testing.assert_close(twice, loss(s, positive, class_dims=2, reduction=reduction))


@either
def test_empty_batches_and_masked_rows_are_zero(loss: Loss) -> None:
    for reduction in ("sum", "mean", "batchmean"):
        empty = torch.zeros(0, 2, 3, 3, requires_grad=True)
        value = loss(empty, empty.detach().bool(), class_dims=2, reduction=reduction)
        value.backward()
        assert value == 0
    s = logits(3, 4).requires_grad_()
    value = loss(s, torch.zeros(3, 4, dtype=torch.bool), mask=torch.zeros(3, 1, dtype=torch.bool))
    assert value == 0
    assert (torch.autograd.grad(value, s)[0] == 0).all()


@either
def test_gradcheck(loss: Loss) -> None:
    s, mask = logits(3, 2, 4).requires_grad_(), some(3, 2, 4, share=0.7)
    mask[0, 0] = False
    positive = some(3, 2, 4, share=0.4, seed=5) & mask
    assert gradcheck(lambda s: loss(s, positive, class_dims=1, mask=mask), (s,))
    assert gradgradcheck(lambda s: loss(s, positive, class_dims=1, mask=mask), (s,))


@either
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_finite_and_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    s = logits(4, 300, scale=8).to(dtype)
    positive = some(4, 300, share=0.1)
    for row, (side, label) in enumerate([(1, True), (1, False), (-1, True), (-1, False)]):
        s[row, 0], positive[row, 0] = side * torch.finfo(dtype).max, label
    leaf = s.clone().requires_grad_()
    value = loss(leaf, positive, reduction="none")
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), loss(s.double(), positive, reduction="none"), rtol=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


# ---------------------------------------------------------------------------------------------------------------------
# Errors.

VALID = span_mask(torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]))


@pytest.mark.parametrize(
    ("positives", "message"),
    [
        ([[0, 0, 0, 1], [1, 2, 0, 0]], r"positives\[1\] = \[1, 2, 0, 0\] lies outside input of shape \(2, 2, 4, 4\)"),
        ([[0, 0, 0, -1]], r"positives\[0\] = \[0, 0, 0, -1\] lies outside"),
        ([[0, 0, 0, 1], [0, 0, 0, 4], [0, 0, 0, 4]], r"positives\[1\] = \[0, 0, 0, 4\] lies outside"),
        ([[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]], r"positives\[2\] = \[0, 0, 0, 1\] is given more than once"),
        ([[0, 0, 0, 0], [0, 0, 0, 3]], r"positives\[1\] = \[0, 0, 0, 3\] is positive, but mask rules the cell out"),
        ([[0, 0, 1, 0]], r"positives\[0\] = \[0, 0, 1, 0\] is positive, but mask"),
    ],
)
def test_misplaced_positives_are_refused_with_their_place(positives: list[list[int]], message: str) -> None:
    """On padding, below the diagonal, out of range, twice."""
    with pytest.raises(ValueError, match=message):
        sparse_multilabel_cross_entropy(torch.zeros(2, 2, 4, 4), torch.tensor(positives), class_dims=2, mask=VALID)


def test_positives_of_an_empty_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"positives\[0\] = \[0, 0\] lies outside input of shape \(0, 3\)"):
        sparse_multilabel_cross_entropy(torch.zeros(0, 3), torch.tensor([[0, 0]]))


@pytest.mark.parametrize(
    ("place", "label", "message"),
    [
        ((0, 0, 2, 3), 1.0, r"target\[0, 0, 2, 3\] is positive, but mask rules the cell out"),
        ((1, 1, 1, 0), 1.0, r"target\[1, 1, 1, 0\] is positive, but mask"),
        ((1, 0, 0, 0), 0.5, r"target\[1, 0, 0, 0\] = 0.5, which is neither 0 nor 1"),
        ((1, 0, 0, 0), -100.0, r"target\[1, 0, 0, 0\] = -100, which is neither"),
        ((1, 0, 0, 0), math.nan, r"target\[1, 0, 0, 0\] = nan, which is neither"),
    ],
)
def test_misplaced_labels_are_refused_with_their_place(place: tuple[int, ...], label: float, message: str) -> None:
    target = torch.zeros(2, 2, 4, 4)
    target[place] = label
    with pytest.raises(ValueError, match=message):
        multilabel_cross_entropy(torch.zeros(2, 2, 4, 4), target, class_dims=2, mask=VALID)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"input": torch.zeros(2, 3).long()}, TypeError, "input must be floating point"),
        ({"mask": torch.ones(2, 3)}, TypeError, "mask must be a boolean tensor"),
        ({"mask": torch.ones(4, dtype=torch.bool)}, ValueError, r"mask of shape \(4,\) does not broadcast"),
        ({"class_dims": 3}, ValueError, "class_dims must be between 1 and 2, got 3"),
        ({"class_dims": 0}, ValueError, "class_dims must be between 1 and 2, got 0"),
        ({"reduction": "average"}, ValueError, "reduction must be one of .*, got 'average'"),
    ],
)
@either
def test_errors_name_the_argument(loss: Loss, change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"input": torch.zeros(2, 3), "positive": torch.zeros(2, 3, dtype=torch.bool)} | change
    with pytest.raises(error, match=message):
        loss(**arguments)


def test_labels_of_another_shape_or_type_are_refused() -> None:
    s = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"target must have the shape of input, \(2, 3\), got \(3,\)"):
        multilabel_cross_entropy(s, torch.zeros(3))
    with pytest.raises(ValueError, match=r"positives must have shape \(P, 2\), got \(1, 3\)"):
        sparse_multilabel_cross_entropy(s, torch.zeros(1, 3).long())
    with pytest.raises(TypeError, match="positives must be int64"):
        sparse_multilabel_cross_entropy(s, torch.zeros(1, 2).int())
    with pytest.raises(TypeError, match=r"positives must be a torch\.Tensor, got list"):
        sparse_multilabel_cross_entropy(s, [[0, 0]])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"target must be a torch\.Tensor, got list"):
        multilabel_cross_entropy(s, [[0, 0, 0], [0, 0, 1]])  # type: ignore[arg-type]


def test_no_class_no_loss() -> None:
    for shape, class_dims in (((3, 0), 1), ((2, 3, 0, 4), 2)):
        s = torch.zeros(shape, requires_grad=True)
        dense = multilabel_cross_entropy(s, torch.zeros(shape), class_dims=class_dims, reduction="none")
        sparse = sparse_multilabel_cross_entropy(
            s, torch.zeros(0, len(shape)).long(), class_dims=class_dims, reduction="none"
        )
        for loss in (dense, sparse):
            torch.testing.assert_close(loss, torch.zeros(shape[: len(shape) - class_dims]))
            loss.sum().backward()


def test_a_positive_that_its_logit_rules_out_costs_infinity() -> None:
    s = torch.tensor([[1.0, -math.inf, 2.0], [1.0, 0.0, 2.0]])
    loss = sparse_multilabel_cross_entropy(s, torch.tensor([[0, 1], [1, 1]]), reduction="none")
    assert loss[0] == math.inf
    assert loss[1].isfinite()


# ---------------------------------------------------------------------------------------------------------------------
# Cost: what makes the host wait for a GPU.


class Waits(TorchDispatchMode):
    """Counts the operations whose result the host needs before it can go on."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        self.count += any(part in name for part in ("_local_scalar_dense", "nonzero", "unique", "equal.default"))
        return func(*args, **(kwargs or {}))


def test_checking_the_labels_makes_the_host_wait_once_and_the_divergence_never() -> None:
    s, positives = logits(2, 2, 4, 4).requires_grad_(), torch.tensor([[0, 0, 0, 0], [1, 1, 0, 1]])
    target = torch.zeros(2, 2, 4, 4)
    target[positives.unbind(1)] = 1
    calls = [
        (1, lambda: multilabel_cross_entropy(s, target, class_dims=2, mask=VALID)),
        (1, lambda: sparse_multilabel_cross_entropy(s, positives, class_dims=2, mask=VALID)),
        (0, lambda: symmetric_kl(s, -s, activation="sigmoid", class_dims=2, mask=VALID, reduction="mean")),
        (0, lambda: symmetric_kl(s, -s, class_dims=2, mask=VALID, reduction="mean")),
    ]
    for wanted, call in calls:
        with Waits() as waits:
            call().backward()
        assert waits.count == wanted


# ---------------------------------------------------------------------------------------------------------------------
# What cells cost that cannot be told apart.


def test_no_scores_of_groups_are_below_their_bound_and_those_of_the_docstring_reach_it() -> None:
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        groups = torch.randint(6, (200,), generator=draw)
        positive = some(200, share=0.1, seed=int(groups[0]))
        P, N = (torch.bincount(groups[which], minlength=6) for which in (positive, ~positive))
        bound = plateau_bound(P, N)
        best = (P / N).log().double() / 2  # -inf where nothing is positive
        assert dense(best[groups], positive).item() == pytest.approx(bound.item(), rel=1e-12)
        for size in (1e-3, 1.0):
            moved = best.clamp(min=-50) + size * torch.randn(6, generator=draw, dtype=torch.float64)
            assert dense(moved[groups], positive) > bound


def test_what_can_be_told_apart_costs_nothing_and_merging_groups_costs_more() -> None:
    P, N = torch.tensor([[3, 0, 1], [0, 0, 0]]), torch.tensor([[0, 9, 4], [5, 0, 1]])
    assert plateau_bound(P, N).tolist() == pytest.approx([2 * math.log(3), 0])
    assert (plateau_bound(P.sum(-1, keepdim=True), N.sum(-1, keepdim=True)) >= plateau_bound(P, N)).all()
    assert plateau_bound(torch.tensor([10**12]), torch.tensor([10**12])).item() == pytest.approx(24 * math.log(10))


@pytest.mark.parametrize(
    ("positives", "negatives", "message"),
    [
        (torch.tensor([1, -2]), torch.tensor([1, 1]), r"positives\[1\] = -2, and a count is 0 or more"),
        (torch.tensor([1.0]), torch.tensor([math.nan]), r"negatives\[0\] = nan"),
        (torch.tensor([1]), torch.tensor([1, 2]), "negatives must have the shape"),
        (torch.tensor(1), torch.tensor(1), "positives must have a dimension for the groups"),
    ],
)
def test_counts_that_are_none_are_refused(positives: Tensor, negatives: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plateau_bound(positives, negatives)
