"""How long does a training step of the span head take, and how much memory, with and without the L x L scores?

    python benchmarks/span_loss.py [--output FILE] [--processes 5] [--cases head growth ...] [--lengths 128 256 ...]
                                   [--device cuda] [--dtype bfloat16]

A step is the head (projection, rotary position), the cross-entropy of both dropout views and their divergence, forward
and backward. Every figure comes from processes of its own, the implementations taking turns; a process gives the median
of its steps and its peak memory above what it held before the first of them: resident in the process, on a GPU as its
allocator counts it. What was measured is kept in FILE, one row for each (case, implementation, length, device, dtype),
rewritten after each process: a run that was stopped goes on where it was. Half precision is that of autocast.

Implementations: `tiled` (gpkl_lib.tiled), `dense` (gpkl_lib, all scores at once), `eager` (the dense way as a reader of
the method writes it, a dozen lines of PyTorch, all sentences full), `compiled` (torch.compile of `eager`, warm; needs a
C++ compiler), `bert4torch` (its GlobalPointer and losses, as its users call them), `products` (only the three
half products a view that every such step needs, in the blocks of `tiled`).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH, TYPES, HEAD_SIZE, HIDDEN, SPANS = 4, 10, 64, 256, 8  # spans: of each sentence
FOLDER = Path(__file__).resolve().parent.parent
OUTPUT = FOLDER / "book" / "_results" / "tiled-span-loss.jsonl"
Step = Callable[[], object]


# ---------------------------------------------------------------------------------------------------------------------
# The steps that are timed.


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
        mask = span_mask(real)
        rdrop_loss(
            first,
            second,
            lambda view: sparse_multilabel_cross_entropy(view, positives, class_dims=2, mask=mask),
            alpha=1.0,
            activation="sigmoid",
            class_dims=2,
            mask=mask,
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
    "plain dense": lambda length, batch: tagger_step("none", False),
    "plain tiled": lambda length, batch: tagger_step("none", True),
    "two views dense": lambda length, batch: tagger_step("sigmoid", False),
    "two views tiled": lambda length, batch: tagger_step("sigmoid", True),
}
"""Cases: what is compared with what, at which lengths."""
CASES: dict[str, tuple[tuple[str, ...], tuple[int, ...], int]] = {
    "head": (("tiled", "dense", "eager", "compiled", "bert4torch", "products"), (64, 128, 256, 512, 1024), BATCH),
    "growth": (("tiled",), (1024, 2048, 4096), BATCH),
    "small": (("tiled", "dense"), (8, 16, 32, 64), 16),
    "tagger": (("plain dense", "plain tiled", "two views dense", "two views tiled"), (25,), 16),
    "gpu": (("tiled", "dense", "eager", "compiled", "products"), (512, 1024, 2048, 4096, 8192), 8),
}
ON_CPU = ["head", "growth", "small", "tagger"]
LEFT_OUT = {("compiled", 1024, "cpu"): "compiling and 20 GB of graph take longer than the rest together"}


# ---------------------------------------------------------------------------------------------------------------------
# One process.


def measure(
    implementation: str, length: int, batch: int, seconds: float, threads: int, device: str, dtype: str
) -> dict[str, Any]:
    """Median milliseconds of a step, and MiB of peak memory above the start."""
    import torch

    from gpkl_lib.experiments import provenance

    torch.set_num_threads(threads)
    torch.set_default_device(device)
    try:
        with torch.autocast(device, getattr(torch, dtype), enabled=dtype != "float32"):
            times, peak = _timed(implementation, length, batch, seconds, device)
    except torch.OutOfMemoryError:
        return {"skipped": f"more memory than the {device} has"}
    where = provenance(torch.device(device))
    return {"milliseconds": statistics.median(times[1:]) * 1e3, "peak_mib": peak / 2**20, "provenance": where}


def _timed(implementation: str, length: int, batch: int, seconds: float, device: str) -> tuple[list[float], int]:
    """Seconds of each step, and bytes of peak memory above the start."""
    make = STEPS[implementation]
    if implementation != "compiled":  # whatever the first step of all takes for itself
        make(8, batch)()
    step = make(length, batch)
    if implementation == "compiled":
        step()
        step()
    before = _memory(device, reset=True)
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - began < seconds and len(times) < 1000):
        start = time.perf_counter()
        step()
        _wait(device)
        times.append(time.perf_counter() - start)
    return times, _memory(device) - before


def _wait(device: str) -> None:
    """Until the device has done what it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _memory(device: str, reset: bool = False) -> int:
    """Bytes: the peak since the last reset, or what is held now, from where the next peak counts.

    Of the process on a CPU (since its start, where the system cannot reset), of the allocator on a GPU.
    """
    import torch

    if device == "cuda":
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# ---------------------------------------------------------------------------------------------------------------------
# All of them.


