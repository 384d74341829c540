"""What a fixed target says, asked of a model in tiles: distillation, UDA and the divergence of VAT."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiled_cases import Case, check, drawn, waiting
from torch import Tensor

from gpkl_lib import (
    distillation_loss,
    kl_divergence,
    span_mask,
    sparse_multilabel_cross_entropy,
    symmetric_kl,
    uda_loss,
)
from gpkl_lib.tiled import (
    BLOCK,
    HOLD,
    tiled_distillation_loss,
    tiled_span_loss,
    tiled_symmetric_kl,
    tiled_uda_loss,
)
from gpkl_lib.tiled.divergences import binary_kl

ALPHA = 2.0


def with_target(case: Case, gap: float = 1.0, size: int = 3) -> Case:
    """The case with another tagger's queries and keys, of `size` features; `gap` scales their scores."""
    rows, types, length, _ = case["query"].shape
    draw = torch.Generator().manual_seed(int(case["query"].numel()))
    target = torch.randn(2, rows, types, length, size, generator=draw, dtype=torch.float64)
    target *= (gap * case["scale"] / size**0.5) ** 0.5
    return {**case, "target_query": target[0], "target_key": target[1]}


def distillation(query: Tensor, key: Tensor, case: Case, **how: Any) -> list[Tensor]:
    target = (case[name].to(query.dtype) for name in ("target_query", "target_key"))
    options = {"attention_mask": case["real"], "alpha": ALPHA, "temperature": case["temperature"], **how}
    return [*tiled_distillation_loss(query, key, *target, case["positives"], **options)]


def augmentation(query: Tensor, key: Tensor, case: Case, **how: Any) -> list[Tensor]:
    target = (case[name].to(query.dtype) for name in ("target_query", "target_key"))
    options = {"temperature": case["temperature"], "threshold": case["threshold"], "attention_mask": case["real"]}
    return [*tiled_uda_loss(query, key, *target, **options, **how)]


def adversarial(query: Tensor, key: Tensor, case: Case, **how: Any) -> list[Tensor]:
    target = (case[name].to(query.dtype) for name in ("target_query", "target_key"))
    return [tiled_symmetric_kl(query, key, *target, attention_mask=case["real"], **how)]


def dense(query: Tensor, key: Tensor, case: Case, kind: Callable[..., Any]) -> list[Tensor]:
    """The same from all scores at once, by the library's own losses."""
    s, mask = query @ key.mT, span_mask(case["real"])
    target = (case["target_query"].to(query.dtype) @ case["target_key"].to(query.dtype).mT).requires_grad_()
    how: dict[str, Any] = {"activation": "sigmoid", "class_dims": 2, "mask": mask}
    if kind is adversarial:
        return [symmetric_kl(target.detach(), s, **how, reduction="rowmean")]
    if kind is augmentation:
        options = {"temperature": case["temperature"], "threshold": case["threshold"], "reduction": "rowmean"}
        return [*uda_loss(s, target, **how, **options)]
    task = sparse_multilabel_cross_entropy(s, case["positives"], class_dims=2, mask=mask)
    divergence = distillation_loss(s, target, temperature=case["temperature"], **how, reduction="rowmean")
    return [task + ALPHA * divergence, task, divergence]


KINDS = [distillation, augmentation, adversarial]
EACH = pytest.mark.parametrize("kind", KINDS)


def both(
    kind: Callable[..., Any], case: Case, dtype: torch.dtype, block: int = BLOCK, hold: int = HOLD
) -> tuple[list[Tensor], list[Tensor]]:
    """(loss, its parts, gradients of query and key): tiled in `dtype`, dense in float64 at the same inputs."""
    query, key = (case[name].to(dtype).requires_grad_() for name in ("query", "key"))
    exact = [x.detach().double().requires_grad_() for x in (query, key)]
    rounded = {name: case[name].to(dtype).double() for name in ("target_query", "target_key")}
    with waiting(hold):
        found = kind(query, key, case, block=block)
    wanted = dense(*exact, {**case, **rounded}, kind)
    return (
        [*(x.detach() for x in found), *torch.autograd.grad(found[0], (query, key))],
        [*(x.detach() for x in wanted), *torch.autograd.grad(wanted[0], exact)],
    )


