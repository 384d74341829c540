"""The chapters as notebooks to download: valid, empty of outputs, plain, and they run where only the package is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import light
import pytest
import yaml
from pages import NOTEBOOKS, ROOT

HUNG = 1800  # seconds after which a cell counts as one that never ends
EXTRAS = re.compile(r"\[(notebook[\w,]*)\]")
# What the library asks for in places where no chapter goes.
ELSEWHERE = {"distributed", "huggingface_hub", "transformers"}
LEFT_OVER = re.compile(r"\{[\w:-]+\}`|^ *[`:]{3,}\{|^\([\w-]+\)=|^\+\+\+", re.M)


def plain_form(myst: str) -> tuple[str, list[str]]:
    """What a notebook without the book shows instead of MyST, and what of it has no such form."""
    from gpkl_book.notebooks import show_glued
    from gpkl_book.plain_markdown import References, to_plain

    references = References(
        equation=lambda label: {"eq-a": "1", "eq-b": "2 of “Elsewhere”"}[label],
        citation=lambda key, textual: f"{key.title()} ({1900})" if textual else f"{key.title()} 1900",
        target=lambda label: f"Title of {label}",
        page=lambda path: f"{path}.ipynb",
        glued=lambda name: show_glued(name, {"n": "3.14159", "word": "'two'"}),
        include=lambda path: f"# text of {path}",
    )
    return to_plain(myst, references), references.problems


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("see {eq}`eq-a` and {eq}`eq-b`", "see (1) and (2 of “Elsewhere”)"),
        ("{cite:p}`su,li` but {cite:t}`su`", "(Su 1900; Li 1900) but Su (1900)"),
        ("is {glue:text}`n:.2f`, {glue:text}`word`", "is 3.14, two"),
        ("`{eq}` and ``{math}`x` `` stay", "`{eq}` and ``{math}`x` `` stay"),
        ("{math}`x^2`, {doc}`/a/b`, {ref}`here <there>`", "$x^2$, Title of /a/b, here"),
        (
            "[a](../b/c.md#d), [](c.md), [e](https://f.md)",
            "[a](../b/c.ipynb#d), [Title of c](c.ipynb), [e](https://f.md)",
        ),
        ("(a-label)=\n## Head", "## Head"),
        ("```{math}\n:label: eq-a\na = b\n```", "$$\na = b \\tag{1}\n$$"),
        ("```{math}\na &= b \\\\\n  &= c\n```", "$$\n\\begin{aligned}\na &= b \\\\\n  &= c\n\\end{aligned}\n$$"),
        ("$$\na\n$$ (eq-a)", "$$\na \\tag{1}\n$$"),
        ("```python\n{eq}`eq-a`\n```", "```python\n{eq}`eq-a`\n```"),
        ("```{note}\nIt is {eq}`eq-a`.\n```", "> **Note**\n>\n> It is (1)."),
        (
            "````{admonition} Exercise 1 ★\n:class: exercise\nShow it.\n"
            "```{admonition} Hint\n:class: dropdown hint\n$x$\n```\n````",
            "> **Exercise 1 ★**\n>\n> Show it.\n>\n> <details><summary>Hint</summary>\n>\n> $x$\n>\n> </details>",
        ),
        (":::{admonition} T\n---\nclass: dropdown\n---\nB\n:::", "<details><summary>T</summary>\n\nB\n\n</details>"),
        ("```{literalinclude} ../a.py\n:language: python\n```", "```python\n# text of ../a.py\n```"),
        (
            "```{list-table} T\n* - a\n  - b\n* - 1\n  - {eq}`eq-a`\n```",
            "**T**\n\n| a | b |\n| --- | --- |\n| 1 | (1) |",
        ),
        ("a\n% a comment\nb", "a\nb"),
        ("    ```{note}\n    shown as typed\n    ```", "    ```{note}\n    shown as typed\n    ```"),
        ("````\n```{note}\nshown\n```\n````", "````\n```{note}\nshown\n```\n````"),
        (
            "````{note}\n- ```{math}\n  :label: eq-a\n  a\n  ```\n\n  {eq}`eq-a`\n````",
            "> **Note**\n>\n> - $$\n>   a \\tag{1}\n>   $$\n>\n>   (1)",
        ),
        ("> ```{tip}\n> Mind {eq}`eq-a`.\n> ```\n> End.", ">\n> > **Tip**\n> >\n> > Mind (1).\n>\n> End."),
        (
            "1. Do:\n   ~~~~{note}\n   ~~~\n   A\n   ~~~\n   ~~~~",
            "1. Do:\n\n   > **Note**\n   >\n   > ~~~\n   > A\n   > ~~~",
        ),
        ("$$\n% {eq}`eq-a`\na\n$$", "$$\n% {eq}`eq-a`\na\n$$"),
        ("```python title={x}\n1\n```", "```python title={x}\n1\n```"),
    ],
)
def test_plain_form(myst: str, plain: str) -> None:
    assert plain_form(myst) == (plain, [])


def test_the_converter_reads_what_the_pages_may_use() -> None:
    from gpkl_book.plain_markdown import EXTENSIONS

    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert set(config["sphinx"]["config"]["myst_enable_extensions"]) == EXTENSIONS


def test_what_has_no_plain_form_is_reported() -> None:
    _, problems = plain_form("{strange}`x` {glue:text}`lost:.2f`\n\n```{odd}\nbody\n```")
    assert sorted(problems) == ["directive {odd}", "role {strange}", "the glued lost:.2f"]


def test_set_up_cell_brings_what_is_missing() -> None:
    from gpkl_book.notebooks import set_up_cell

    cell = set_up_cell("https://github.com/o/n", "book/part/chapter", "open('../_results/x')")
    assert "git" in cell
    assert '"https://github.com/o/n"' in cell
    assert "book/part" in cell
    assert "if missing or away" in cell
    assert "away" not in set_up_cell("https://github.com/o/n", "book/part/chapter", "1 + 1")
    for source in (cell, set_up_cell("", "book/a", "")):
        names: dict[str, Any] = {}
        exec(source.replace("'gpkl_lib'", "'gpkl_lib', 'os'").replace(" or away", ""), names)
        assert names["missing"] == []
    with pytest.raises(ModuleNotFoundError, match=r"no_such_package.*'.\[notebook\]'"):
        exec(set_up_cell("", "book/a", "").replace("'gpkl_lib'", "'no_such_package'"), {})


def test_set_up_cell_stands_in_for_what_only_the_site_needs() -> None:
    from gpkl_book.notebooks import set_up_cell

    code = set_up_cell("", "book/a", "") + "\nfrom myst_nb import glue\nprint(glue('one', 1, display=False))\n"
    hide = "import sys\nsys.modules['myst_nb'] = None\nimport importlib.util\nfind = importlib.util.find_spec\n"
    hide += "importlib.util.find_spec = lambda name: None if name == 'myst_nb' else find(name)\n"
    done = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_notebook_brings_little() -> None:
    """Beyond Jupyter and torch; 142 came once. Where ipywidgets is at hand it is three fewer."""
    here = light.brought(*light.AT_HAND)
    assert len(light.brought("gpkl-lib[notebook]") - here) <= 17
    assert len(light.brought("gpkl-lib[notebook,train]") - here) <= 28
    assert len(light.brought("gpkl-lib[notebook]") - light.brought(*light.AT_HAND, "ipywidgets")) <= 14


def imported(code: str) -> set[str]:
    """The packages that code asks for, in whatever place."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "optional":
            names |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_chapter_imports_what_its_first_cell_brings(name: str) -> None:
    from gpkl_book.freshness import code_of
    from gpkl_book.notebooks import library, set_up_cell

    code = code_of((ROOT / f"{name}.md").read_text("utf-8"))
    cell = set_up_cell("", name, code)
    (extras,) = set(EXTRAS.findall(cell))
    brought = light.modules(light.brought(*light.AT_HAND, f"gpkl-lib[{extras}]"))
    missing = re.search(r"in (\[.*?\]) if", cell)
    assert missing
    assert set(ast.literal_eval(missing[1])) <= brought
    assert imported(code) - {"myst_nb"} <= brought, "in a cell"
    reached = {path.name: imported(path.read_text("utf-8")) - brought for path in library().reached(code)}
    assert set().union(*reached.values()) <= ELSEWHERE, reached


