"""Open the book's notebooks in JupyterLab, with the numbers of the built pages in their text.

They are copied to runs/notebooks, so that no source changes. A notebook whose cells were changed there stays as it is,
and is named when the book has a newer one. Settings lie in ``lab/`` beside this file, so that nothing is written to the
user's own; arguments are handed on to JupyterLab.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parent))

from gpkl_book.paths import BOOK, ROOT, digest

SITE = ROOT / "_build" / "html"
NOTEBOOKS = ROOT / "runs" / "notebooks"
LINK = re.compile(r"\]\((?P<page>(?!\w+:)[^)\s#]+)\.md")
SET_UP = "import os\n\nos.chdir({folder!r})  # beside the book's records, where the build runs this chapter"


def as_told(notebook: nbformat.NotebookNode) -> str:
    """What identifies a notebook's cells, whatever they gave when they ran."""
    return digest([], json.dumps([(cell.cell_type, cell.source) for cell in notebook.cells]))


def for_lab(path: Path, place: Path, sources: Path, site: Path) -> nbformat.NotebookNode:
    """The chapter's notebook for this place: runs beside the book's files; pages without a notebook are the site's."""
    chapter = path.relative_to(sources).with_suffix("")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = SET_UP.format(folder=str((BOOK / chapter).parent))

    def on_site(link: re.Match[str]) -> str:
        page = (site / "book" / chapter).parent / f"{link['page']}.html"
        return "](" + Path(os.path.relpath(page, place.parent)).as_posix()

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(on_site, cell.source)
    notebook.metadata["gpkl"] = as_told(notebook)
    return notebook


def lay_out(site: Path = SITE, target: Path = NOTEBOOKS) -> list[Path]:
    """Copy the notebooks; return those that were changed by hand since and are not the book's newest."""
    sources, kept = site / "_sources" / "book", []
    for path in sorted(sources.rglob("*.ipynb")):
        place = target / path.relative_to(sources)
        notebook = for_lab(path, place, sources, site)
        if place.exists():
            there = nbformat.read(place, as_version=4)
            if there.metadata.get("gpkl") == notebook.metadata["gpkl"]:
                continue
            if there.metadata.get("gpkl") != as_told(there):
                kept.append(place)
                continue
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
    return kept


def main(root: Path = ROOT, site: Path = SITE) -> int:
    """Run JupyterLab in a folder until it ends."""
    target = root / NOTEBOOKS.relative_to(ROOT)
    for place in lay_out(site, target):
        print(f"{place} was changed here and is left as it is; move it away to have the book's newest.")
    settings = [str(Path(__file__).parent / "lab"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    command.append(f"--LabApp.default_url=/lab/tree/{(target / 'index.ipynb').relative_to(root).as_posix()}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container, where root is all there is
        command.append("--allow-root")
    try:
        return subprocess.run([*command, *sys.argv[1:]]).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
