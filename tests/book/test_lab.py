"""`make lab`: a double click on a chapter opens a notebook that runs, with formulas drawn, and asks no others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Visit
from pages import NOTEBOOKS, ROOT

CHAPTER = next(page for page in NOTEBOOKS if page.count("/") == 2)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """JupyterLab as `make lab` starts it, on a free port; its own files in a folder that goes away."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    variables = os.environ | {name: str(tmp_path / name) for name in folders}
    command = [sys.executable, str(ROOT / "book" / "_ext" / "open_lab.py")]
    command += ["--no-browser", f"--port={port}", "--IdentityProvider.token="]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):  # ten minutes: a guard against a server that hangs
            try:
                urllib.request.urlopen(f"{address}/api", timeout=60).close()
                break
            except OSError:
                assert running.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(300)


@pytest.mark.browser
@pytest.mark.slow
def test_double_click_opens_a_notebook_that_runs(open_page: Callable[..., Visit], lab: str) -> None:
    folder, _, name = CHAPTER.rpartition("/")
    visit = open_page(f"{lab}/lab/tree/{folder}", settle=False)
    page = visit.page
    page.set_default_timeout(600_000)
    page.locator(".jp-DirListing-item", has_text=f"{name}.md").dblclick()
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    first = notebook.locator(".jp-CodeCell").first
    page.get_by_text("| Idle").wait_for()  # a cell that is run before its kernel is there stays silent
    first.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    live = first.locator(".jp-OutputArea .gpkl")
    live.first.wait_for()
    assert notebook.locator("gpkl-explorable").count() == 0, "the page's form, where the live widget was wanted"
    assert notebook.locator(".katex, mjx-container").count() > 0
    assert visit.third_party == []
