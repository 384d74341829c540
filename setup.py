"""What of the package's description depends on where its repository lies: addresses of the project, and README's.

The repository's address has one place, `repository.url` in _config.yml, or GPKL_REPOSITORY_URL in the environment; the
site's likewise, `html.baseurl` or GPKL_BASE_URL. All else of the package stands in pyproject.toml.
"""

import os
import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
TARGET = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!\w+:|#)[^)\s]+)\)")


def address(variable: str, key: str) -> str:
    """An address from the environment, or by its key in _config.yml; empty where there is none."""
    configured = re.search(rf'^  {key}: "([^"]*)"', (HERE / "_config.yml").read_text("utf-8"), re.M)
    assert configured, f"_config.yml: no {key}"
    return (os.environ.get(variable) or configured[1]).removesuffix(".git").rstrip("/")


def described(readme: str, repository: str, version: str) -> str:
    """README for a page that is not the repository's: every file by its full address at this version.

    Where the repository has no address, pictures are left to their descriptions and links to their words.
    """

    def full(link: re.Match[str]) -> str:
        picture, text, target = link.groups()
        if not repository:
            return f"*{text}*" if picture else text
        if target.startswith("../../"):  # a page of the repository, as its host resolves it beside README
            return f"[{text}]({repository}/{target.removeprefix('../../')})"
        return f"{picture}[{text}]({repository}/{'raw' if picture else 'blob'}/v{version}/{target})"

    return TARGET.sub(full, readme)


def project_urls(repository: str, site: str, version: str) -> dict[str, str]:
    """The addresses that an index shows beside the package; those that are known."""
    of_repository = {
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/v{version}/CHANGELOG.md",
        "Releases": f"{repository}/releases",
    }
    return ({"Documentation": site} if site else {}) | (of_repository if repository else {})


repository, site = address("GPKL_REPOSITORY_URL", "url"), address("GPKL_BASE_URL", "baseurl")
version = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
setup(
    long_description=described((HERE / "README.md").read_text("utf-8"), repository, version),
    long_description_content_type="text/markdown",
    project_urls=project_urls(repository, site, version),
)