@pytest.fixture(params=NOTEBOOKS)
def path(request: pytest.FixtureRequest, site_dir: Path) -> Path:
    return site_dir / "_sources" / f"{request.param}.ipynb"


@pytest.fixture
def notebook(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def test_notebook_is_valid_empty_and_plain(notebook: Any) -> None:
    import nbformat

    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# Set-up")
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert not {"widgets", "jupytext"} & set(notebook.metadata)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|`[^`\n]*`(?!`)", "", cell.source, flags=re.S)
            assert not LEFT_OVER.search(text), cell.source
            assert "(?)" not in cell.source
    folded = [cell for cell in notebook.cells if {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", []))]
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in folded)


def test_notebook_says_the_numbers_of_its_page(notebook: Any, path: Path, site_dir: Path) -> None:
    name = path.relative_to(site_dir / "_sources").with_suffix(".html")
    values = re.findall(r'<span class="pasted-text">([^<]*)</span>', (site_dir / name).read_text("utf-8"))
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    at = 0
    for value in map(unescape, values):
        found = text.find(value, at)
        assert found >= 0, f"{value}, on the page, is not in the notebook, after {text[max(at - 60, 0) : at]!r}"
        at = found + len(value)


def test_notebook_numbers_equations_as_its_page_does(notebook: Any, path: Path, site_dir: Path) -> None:
    name = path.relative_to(site_dir / "_sources").with_suffix(".html")
    on_page = re.findall(r'<span class="eqno">\(([^)]*)\)', (site_dir / name).read_text("utf-8"))
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"\\tag\{([^}]*)\}", text) == on_page


