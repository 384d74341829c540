"""How long does a training step of the span head take, and how much memory, with and without the L x L scores?

    python benchmarks/span_loss.py [--output FILE] [--processes 5] [--cases head growth ...] [--lengths 128 256 ...]
                                   [--device cuda] [--dtype bfloat16]

A step is the head (projection, rotary position), the cross-entropy of both dropout views and their divergence, forward
and backward. Every figure comes from processes of its own, the implementations taking turns; a process gives the median
of its steps, by the clock and by processor time, and its peak memory above what it held before the first of them:
resident in the process, on a GPU as its allocator counts it. What was measured is kept in FILE, one row for each
(case, implementation, length, device, dtype), rewritten after each process: a run that was stopped goes on where it
was. Half precision is that of autocast.

Implementations: `tiled` (gpkl_lib.tiled), `dense` (gpkl_lib, all scores at once), `eager` (the dense way as a reader of
the method writes it, a dozen lines of PyTorch, all sentences full), `compiled` (torch.compile of `eager`, warm; needs a
C++ compiler), `bert4torch` (its GlobalPointer and losses, as its users call them), `products` (only the three
half products a view that every such step needs, in the blocks of `tiled`), `all products` (and the three of the head's
linear map). `METHOD dense` and `METHOD tiled` are the step of a method of training behind its encoder, as `fit` takes
it: the hidden states stand for embeddings, dropout before the head makes the views.

The cases `pages`, `kept` and `methods` run with the C library's allocator told to keep its pages, which glibc gives
back at every tensor above 32 MiB by default: else the dense way mostly waits for page faults. `pages` is `head` again
but for that; the other two run on one thread, for processor time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where a test imports this file
from span_steps import BATCH, HEAD_SIZE, HIDDEN, STEPS, TRAINED, TYPES

FOLDER = Path(__file__).resolve().parent.parent
OUTPUT = FOLDER / "book" / "_results" / "tiled-span-loss.jsonl"


class Case(NamedTuple):
    """What is compared with what.

    Attributes:
        implementations: in turns.
        lengths: tokens.
        batch: sentences.
        threads, processes: at most so many; None for what the options say.
        keeps_pages: whether the C library's allocator is told to keep its pages.
    """

    implementations: tuple[str, ...]
    lengths: tuple[int, ...]
    batch: int
    threads: int | None = None
    processes: int | None = None
    keeps_pages: bool = False


CASES = {
    "head": Case(("tiled", "dense", "eager", "compiled", "bert4torch", "products"), (64, 128, 256, 512, 1024), BATCH),
    "pages": Case(("tiled", "eager"), (64, 128, 256, 512, 1024), BATCH, keeps_pages=True),
    "growth": Case(("tiled",), (1024, 2048, 4096), BATCH),
    "small": Case(("tiled", "dense"), (8, 16, 32, 64), 16),
    "tagger": Case(("plain dense", "plain tiled", "two views dense", "two views tiled"), (25,), 16),
    "kept": Case(("tiled", "dense", "eager", "products", "all products"), (128, 256, 512, 1024), BATCH, 1, 1, True),
    "methods": Case(
        tuple(f"{name} {how}" for name in TRAINED for how in ("tiled", "dense")), (512, 1024), 1, 1, 1, True
    ),
    "gpu": Case(("tiled", "dense", "eager", "compiled", "products"), (512, 1024, 2048, 4096, 8192), 8),
}
ON_CPU = ["head", "pages", "growth", "small", "tagger", "kept", "methods"]
KEEPS_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}
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
            times, spent, peak = _timed(implementation, length, batch, seconds, device)
    except torch.OutOfMemoryError:
        return {"skipped": f"more memory than the {device} has"}
    package = {"package": f"bert4torch {version('bert4torch')}"} if implementation == "bert4torch" else {}
    return package | {
        "milliseconds": statistics.median(times[1:]) * 1e3,
        "cpu_milliseconds": statistics.median(spent[1:]) * 1e3,
        "peak_mib": peak / 2**20,
        "provenance": provenance(torch.device(device)),
    }


def _timed(
    implementation: str, length: int, batch: int, seconds: float, device: str
) -> tuple[list[float], list[float], int]:
    """Seconds of each step, by the clock and of all processors, and bytes of peak memory above the start."""
    make = STEPS[implementation]
    if implementation != "compiled":  # whatever the first step of all takes for itself
        make(8, batch)()
    step = make(length, batch)
    if implementation == "compiled":
        step()
        step()
    before = _memory(device, reset=True)
    times: list[float] = []
    spent: list[float] = []
    began = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - began < seconds and len(times) < 1000):
        start = time.perf_counter(), time.process_time()
        step()
        _wait(device)
        times.append(time.perf_counter() - start[0])
        spent.append(time.process_time() - start[1])
    return times, spent, _memory(device) - before


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
    for turn in range(processes):
        for name in cases:
            case = CASES[name]
            if case.processes is not None and turn >= case.processes:
                continue
            for length in case.lengths:
                if lengths and length not in lengths:
                    continue
                for implementation in case.implementations:
                    yield {"case": name, "implementation": implementation, "length": length, "batch": case.batch}


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what is not there yet."""
    from gpkl_lib.experiments import identity, read_rows

    rows = {row["key"]: row for row in (read_rows(options.output) if options.output.exists() else [])}
    plan = list(wanted(options.cases, options.lengths, options.processes))
    done: dict[str, int] = {}
    for number, what in enumerate(plan, 1):
        case = CASES[what["case"]]
        settings = what | {
            **({"types": TYPES, "head_size": HEAD_SIZE, "hidden_size": HIDDEN} if what["case"] != "tagger" else {}),
            **{"views": 2, "alpha": 1.0, "dtype": options.dtype, "threads": case.threads or options.threads},
            **({} if options.device == "cpu" else {"device": options.device}),
            **({"allocator": KEEPS_PAGES} if case.keeps_pages else {}),
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
            row.setdefault("cpu_milliseconds", []).append(round(found["cpu_milliseconds"], 4))
            row["peak_mib"].append(round(found["peak_mib"], 2))
            row["median_ms"] = statistics.median(row["milliseconds"])
            row["median_cpu_ms"] = statistics.median(row["cpu_milliseconds"])
            row["median_mib"] = statistics.median(row["peak_mib"])
            row["processes"] = len(row["milliseconds"])
            row |= {name: found[name] for name in ("provenance", "package") if name in found}
        row["command"] = "python benchmarks/span_loss.py"
        row["measured_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _write(options.output, list(rows.values()))
        shown = row.get("skipped") or f"{row['milliseconds'][-1]:10.2f} ms {row['peak_mib'][-1]:9.1f} MiB"
        name = f"{what['case']}, L = {what['length']}, {what['implementation']}"
        print(f"{number:4d}/{len(plan)}  {name:36s} {shown}", flush=True)
    return list(rows.values())


def _process(what: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    task = {name: what[name] for name in ("implementation", "length", "batch")}
    task |= {name: getattr(options, name) for name in ("seconds", "device", "dtype")}
    case = CASES[what["case"]]
    task["threads"] = case.threads or options.threads
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}  # as users have it
    environment |= KEEPS_PAGES if case.keeps_pages else {}
    answer = subprocess.run(
        [options.python, __file__, "--measure", json.dumps(task)],
        env={**environment, "OMP_NUM_THREADS": str(task["threads"]), "PYTHONPATH": str(FOLDER)},
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
    """The figures, and each against `tiled` in the same case: of the tagger against the plain step, dense; of a method
    against its own tiled step. Times are the clock's, of cases on one thread the processor's.
    """
    lines = []
    kinds = [(row["case"], row["length"], row.get("device", "cpu"), row["dtype"]) for row in rows]
    for kind in dict.fromkeys(kinds):
        case, length, device, dtype = kind
        same = [row for row, other in zip(rows, kinds, strict=True) if other == kind]
        bases = {row["implementation"]: row for row in same}
        lines += [
            "",
            f"{case}, L = {length}, {device}, {dtype}",
            f"  {'':18s}{'ms':>10s}{'times':>8s}{'MiB':>10s}{'times':>8s}",
        ]
        for row in same:
            if "median_ms" not in row:
                lines.append(f"  {row['implementation']:18s} skipped: {row.get('skipped', 'not measured')}")
                continue
            own = f"{row['implementation'].rpartition(' ')[0]} tiled"
            base = bases.get({"tagger": "plain dense", "methods": own}.get(case, "tiled"), {})
            time_of = "median_cpu_ms" if CASES[case].threads == 1 else "median_ms"
            ratios = [row[name] / base[name] if base.get(name) else math.nan for name in (time_of, "median_mib")]
            figures = f"{row[time_of]:10.2f}{ratios[0]:8.2f}{row['median_mib']:10.1f}{ratios[1]:8.2f}"
            lines.append(f"  {row['implementation']:18s}{figures}")
    return "\n".join(lines)


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