def close(kind: Callable[..., Any], case: Case, dtype: torch.dtype, tolerance: float, **how: int) -> None:
    found, wanted = both(kind, case, dtype, **how)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        within = max(tolerance, torch.finfo(b.dtype).eps)  # a share of counts is a float32 in the dense way
        assert (a.double() - b).norm() <= within * b.norm().clamp(min=1e-3), (a, b)


@settings(max_examples=150, deadline=None)
@given(
    kind=some.sampled_from(KINDS),
    seed=some.integers(0, 10**6),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    d=some.sampled_from([1, 2, 8]),
    size=some.sampled_from([1, 3, 8]),
    share=some.sampled_from([0.0, 0.1, 1.0]),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    scale=some.sampled_from([0.01, 1.0, 10.0, 100.0, 1000.0]),
    gap=some.sampled_from([0.01, 1.0, 100.0]),
    temperature=some.sampled_from([0.05, 0.4, 1.0, 3.0, 20.0]),
    threshold=some.sampled_from([0.0, 0.6, 0.95]),
    block=some.sampled_from([1, 60, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
)
def test_loss_and_gradient_are_those_of_the_dense_way(
    kind: Any, temperature: float, threshold: float, gap: float, size: int, block: int, hold: int, **drawn_by: Any
) -> None:
    case = drawn(views=1, **drawn_by) | {"scale": drawn_by["scale"], "temperature": temperature, "threshold": threshold}
    close(kind, with_target(case, gap, size), torch.float64, 1e-11, block=block, hold=hold)


@EACH
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("hold", [0, HOLD])
def test_float32_keeps_its_digits(kind: Any, temperature: float, hold: int) -> None:
    for scale in (0.1, 1.0, 5.0):
        case = drawn(0, 1, types=2, length=65, d=16, scale=scale)
        case |= {"scale": scale, "temperature": temperature, "threshold": 0.0}
        close(kind, with_target(case), torch.float32, 4e-6, hold=hold)


@EACH
def test_scores_of_thousands_either_way(kind: Any) -> None:
    """Sure of the same, sure of the opposite, and sure against unsure."""
    for level, of_target in ((1e3, 1e3), (-1e3, -1e3), (1e3, -1e3), (-1e3, 1e3), (0.0, 1e3), (-1e3, 0.0)):
        case = drawn(3, 1, types=2, d=4, mask="holes") | {"scale": 1.0, "temperature": 2.0, "threshold": 0.5}
        case = with_target(case)
        for query, key, height in (("query", "key", level), ("target_query", "target_key", of_target)):
            case[query] = torch.cat([case[query], torch.full_like(case[query][..., :1], height)], -1)
            case[key] = torch.cat([case[key], torch.ones_like(case[key][..., :1])], -1)
        for hold in (0, HOLD):
            close(kind, case, torch.float64, 1e-10, hold=hold)
            close(kind, case, torch.float32, 2e-4, hold=hold)


@EACH
def test_close_scores_keep_what_they_have(kind: Any) -> None:
    """A student that is nearly the teacher: the value to what the rounding of scores leaves of their difference."""
    for size in (1e-2, 1e-3):
        case = drawn(6, 1, types=2, length=30, d=8, mask="full") | {"scale": 1.0, "temperature": 1.0, "threshold": 0.0}
        target = {f"target_{name}": case[name] + size * torch.randn_like(case[name]) for name in ("query", "key")}
        found, wanted = both(kind, case | target, torch.float32)
        at = 2 if kind is distillation else 0
        assert float(wanted[at]) > 0
        assert float(found[at]) == pytest.approx(float(wanted[at]), rel=1e-6 / size)


@pytest.mark.parametrize("temperature", [0.7, math.inf])
def test_the_spans_that_a_teacher_scores_high_alone(temperature: float) -> None:
    case = with_target(drawn(4, 1, batch=3, length=20, mask="holes") | {"scale": 9.0, "temperature": temperature})
    query, key = (case[name].requires_grad_() for name in ("query", "key"))
    teacher, s = case["target_query"] @ case["target_key"].mT, query @ key.mT
    mask = span_mask(case["real"]).expand(s.shape)
    for above in (-1.0, 0.5, 1e9):
        found = distillation(query, key, case, above=above)
        how: dict[str, Any] = {"temperature": temperature, "activation": "sigmoid", "class_dims": 2}
        wanted = distillation_loss(s, teacher, mask=mask & (teacher > above), reduction="rowmean", **how)
        torch.testing.assert_close(found[2], wanted.detach(), rtol=1e-11, atol=1e-14)
        task = sparse_multilabel_cross_entropy(s, case["positives"], class_dims=2, mask=mask)
        gradients = (torch.autograd.grad(x, (query, key), retain_graph=True) for x in (found[0], task + ALPHA * wanted))
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_the_binary_kl_keeps_its_digits_near_and_far() -> None:
    """Logits up to 80 either way, from a millionth to a hundred apart, against the same floats in float64."""
    t = torch.linspace(-80, 80, 65)[:, None]
    apart = torch.logspace(-6, 2, 33)
    s = t + torch.cat([-apart, apart])
    terms, difference = binary_kl(t.expand(s.shape), s, s - t)
    exact_s, exact_t = s.double(), t.double().expand(s.shape)
    wanted = kl_divergence(exact_t, exact_s, activation="sigmoid", reduction="none", class_dims=1)
    p, q = exact_s.sigmoid(), exact_t.sigmoid()
    gap = (p * (-exact_t).sigmoid() + (-exact_s).sigmoid() * q) * torch.tanh((exact_s - exact_t) / 2)
    ordinary = wanted > 1e-30
    assert ordinary.sum() > 3000
    torch.testing.assert_close(terms[ordinary].double(), wanted[ordinary], rtol=1e-5, atol=0)
    torch.testing.assert_close(difference[ordinary].double(), gap[ordinary], rtol=1e-5, atol=0)


def test_the_limit_of_a_large_temperature() -> None:
    case = drawn(2, 1, length=30) | {"scale": 1.0, "temperature": math.inf}
    close(distillation, with_target(case), torch.float64, 1e-12)
    hot = distillation(case["query"], case["key"], with_target(case | {"temperature": 1e5}))[2]
    assert float(hot) == pytest.approx(float(distillation(case["query"], case["key"], with_target(case))[2]), rel=1e-4)


def test_the_share_of_sure_spans_is_counted_and_none_is_no_loss() -> None:
    case = with_target(drawn(5, 1, batch=3, length=20) | {"scale": 1.0, "temperature": 0.5, "threshold": 0.7})
    for hold, block in ((0, 30), (HOLD, BLOCK)):
        found, wanted = both(augmentation, case, torch.float64, block, hold)
        assert 0.05 < float(found[1]) < 0.95
        assert float(found[1]) == pytest.approx(float(wanted[1]), abs=1e-6)
    nothing, _ = both(augmentation, case | {"threshold": 0.999999}, torch.float64)
    assert [float(x.abs().sum()) for x in nothing] == [0.0] * 4


def test_only_the_model_learns_and_not_the_target() -> None:
    case = with_target(drawn(9, 1) | {"scale": 1.0, "temperature": 1.0, "threshold": 0.0})
    for name in ("query", "target_query", "target_key"):
        case[name].requires_grad_()
    for kind in KINDS:
        loss, *parts = kind(case["query"], case["key"], case)
        assert loss.requires_grad
        assert not any(part.requires_grad for part in parts)
        loss.backward()
        assert case["query"].grad.abs().sum() > 0
        assert case["target_query"].grad is None
        assert case["target_key"].grad is None
        case["query"].grad = None


@EACH
@pytest.mark.parametrize("garbage", [math.nan, math.inf])
def test_garbage_in_the_padding_reaches_nothing(kind: Any, garbage: float) -> None:
    case = with_target(drawn(6, 1, batch=3, mask="holes") | {"scale": 1.0, "temperature": 0.5, "threshold": 0.1})
    wanted = both(kind, case, torch.float64)[0]
    padding = ~case["real"][:, None, :, None]
    dirty = {name: case[name].masked_fill(padding, garbage) for name in ("query", "key", "target_query", "target_key")}
    query, key = (dirty[name].requires_grad_() for name in ("query", "key"))
    found = kind(query, key, case | dirty)
    for a, b in zip([*found, *torch.autograd.grad(found[0], (query, key))], wanted, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-13, atol=1e-14)


@EACH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(kind: Any, dtype: torch.dtype) -> None:
    case = with_target(drawn(2, 1, length=70, d=16, mask="full") | {"scale": 1.0, "temperature": 2.0, "threshold": 0.0})
    found, wanted = both(kind, case, dtype)
    for a, b in zip(found[:-2], wanted[:-2], strict=True):
        assert a.dtype == torch.float32
        assert float(a) == pytest.approx(float(b), rel=4e-6)
    for a, b in zip(found[-2:], wanted[-2:], strict=True):
        assert a.dtype == dtype
        assert (a.double() - b).norm() <= torch.finfo(dtype).eps * b.norm()


@EACH
def test_gradcheck(kind: Any) -> None:
    case = drawn(199, 1, types=2, length=3, d=2, mask="holes", share=0.3)
    case = with_target(case | {"scale": 1.0, "temperature": 0.7, "threshold": 0.3})
    for hold in (0, HOLD):
        with waiting(hold):
            inputs = case["query"].requires_grad_(), case["key"].requires_grad_()
            assert torch.autograd.gradcheck(lambda q, k: kind(q, k, case, block=5)[0], inputs)


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    length=some.integers(1, 20),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    scale=some.sampled_from([1.0, 10.0, 1000.0]),
    share=some.sampled_from([0.0, 0.1, 1.0]),
    threshold=some.sampled_from([1e-6, 0.5, 0.6, 0.9, 0.999, 1.0]),
    hold=some.sampled_from([0, HOLD]),
)
def test_labelled_cells_that_are_sure_already_are_left_out(threshold: float, hold: int, **drawn_by: Any) -> None:
    """Training signal annealing, as the method "uda" does it in the dense way."""
    case = drawn(views=1, **drawn_by)

    def dense_way(query: Tensor, key: Tensor) -> Tensor:
        scores = query @ key.mT
        gold = torch.zeros_like(scores, dtype=torch.bool)
        gold[tuple(case["positives"].T)] = True
        right = torch.where(gold, scores, -scores).detach()
        mask = span_mask(case["real"]).expand(scores.shape) & (torch.sigmoid(right) <= threshold)
        kept = case["positives"][mask[tuple(case["positives"].T)]]
        return sparse_multilabel_cross_entropy(scores, kept, class_dims=2, mask=mask)

    def tiled(query: Tensor, key: Tensor) -> Tensor:
        options = {"attention_mask": case["real"], "annealing_threshold": threshold}
        with waiting(hold):
            return tiled_span_loss(query, key, case["positives"], **options).loss

    results = []
    for way in (tiled, dense_way):
        query, key = (case[name].clone().requires_grad_() for name in ("query", "key"))
        loss = way(query, key)
        results.append([loss.detach(), loss.detach(), loss.detach(), *torch.autograd.grad(loss, (query, key))])
    check(*results, 1e-11)


def test_what_does_not_fit_is_refused() -> None:
    x, none = torch.zeros(2, 3, 5, 4), torch.empty(0, 4, dtype=torch.long)
    for error, says, call in (
        (ValueError, r"teacher_query and teacher_key must have one shape \(2, 3, 5, 'any head size'\)", (x, x[:1])),
        (ValueError, "as the query has it, got", (x[:1], x[:1])),
        (ValueError, "as the query has it, got", (x[:, :, :4], x[:, :, :4])),
        (TypeError, "teacher_query must be floating point", (x.long(), x)),
        (TypeError, "teacher_key must be floating point", (x, x.long())),
    ):
        with pytest.raises(error, match=says):
            tiled_distillation_loss(x, x, *call, none, alpha=1.0)
    with pytest.raises(ValueError, match="alpha must be finite"):
        tiled_distillation_loss(x, x, x, x, none, alpha=-1.0)
    with pytest.raises(ValueError, match="temperature must lie between"):
        tiled_distillation_loss(x, x, x, x, none, alpha=1.0, temperature=0.0)
    with pytest.raises(ValueError, match="temperature must lie between"):
        tiled_uda_loss(x, x, x, x, temperature=math.inf)
    with pytest.raises(ValueError, match=r"threshold must lie in \[0, 1\), got 1.0"):
        tiled_uda_loss(x, x, x, x, threshold=1.0)
    with pytest.raises(ValueError, match=r"annealing_threshold must lie in \(0, 1\], got 0"):
        tiled_span_loss(x, x, none, annealing_threshold=0.0)
    with pytest.raises(ValueError, match="target_query and target_key must"):
        tiled_symmetric_kl(x, x, x, x[..., :2])
