"""`make lab`: chapters open as notebooks that run and say the numbers of their pages; a reader's changes stay."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser import Visit
from pages import ROOT, Chapter

CHAPTERS = ("foundations/kl-divergence", "divergence/globalpointer", "training/real-corpora")
GLUED = re.compile(r"\{glue:text\}`([\w-]+)(?::[^`]*)?`")
PLAIN = r"[^`$*_{}\[\]()<>\\|&]"  # what every way of showing Markdown shows as it stands
TEXT = """async ([many, patience]) => {
  const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
  const drawn = () => [...panel.querySelectorAll('.jp-MarkdownCell')]
    .filter((one) => !one.querySelector('.jp-InputArea-editor:not(.lm-mod-hidden)')).map((one) => one.innerText);
  const until = performance.now() + patience;
  while (drawn().filter((text) => text.trim()).length < many && performance.now() < until)
    await new Promise((done) => setTimeout(done, 50));
  return drawn().join('\\n');
}"""
WAITING = """() => {
  const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
  return [...panel.querySelectorAll('.jp-InputPrompt')].some((one) => one.textContent.includes('[*]'));
}"""


@pytest.fixture(scope="module")
def lab(site_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab as `make lab` starts it, on a free port, in a folder that goes away."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = os.environ | {
        name: str(folder / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    start = "import sys; from pathlib import Path; sys.path.insert(0, {!r}); import open_lab; open_lab.main({}, {})"
    code = start.format(str(ROOT / "book" / "_ext"), f"Path({str(folder)!r})", f"Path({str(site_dir)!r})")
    command = [sys.executable, "-c", code, "--no-browser", f"--port={port}", "--IdentityProvider.token="]
    with (folder / "log").open("w", encoding="utf-8") as log:
        running = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):  # ten minutes: a guard against a server that hangs
            try:
                urllib.request.urlopen(f"{address}/api", timeout=60).close()
                break
            except OSError:
                assert running.poll() is None, (folder / "log").read_text(encoding="utf-8")
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(300)


def said_by_the_page(chapter: str, site: Path) -> tuple[list[str], set[str]]:
    """Each glued number of a page between the words next to it, and the names that stand for them in its source."""
    page = (site / "book" / f"{chapter}.html").read_text("utf-8")
    values = [unescape(value) for value in re.findall(r'<span class="pasted-text">([^<]*)</span>', page)]
    source = "\n\n".join(block.text for block in Chapter.read(ROOT / "book" / f"{chapter}.md").prose)
    found = list(GLUED.finditer(source))
    shown = []
    for one in found:
        before, after = re.search(PLAIN + r"*\Z", source[: one.start()]), re.match(PLAIN + "*", source[one.end() :])
        assert before
        assert after
        shown.append((before[0][-20:], after[0][:20]))
    assert len(values) >= len(found), "a glued number of the source is not on the page"
    names = {one[1] for one in found if not one[1].isalpha()}
    return [f"{before}{value}{after}" for (before, after), value in zip(shown, values, strict=False)], names


def flat(text: str) -> str:
    """The text with single spaces, and quotes as they are typed."""
    return " ".join(text.split()).replace("’", "'")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_lab_says_the_numbers_of_the_page_before_and_after_it_has_run(
    open_page: Callable[..., Visit], lab: str, site_dir: Path, chapter: str
) -> None:
    own = chapter.replace("/", "-")  # a workspace that is shared opens with the notebook that was looked at before
    visit = open_page(f"{lab}/lab/workspaces/{own}/tree/runs/notebooks/{chapter}.ipynb", settle=False)
    page = visit.page
    page.set_default_timeout(600_000)
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    page.get_by_text("| Idle").wait_for()  # a cell that is run before its kernel is there stays silent
    said, names = said_by_the_page(chapter, site_dir)
    assert len(said) > 8
    made = cells(site_dir / "_sources" / "book" / f"{chapter}.ipynb")
    many = sum(cell.cell_type == "markdown" and bool(cell.source.strip()) for cell in made)

    def check() -> None:
        text = flat(page.evaluate(TEXT, [many, 600_000]))  # Lab draws cell after cell, as long as it takes
        assert [one for one in said if flat(one) not in text] == []
        assert [name for name in names if re.search(rf"(?<![\w-]){name}(?![\w-])", text)] == []
        assert "{glue" not in text

    check()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(WAITING)
    page.wait_for_function(f"() => !({WAITING})()")
    page.get_by_text("| Idle").wait_for()
    check()
    assert page.locator(".jp-OutputArea [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert notebook.locator(".jp-OutputArea .gpkl").count() > 0, "no explorable is alive"
    assert notebook.locator("gpkl-explorable").count() == 0, "the page's form, where the live widget was wanted"
    assert notebook.locator(".katex, mjx-container").count() > 0
    assert page.locator(".jp-NotebookPanel").count() == 1
    assert visit.third_party == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with one chapter and one page without a notebook."""
    write(tmp_path / "site", "Five. See [words](../reference/words.md#w), [on](other.md), [out](https://a.md).")
    return tmp_path / "site"


def write(site: Path, text: str) -> None:
    """Write the chapter as a build does."""
    import nbformat

    place = site / "_sources" / "book" / "part" / "one.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_code_cell("# Set-up"), nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), place)


def cells(place: Path) -> list[Any]:
    """The cells of a notebook."""
    import nbformat

    return list(nbformat.read(place, as_version=4).cells)


def test_a_notebook_of_the_lab_stands_beside_the_records_and_leads_to_the_site(site: Path, tmp_path: Path) -> None:
    from open_lab import lay_out

    assert lay_out(site, tmp_path / "runs" / "notebooks") == []
    first, text, _ = cells(tmp_path / "runs" / "notebooks" / "part" / "one.ipynb")
    before = Path.cwd()
    try:
        (ROOT / "book" / "part").mkdir()
        exec(first.source, {})
        assert Path.cwd() == ROOT / "book" / "part"
    finally:
        os.chdir(before)
        (ROOT / "book" / "part").rmdir()
    there = "../../../site/book/"
    wanted = f"[words]({there}reference/words.html#w), [on]({there}part/other.html), [out](https://a.md)."
    assert text.source == f"Five. See {wanted}"


def test_a_notebook_that_a_reader_changed_is_left_and_named_and_others_follow_the_book(
    site: Path, tmp_path: Path
) -> None:
    import nbformat
    from open_lab import lay_out

    target = tmp_path / "notebooks"
    place = target / "part" / "one.ipynb"
    lay_out(site, target)
    ran = nbformat.read(place, as_version=4)
    ran.cells[2].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(ran, place)
    assert lay_out(site, target) == []
    assert cells(place)[2].outputs, "what a reader ran is there as long as the book is the same"
    write(site, "Six.")
    assert lay_out(site, target) == []
    assert cells(place)[1].source == "Six."

    mine = nbformat.read(place, as_version=4)
    mine.cells[2].source = "3"
    nbformat.write(mine, place)
    assert lay_out(site, target) == []
    write(site, "Seven.")
    assert lay_out(site, target) == [place]
    assert [cell.source for cell in cells(place)][1:] == ["Six.", "3"]