def test_notebook_holds_the_code_that_the_build_ran(notebook: Any, path: Path, site_dir: Path) -> None:
    """In its order, and none of it failed: so it runs again where the build ran it, beside the files of the book."""
    import nbformat

    executed = site_dir.parent / "jupyter_execute" / path.relative_to(site_dir / "_sources")
    ran = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    assert ran
    counts = [cell.execution_count for cell in ran]  # none from the cache, which keeps only what ran to its end
    assert counts in ([*range(1, len(ran) + 1)], [None] * len(ran))
    assert all(output.output_type != "error" for cell in ran for output in cell.outputs)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"][1:] == [cell.source for cell in ran]


@pytest.mark.slow
def test_notebook_runs_from_an_empty_folder(
    notebook: Any, path: Path, site_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what its first cell names and no more, or, where it opens files of the book, that cell sees that they are
    there, and what follows ran in the build."""
    code = "\n".join(cell.source for cell in notebook.cells)
    if "_results" in code or "_checks" in code:  # elsewhere, the first cell brings a copy of the book
        monkeypatch.chdir(ROOT / path.relative_to(site_dir / "_sources").parent)
        names: dict[str, Any] = {}
        exec(notebook.cells[0].source, names)
        assert names["missing"] == []
        assert not names.get("away")
        return
    from nbclient import NotebookClient

    (extras,) = set(EXTRAS.findall(notebook.cells[0].source))
    light.make_kernel(tmp_path / "kernels", extras)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "kernels"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "empty").mkdir()
    resources = {"metadata": {"path": str(tmp_path / "empty")}}
    NotebookClient(notebook, timeout=HUNG, kernel_name="light", resources=resources).execute()
