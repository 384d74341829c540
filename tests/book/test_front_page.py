"""The front page lists the chapters of _toc.yml, each with its title and its question."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from pages import ROOT, teaching_chapters

INDEX = (ROOT / "book" / "index.md").read_text("utf-8")


@pytest.fixture(scope="module")
def contents() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contents", ROOT / "tools" / "contents.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_is_that_of_the_chapters(contents: ModuleType) -> None:
    assert contents.written(INDEX, contents.contents()) == INDEX, "run: python tools/contents.py"


def test_every_teaching_chapter_is_linked_in_order() -> None:
    places = [INDEX.rfind(f"]({path.relative_to(ROOT / 'book').as_posix()}). ") for path in teaching_chapters()]
    assert -1 not in places
    assert places == sorted(places)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    for path in teaching_chapters():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_a_new_chapter_and_a_new_question_are_listed(contents: ModuleType, copy: Path) -> None:
    toc = (copy / "_toc.yml").read_text("utf-8")
    last = "      - file: book/foundations/entropy-and-length\n"
    assert last in toc
    (copy / "_toc.yml").write_text(toc.replace(last, f"{last}      - file: book/foundations/new\n"), "utf-8")
    (copy / "book/foundations/new.md").write_text('---\nquestion: "Why?"\n---\n\n# New things\n', "utf-8")
    listed = contents.contents(copy)
    assert "5. [New things](foundations/new.md). Why?\n" in listed
    assert "\n6. [Symmetric KL at the logits](divergence/symmetric-kl.md). " in listed
    assert contents.written(INDEX, listed) != INDEX


@pytest.mark.parametrize("front", ["", "question: No question.\n"])
def test_a_chapter_without_a_question_is_named(contents: ModuleType, tmp_path: Path, front: str) -> None:
    (tmp_path / "chapter.md").write_text(f"---\nkernelspec: {{}}\n{front}---\n\n# Title\n", "utf-8")
    with pytest.raises(ValueError, match=r"chapter\.md: wanted a heading and, in the front matter, its question"):
        contents.chapter(tmp_path / "chapter.md")


def test_a_page_without_marks_is_refused(contents: ModuleType) -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        contents.written("# A page", "1. [a](b.md). c?")
