"""Run a chapter again when anything it shows has changed, not only its own text.

jupyter-cache compares a notebook's cells and nothing else: without this, a change in ``gpkl_lib`` leaves the old
numbers in the page. So the digest of the library's source and of the recorded results is part of the cache's path, and
a configuration value on which every page's environment depends.
"""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from .paths import BOOK, LIBRARY, digest


def inputs() -> list[Path]:
    """Return the files outside the chapters from which their outputs come."""
    return [*LIBRARY.rglob("*.py"), *BOOK.glob("_results/**/*.json*"), *BOOK.glob("_checks/*.py")]


def key_cache(app: Sphinx, config: Config) -> None:
    """Give the cache a folder of its own for this state of the inputs."""
    config.gpkl_inputs = digest(inputs())
    root = Path(config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    config.nb_execution_cache_path = str(root / config.gpkl_inputs)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_config_value("gpkl_inputs", "", "env")
    app.connect("config-inited", key_cache)
