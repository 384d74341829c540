"""Every public name has an example in its docstring, and what the example shows is what comes out."""

from __future__ import annotations

import doctest
import inspect
import io
import tempfile
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

import gpkl_lib

FACES = ("corpora", "tagger", "training", "tiled", "experiments", "derivations", "explore", "chapters")
NEEDS = {"derivations": "sympy", "explore": "anywidget", "chapters": "anywidget"}
EXTRAS = {  # what an example needs and loads
    "PretrainedEncoder": "transformers",
    "dask_client": "distributed",
    "export_onnx": "onnxruntime",
    "export_program": "onnxruntime",
}
old = pytest.mark.skipif(
    torch.__version__ < (2, 6), reason=f"a graph of any length needs torch 2.6: {torch.__version__}"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an example writes without saying where, and where its temporary folders are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def public(face: ModuleType) -> dict[str, object]:
    """The functions and classes that a face hands on; a constant has no docstring of its own."""
    values = {name: getattr(face, name) for name in face.__all__}
    return {name: value for name, value in values.items() if inspect.isclass(value) or inspect.isroutine(value)}


def failures(face: ModuleType, extra: str | None = None) -> dict[str, str]:
    """What is wrong with each example, "has no example" where there is none; of those that need this extra, or none.

    An example takes for granted torch, what `gpkl_lib` hands on, what the face itself does, and what the example in
    the face's docstring defines.
    """
    found = {}
    finder, runner = (
        doctest.DocTestFinder(recurse=False),
        doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS),
    )
    known = {"torch": torch, **public(gpkl_lib), **{name: getattr(face, name) for name in face.__all__}}
    for test in finder.find(face, face.__name__, globs=known):  # what the face's own example defines
        assert not runner.run(test, clear_globs=False).failed
        known |= test.globs
    for name, value in public(face).items():
        if face is not gpkl_lib and value is getattr(gpkl_lib, name, None):
            continue
        if EXTRAS.get(name) != extra:
            continue
        examples = [test for test in finder.find(value, name, globs=known) if test.examples]
        report = "" if examples else "has no example"
        for test in examples:
            said = io.StringIO()
            with torch.random.fork_rng(devices=[]), redirect_stdout(io.StringIO()):
                torch.manual_seed(0)
                if runner.run(test, out=said.write).failed:
                    report += said.getvalue()
        if report:
            found[name] = report
    return found


def refuse(found: dict[str, str]) -> None:
    assert not found, "\n".join(f"{name}: {report}" for name, report in found.items())


def test_examples_of_the_front_door() -> None:
    refuse(failures(gpkl_lib))


@pytest.mark.parametrize("face", FACES)
def test_examples_of_a_folder(face: str) -> None:
    if face in NEEDS:
        pytest.importorskip(NEEDS[face])
    refuse(failures(import_module(f"gpkl_lib.{face}")))


@pytest.mark.parametrize(
    ("face", "extra"),
    [
        pytest.param("tagger", "transformers", marks=pytest.mark.pretrained),
        pytest.param("tagger", "onnxruntime", marks=[old, pytest.mark.slow]),
        ("experiments", "distributed"),
    ],
)
def test_examples_that_need_an_extra(face: str, extra: str) -> None:
    pytest.importorskip(extra)
    refuse(failures(import_module(f"gpkl_lib.{face}"), extra))


def test_an_example_that_is_wanting_or_wrong_is_seen() -> None:
    face = ModuleType("face")

    def bare() -> None:
        """Nothing to see."""

    def wrong() -> int:
        """One.

        >>> 1 + 1
        3
        """

    def right() -> int:
        """One.

        >>> torch.ones(2).sum(), span_mask(torch.ones(1, 1)).shape
        (tensor(2.), torch.Size([1, 1, 1, 1]))
        """

    vars(face).update({"__all__": ["bare", "wrong", "right"], "bare": bare, "wrong": wrong, "right": right})
    found = failures(face)
    assert set(found) == {"bare", "wrong"}
    assert found["bare"] == "has no example"
    assert "Expected:\n    3\nGot:\n    2" in found["wrong"]
