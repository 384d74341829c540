"""All explorables on the Python side: what a page gets of them, and the picture for where no script runs."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from explorable_page import NUMBER, QUIZ
from specimen import SPECIMENS

from gpkl_lib.explore import MODULES, STATIC
from gpkl_lib.explore.kit.svg import number

EVERY = pytest.mark.parametrize("name", SPECIMENS)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.setdefault(tag, []).append(dict(attributes))


@pytest.mark.parametrize("name", [*SPECIMENS, "quiz", "quiz for a number"])
def test_html_form_carries_module_state_and_still(name):
    widget = {"quiz": QUIZ, "quiz for a number": NUMBER}.get(name) or SPECIMENS[name].settings[0]
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    element = Page(data["text/html"]).found["gpkl-explorable"][0]
    assert element["module"] in MODULES
    assert json.loads(element["state"]) == widget.state()
    assert f'<div class="gpkl-still">{widget.still()}</div>' in data["text/html"]
    assert type(widget).__name__ in data["text/plain"]


@EVERY
def test_state_is_what_the_module_reads(name):
    traits = re.search(r"const TRAITS = (\[.*?\]);", (STATIC / f"{name}.js").read_text("utf8"))[1]
    for widget in SPECIMENS[name].settings:
        assert set(json.loads(traits)) == set(widget.state())


@EVERY
def test_stills_are_small_pictures_with_their_numbers_as_text(name):
    for widget in SPECIMENS[name].settings:
        check_still(widget, widget.values()[SPECIMENS[name].line])


def check_still(widget, value):
    picture = widget.still()
    root = ElementTree.fromstring(picture)
    assert len(picture) < 25_000
    assert not re.search(r"\b(nan|inf)\b", picture)
    assert root.get("role") == "img"
    label = root.get("aria-label")
    assert len(label) > 100
    assert float(root.get("viewBox").split()[2]) <= 360  # 12-unit text is 12 px and more at 390 px
    assert any(number(value, digits) in label for digits in (1, 2, 3, 4)), (value, label)
    for node in root.iter():
        assert node.get("fill") or node.get("stroke") or node.tag.split("}")[1] in {"svg", "tspan"}
