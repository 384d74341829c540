"""The book's Sphinx extension: pages that live without a kernel and ask no other host for anything.

Each task is a file of its own, with a ``setup`` that connects it:

==============  =====================================================================
assets          MathJax, icons and style sheets from the project's own files
explorables     the explorables' modules on the page, run by ``static/gpkl-host.js``
folding         folded admonitions as native ``<details>``
front_pages     the 404 page, and the root that leads to the first page
freshness       a notebook runs again when what it reaches has changed, and only then
launch          the repository's address; repository, Colab and Binder buttons
notebooks       every chapter as an ``.ipynb`` without outputs
reference       the library's docstrings, each linked with its equations and chapters
social          Open Graph tags, and a card for each page
tables          columns of numbers stand on their decimal points
==============  =====================================================================
"""

import os
from typing import Any

from sphinx.application import Sphinx

from . import assets, explorables, folding, freshness, front_pages, launch, notebooks, reference, social, tables


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect every part. Kernels inherit what is set here: one thread, so digits repeat and cores are shared."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    run_side_by_side(app)
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it whether sphinx_comments is loaded or not
    for part in (freshness, assets, explorables, folding, launch, notebooks, reference, social, tables, front_pages):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def run_side_by_side(app: Sphinx) -> None:
    """Read and write several pages at a time, for which Jupyter Book has no option.

    What numbers sections works on all pages together, after they are read, and does not say that it may be there.
    """
    app.parallel = min(4, os.cpu_count() or 1)
    numbering = app.extensions["sphinx_multitoc_numbering"]
    numbering.parallel_read_safe = numbering.parallel_write_safe = True
