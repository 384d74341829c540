"""The pages' own files, put in place of what themes and extensions would fetch or ship: nothing comes from elsewhere.

- MathJax 3, one script with every TeX extension in it, and its fonts, from the wheel ``sphinx-mathjax-offline``
  (which, used as an extension, would copy 24 MB).
- The theme's icons as a style sheet (``icons``), in place of its script.
- The theme's script without its messages to the console.
"""

import re
import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pydata_sphinx_theme
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from . import icons
from .paths import EXTENSION, LIBRARY, STATIC, digest

MATHJAX = "sphinx-mathjax-offline"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
ON_EVERY_PAGE = ("icons.css", "site.css")
MENDED = {
    # the fold-outs of myst-nb are named otherwise than they read (WCAG 2.5.3): the visible text is the better name
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # a role that ARIA 1.2 has withdrawn; the entries are children of a list
    'role="doc-biblioentry"': 'role="listitem"',
}


def watch(app: Sphinx, config: Config) -> None:
    """Write every page again when an asset changes: Sphinx alone would find nothing out of date and copy nothing."""
    shown = [*EXTENSION.rglob("*.*"), *LIBRARY.glob("explore/**/*.js"), *LIBRARY.glob("explore/**/*.css")]
    config.gpkl_assets = digest(path for path in shown if "__pycache__" not in path.parts)
    config.templates_path.insert(0, str(EXTENSION / "templates"))


def gather(app: Sphinx) -> Path:
    """The folder, beside the site, that Sphinx copies into ``_static`` after the theme's own files."""
    folder = Path(app.outdir).parent / "gpkl_assets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write(app: Sphinx) -> None:
    """Fill the folder."""
    if app.builder.format != "html":
        return
    folder = gather(app)
    shutil.copytree(STATIC, folder / "gpkl", dirs_exist_ok=True)
    copy_mathjax(folder / "mathjax")
    source = (THEME / "scripts" / "pydata-sphinx-theme.js").read_text("utf-8").partition("\n//#")[0]
    quiet = re.sub(r"console\.(log|info|debug)\(", "void(", source)
    (folder / "gpkl" / "pydata-sphinx-theme.js").write_text(quiet, "utf-8")
    (folder / "gpkl" / "icons.css").write_text(icons.style_sheet(THEME), "utf-8")
    app.config.html_static_path.append(str(folder))


def copy_mathjax(target: Path) -> None:
    """Copy the full CHTML bundle and its fonts out of the wheel."""
    try:
        packaged = files(MATHJAX) or []
    except PackageNotFoundError as error:
        raise ExtensionError(f"{MATHJAX} is not installed: the formulas need it. `make book` installs it.") from error
    for file in packaged:
        if file.name == "tex-chtml-full.js" or "woff-v2" in file.parts:
            copy = target.joinpath(*file.parts[file.parts.index("mathjax") + 1 :])
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(Path(str(file.locate())).read_bytes())


def finish_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend the page's body."""
    for wrong, right in MENDED.items():
        if context.get("body"):
            context["body"] = context["body"].replace(wrong, right)


def drop_unused(app: Sphinx, exception: Exception | None) -> None:
    """Remove the theme's icon script and its map, 3.2 MB that no page loads."""
    for file in (Path(app.outdir) / "_static" / "scripts").glob("fontawesome.js*"):
        file.unlink()


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_config_value("gpkl_assets", "", "html")
    app.connect("config-inited", watch)
    app.connect("builder-inited", write)
    app.connect("html-page-context", finish_page, priority=400)
    app.connect("build-finished", drop_unused)
    for sheet in ON_EVERY_PAGE:
        app.add_css_file(f"gpkl/{sheet}", priority=900)
    app.add_js_file("gpkl/site.js", loading_method="defer")
