"""The repository's address, read in one place, and the buttons that lead to it.

The address comes from the environment (the deploy workflow knows it) or from ``repository.url`` in ``_config.yml``.
Colab and Binder open the chapter as a notebook from a branch of its own, which the deploy workflow writes.
"""

import os
from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

NOTEBOOK_BRANCH = "notebooks"
GITHUB = "https://github.com/"


def read_addresses(app: Sphinx, config: Config) -> None:
    """Let the environment's addresses replace the configured ones; no repository, no buttons that lead to it."""
    options = config.html_theme_options
    url = (
        (os.environ.get("GPKL_REPOSITORY_URL") or options.get("repository_url") or "").removesuffix(".git").rstrip("/")
    )
    if url and (not url.startswith(GITHUB) or url.removeprefix(GITHUB).count("/") != 1):
        raise ConfigError(f"repository url: got {url!r}, wanted {GITHUB}OWNER/NAME")
    options.update(repository_url=url, use_repository_button=bool(url), use_issues_button=bool(url))
    config.gpkl_repository = url
    base = os.environ.get("GPKL_BASE_URL") or config.html_baseurl
    config.html_baseurl = base.rstrip("/") + "/" if base else ""


def launch_links(repository: str, docname: str) -> dict[str, str]:
    """The address of the chapter's notebook on Colab and on Binder."""
    name = repository.removeprefix(GITHUB)
    notebook = quote(f"{docname}.ipynb")
    return {
        "Colab": f"https://colab.research.google.com/github/{name}/blob/{NOTEBOOK_BRANCH}/{notebook}",
        "Binder": f"https://mybinder.org/v2/gh/{name}/{NOTEBOOK_BRANCH}?urlpath=lab/tree/{notebook}",
    }


def add_buttons(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the launch menu to a chapter's header."""
    repository = app.config.gpkl_repository
    if not repository or not context.get("ipynb_source"):
        return
    icons = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    buttons = [
        {"type": "link", "text": name, "tooltip": f"Run this chapter on {name}", "icon": icons[name], "url": url}
        for name, url in launch_links(repository, pagename).items()
    ]
    context["header_buttons"].insert(
        0,
        {
            "type": "group",
            "tooltip": "Run this chapter",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": buttons,
        },
    )


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_config_value("gpkl_repository", "", "html")
    app.connect("config-inited", read_addresses)
    app.connect("html-page-context", add_buttons, priority=502)
