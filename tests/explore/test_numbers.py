"""All explorables in a browser: their maths, and the numbers that they show, against the library."""

import re

import pytest
from explorable_page import run_line, shown
from specimen import DRAGGED, FOLDER, SPECIMENS, goldens

from gpkl_lib.explore import MODULES, STATIC, esm

pytestmark = pytest.mark.browser
EVERY = pytest.mark.parametrize("name", SPECIMENS)
MATHS = sorted(f"maths/{path.stem}" for path in STATIC.glob("maths/*.js"))
EVALUATE = """async ([source, cases]) => {
  const maths = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
  return cases.map(([name, args]) => maths[name](...args));
}"""


def test_every_module_is_tried():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(MODULES) - {"quiz"}
    assert [name for name, specimen in SPECIMENS.items() if specimen.drags] == DRAGGED
    for name, specimen in SPECIMENS.items():
        assert len(specimen.settings) >= 5, name
        assert {widget.module for widget in specimen.settings} == {name}
        assert len({str(widget.state()) for widget in specimen.settings}) == len(specimen.settings), name


@pytest.mark.parametrize("module", MATHS)
def test_maths_agrees_with_the_library(chromium, module):
    cases = goldens().get(module, [])
    if not cases and len(SPECIMENS) < len(MODULES) - 1:
        pytest.skip("another specimen is being drawn")
    exported = re.findall(r"^export (?:function|const) (\w+)", (STATIC / f"{module}.js").read_text("utf8"), re.M)
    assert {name for name, *_ in cases} == set(exported)
    page = chromium.new_page()
    got = page.evaluate(EVALUATE, [esm(module), [case[:2] for case in cases]])
    page.close()
    wrong = [
        (name, arguments, wanted, value)
        for (name, arguments, wanted, floor), value in zip(cases, got, strict=True)
        if not close(value, wanted, floor)
    ]
    assert wrong == []


def close(value, wanted, floor):
    """Equal to a relative 1e-12, entry by entry; below `floor` there are no digits to compare."""
    if isinstance(wanted, dict):
        return set(value) == set(wanted) and all(close(value[key], wanted[key], floor) for key in wanted)
    if isinstance(wanted, list | tuple):
        return len(value) == len(wanted) and all(close(v, w, floor) for v, w in zip(value, wanted, strict=True))
    return value == pytest.approx(wanted, rel=1e-12, abs=floor)


@EVERY
def test_every_setting_shows_the_library_s_numbers(stage, name):
    specimen = SPECIMENS[name]
    visit = stage(*specimen.settings)
    for i, widget in enumerate(specimen.settings):
        part, wanted = visit.page.locator("gpkl-explorable").nth(i), specimen.wanted(widget)
        assert wanted
        for key, value in wanted.items():
            assert shown(part, key) == pytest.approx(value, rel=1e-12, abs=specimen.near(key)), (widget, key)
        assert run_line(part) == pytest.approx(shown(part, specimen.line), rel=1e-12, abs=specimen.near(specimen.line))
    assert visit.console == visit.errors == visit.third_party == []