def wanted(cases: list[str], lengths: list[int] | None, processes: int) -> Iterator[dict[str, Any]]:
    """What to measure, in order: each implementation once, then again, so that a busy minute hits all alike."""
    for _ in range(processes):
        for case in cases:
            implementations, at, batch = CASES[case]
            for length in at:
                if lengths and length not in lengths:
                    continue
                for implementation in implementations:
                    yield {"case": case, "implementation": implementation, "length": length, "batch": batch}


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what is not there yet."""
    from gpkl_lib.experiments import identity, read_rows

    rows = {row["key"]: row for row in (read_rows(options.output) if options.output.exists() else [])}
    plan = list(wanted(options.cases, options.lengths, options.processes))
    done: dict[str, int] = {}
    for number, what in enumerate(plan, 1):
        settings = what | {
            **({"types": TYPES, "head_size": HEAD_SIZE, "hidden_size": HIDDEN} if what["case"] != "tagger" else {}),
            **{"views": 2, "alpha": 1.0, "dtype": options.dtype, "threads": options.threads},
            **({} if options.device == "cpu" else {"device": options.device}),
        }
        key = identity(settings)
        done[key] = done.get(key, 0) + 1
        row = rows.setdefault(key, {"key": key, **settings, "milliseconds": [], "peak_mib": []})
        if len(row["milliseconds"]) >= done[key] or "skipped" in row:
            continue
        why = LEFT_OUT.get((what["implementation"], what["length"], options.device))
        found = {"skipped": why} if why else _process(what, options)
        if "skipped" in found:
            row["skipped"] = found["skipped"]
        else:
            row["milliseconds"].append(round(found["milliseconds"], 4))
            row["peak_mib"].append(round(found["peak_mib"], 2))
            row["median_ms"] = statistics.median(row["milliseconds"])
            row["median_mib"] = statistics.median(row["peak_mib"])
            row["processes"] = len(row["milliseconds"])
            row["provenance"] = found["provenance"]
        row["command"] = "python benchmarks/span_loss.py"
        row["measured_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _write(options.output, list(rows.values()))
        shown = row.get("skipped") or f"{row['milliseconds'][-1]:10.2f} ms {row['peak_mib'][-1]:9.1f} MiB"
        name = f"{what['case']}, L = {what['length']}, {what['implementation']}"
        print(f"{number:4d}/{len(plan)}  {name:36s} {shown}", flush=True)
    return list(rows.values())


def _process(what: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    task = {name: what[name] for name in ("implementation", "length", "batch")}
    task |= {name: getattr(options, name) for name in ("seconds", "threads", "device", "dtype")}
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}  # as users have it
    answer = subprocess.run(
        [options.python, __file__, "--measure", json.dumps(task)],
        env={**environment, "OMP_NUM_THREADS": str(options.threads), "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.strip().splitlines()
    if answer.returncode == 0 and lines:
        return json.loads(lines[-1])  # type: ignore[no-any-return]
    reason = answer.stderr.strip().splitlines() or ["no answer"]
    if reason[-1].startswith("skipped: "):
        return {"skipped": reason[-1].removeprefix("skipped: ")}
    raise SystemExit(f"{what}: the process ended with {answer.returncode}:\n" + "\n".join(reason[-15:]))


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text("".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
    new.replace(path)


def table(rows: list[dict[str, Any]]) -> str:
    """The figures, and each against `tiled` (of the tagger: against the plain step, dense) in the same case."""
    lines = []
    kinds = [(row["case"], row["length"], row.get("device", "cpu"), row["dtype"]) for row in rows]
    for kind in dict.fromkeys(kinds):
        case, length, device, dtype = kind
        same = [row for row, other in zip(rows, kinds, strict=True) if other == kind]
        base = next((row for row in same if row["implementation"] in ("tiled", "plain dense")), None)
        lines += [
            "",
            f"{case}, L = {length}, {device}, {dtype}",
            f"  {'':18s}{'ms':>10s}{'times':>8s}{'MiB':>10s}{'times':>8s}",
        ]
        for row in same:
            if "median_ms" not in row:
                lines.append(f"  {row['implementation']:18s} skipped: {row.get('skipped', 'not measured')}")
                continue
            ratios = [row[name] / base[name] if base and base.get(name) else math.nan for name in MEDIANS]
            figures = f"{row['median_ms']:10.2f}{ratios[0]:8.2f}{row['median_mib']:10.1f}{ratios[1]:8.2f}"
            lines.append(f"  {row['implementation']:18s}{figures}")
    return "\n".join(lines)


MEDIANS = ("median_ms", "median_mib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSONL, gone on with if it exists")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), help=f"{' '.join(ON_CPU)}; on a GPU: gpu")
    parser.add_argument("--lengths", nargs="+", type=int, help="of those cases, only these")
    parser.add_argument("--processes", type=int, default=5, help="of each implementation at each length")
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps in a process, three steps at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], help="float32, on a GPU bfloat16")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has bert4torch, if this has not")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            parser.error("--device cuda: this torch finds no GPU")
    options.cases = options.cases or (ON_CPU if options.device == "cpu" else ["gpu"])
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    print(table(run(options)))


if __name__ == "__main__":
    main()
