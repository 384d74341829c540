"""What an index and a citation say of the package: it agrees, and leads somewhere wherever the repository lies."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADDRESSES = {"GPKL_REPOSITORY_URL": "https://github.com/o/n", "GPKL_BASE_URL": "https://o.github.io/n/"}
RELATIVE = re.compile(r"\]\((?!\w+:|#)[^)]*\)")


def metadata(folder: Path, **addresses: str) -> Message:
    """What the wheel says of itself, built where these addresses are known."""
    for name in ("pyproject.toml", "setup.py", "_config.yml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "made").mkdir()
    (folder / "gpkl_lib").mkdir()
    (folder / "gpkl_lib" / "__init__.py").touch()
    code = "from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel('made'))"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GPKL_")} | addresses
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=variables, check=True, capture_output=True)
    (made,) = folder.glob("made/*/METADATA")
    return Parser().parsestr(made.read_text("utf-8"))


def test_an_index_shows_whole_addresses_and_pictures(tmp_path: Path) -> None:
    found = metadata(tmp_path, **ADDRESSES)
    urls = dict(line.split(", ") for line in found.get_all("Project-URL", []))
    assert urls == {
        "Documentation": "https://o.github.io/n",
        "Source": "https://github.com/o/n",
        "Issues": "https://github.com/o/n/issues",
        "Changelog": f"https://github.com/o/n/blob/v{PROJECT['version']}/CHANGELOG.md",
        "Releases": "https://github.com/o/n/releases",
    }
    text = found.get_payload()
    assert isinstance(text, str)
    assert RELATIVE.findall(text) == []
    picture = re.search(r"!\[[^\]]+\]\(https://github.com/o/n/raw/v[\d.]+/(book/images/[\w-]+\.png)\)", text)
    assert picture
    assert (ROOT / picture[1]).is_file()
    assert "(https://github.com/o/n/releases/latest)" in text
    assert found["Author"] == "The gpkl contributors"
    assert "Typing :: Typed" in found.get_all("Classifier", [])


def test_without_an_address_nothing_leads_astray(tmp_path: Path) -> None:
    found = metadata(tmp_path)
    text = found.get_payload()
    assert isinstance(text, str)
    assert found.get_all("Project-URL") is None
    assert RELATIVE.findall(text) == []
    assert "![" not in text
    assert "symmetric_kl" in text


def test_citation_and_package_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest
    assert newest[1] == citation["version"] == PROJECT["version"]
    assert newest[2] == str(citation.get("date-released", "unreleased"))


def test_conda_has_the_torch_that_was_tested() -> None:
    """Else pip would fetch the other one over it, with CUDA."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    tested = re.search(r"^torch==([\d.]+)", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert tested
    assert f"pytorch-cpu={tested[1]}" in environment["dependencies"]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_version_that_is_promised_is_tested(version: str) -> None:
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    assert version in workflow["jobs"]["library"]["strategy"]["matrix"]["python"]


def released(folder: Path, tag: str, *, changelog: str = "1.2.3 (2026-01-31)", cited: str = "2026-01-31") -> str:
    """What a release of a small project would say."""
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', encoding="utf-8")
    text = f"# Changelog\n\n## {changelog}\n\n- New.\n\n## 1.2.2 (2025-01-01)\n\n- Old.\n"
    (folder / "CHANGELOG.md").write_text(text, encoding="utf-8")
    (folder / "CITATION.cff").write_text(f"version: 1.2.3\ndate-released: {cited}\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.notes(tag, folder))


def test_a_release_is_of_one_version_and_one_day(tmp_path: Path) -> None:
    assert released(tmp_path, "v1.2.3") == "- New.\n"
    with pytest.raises(ValueError, match=r"version 1\.2\.3, but the tag names 1\.2\.4$"):
        released(tmp_path, "v1.2.4")
    with pytest.raises(ValueError, match=r"CHANGELOG\.md names 1\.2\.2$"):
        released(tmp_path, "v1.2.3", changelog="1.2.2 (2026-01-31)")
    with pytest.raises(ValueError, match=r"CHANGELOG\.md says unreleased"):
        released(tmp_path, "v1.2.3", changelog="1.2.3 (unreleased)")
    with pytest.raises(ValueError, match="date-released 2026-02-01"):
        released(tmp_path, "v1.2.3", cited="2026-02-01")


def test_workflows_pin_what_they_use_hold_no_secret_and_run_no_text_from_outside() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
        assert [step["run"] for step in steps if "${{" in step.get("run", "")] == [], "a tag's name may be a command"
        assert "secrets." not in text
        for action in re.findall(r"uses: *(\S+)", text):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), f"{path.name}: {action} is not pinned by commit"
