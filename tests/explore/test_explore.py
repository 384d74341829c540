"""Explorables on the Python side: modules, colours, states, still pictures."""

import gzip
import re
import subprocess
import sys

import pytest
import torch
import traitlets

from gpkl_lib import explore, logsumexp, symmetric_kl
from gpkl_lib.explore import MODULES, STATIC, Explorable, Quiz, SoftmaxLogsumexp, TwoViews, base, css, esm
from gpkl_lib.palette import PALETTE, PALETTE_DARK, use_style

KILOBYTE = 1000


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_one_self_contained_text_of_at_most_30_kb(name):
    source = esm(name)
    assert not re.search(r"^\s*import\b|\bimport\(", source, re.M)
    assert len(re.findall(r"^export default ", source, re.M)) == 1
    assert not re.search(r"^export function render|https?://(?!www\.w3\.org/2000/svg)", source, re.M)
    assert len(gzip.compress(source.encode(), 9)) <= 30 * KILOBYTE


def test_the_face_finds_every_pair_of_files():
    found = {name: getattr(explore, name) for name in dir(explore)}
    classes = {name: value for name, value in found.items() if isinstance(value, type)}
    assert classes.pop("Explorable") is Explorable
    assert sorted(one.module for one in classes.values()) == sorted(MODULES)
    for name, one in classes.items():
        assert one.__module__ == f"gpkl_lib.explore.{one.module}"
        assert one._esm == esm(one.module)
        assert issubclass(one, Explorable)
        assert one.__name__ == name
    sources = {path.stem for path in STATIC.glob("*.py") if "(Explorable):" in path.read_text("utf8")}
    assert sources == set(MODULES) == {path.stem for path in STATIC.glob("*.js")}


def test_asking_for_one_explorable_imports_no_other():
    code = "import sys; from gpkl_lib.explore import TwoViews; print(*(n for n in sys.modules if 'explore.' in n))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, check=True)
    loaded = {name.removeprefix("gpkl_lib.explore.") for name in done.stdout.split()}
    assert loaded & set(MODULES) == {"two_views"}


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match=r"no 'TwoVeiws'; its explorables are .*TwoViews"):
        explore.TwoVeiws  # noqa: B018


def test_a_widget_and_a_reader_s_own_subclass_keep_the_module():
    class Mine(TwoViews):
        pass

    assert {TwoViews().module, Mine().module} == {"two_views"}
    assert TwoViews()._esm == Mine()._esm == esm("two_views")


def test_names_that_clash_between_joined_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "one.js").write_text("export const same = 1;\n")
    (tmp_path / "two.js").write_text('import { same } from "./one.js";\nfunction same() {}\nexport default {};\n')
    monkeypatch.setattr(base, "STATIC", tmp_path)
    with pytest.raises(ValueError, match=r"two\.js and one\.js both declare 'same'"):
        esm("two")


def test_imports_may_take_several_lines_and_types_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "one.js").write_text("/**\n * @type {(x: number) => number}\n */\nexport const twice = (x) => 2 * x;\n")
    imports = 'import {\n  twice,\n} from "./one.js";\n\n/** @typedef {import("./one.js").T} T */\n'
    (tmp_path / "two.js").write_text(imports + "export default { render: /** @type {T} */ (twice) };\n")
    monkeypatch.setattr(base, "STATIC", tmp_path)
    kept = "export const twice = (x) => 2 * x;\n\nexport default { render: /** @type {T} */ (twice) };\n"
    assert esm("two") == kept


def test_a_file_that_two_others_import_is_joined_once():
    assert esm("two_views").count("export const sum =") == 1


@pytest.mark.parametrize("path", sorted(STATIC.glob("maths/*.js")), ids=lambda path: path.stem)
def test_maths_knows_no_page(path):
    assert not re.search(r"\b(document|window|HTMLElement|navigator)\b", path.read_text("utf8"))


@pytest.mark.parametrize(("palette", "block"), [(PALETTE, 0), (PALETTE_DARK, 1), (PALETTE, 2)])
def test_style_sheet_and_figures_have_one_palette(palette, block):
    blocks = [dict(re.findall(r"--gpkl-(\w+): (#\w{6})", part)) for part in re.findall(r"\{([^{}]*)\}", css())]
    coloured = [colours for colours in blocks if "blue" in colours]
    assert len(coloured) == 3
    assert coloured[block] == palette


@pytest.mark.parametrize(
    ("palette", "papers"), [(PALETTE, ["#ffffff", "#f3f4f5"]), (PALETTE_DARK, ["#14181e", "#111111", "#29313d"])]
)
def test_palette_reads_as_text_on_every_paper(palette, papers):
    assert min(contrast(colour, paper) for colour in palette.values() for paper in papers) >= 4.5


def test_use_style_gives_each_line_a_colour_and_a_dash_of_its_own():
    import matplotlib

    with matplotlib.rc_context():
        use_style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
        assert cycle["color"][:2] == [PALETTE["blue"], PALETTE["vermilion"]]
        assert len({str(dash) for dash in cycle["linestyle"][:5]}) == 5
        assert matplotlib.rcParams["figure.figsize"][0] <= 6


def test_values_are_the_library_s():
    x = torch.tensor([0.5, -1.0, 3.0], dtype=torch.float64)
    assert SoftmaxLogsumexp([0.5, -1, 3], temperature=0.5, scale=2).values()["lse"] == pytest.approx(
        logsumexp(2 * x, temperature=0.5).item(), rel=1e-15
    )
    views = TwoViews([0.5, -1, 3], [1, 0, -1], shift=2, activation="sigmoid")
    t = torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)
    assert views.values()["total"] == symmetric_kl(x, t, activation="sigmoid").item()
    assert views.decisions() == ([0, 2], [0, 1, 2])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SoftmaxLogsumexp([1]), traitlets.TraitError, "logits must hold 2 to 6 logits, got 1"),
        (lambda: SoftmaxLogsumexp([1, float("nan")]), traitlets.TraitError, "finite logits"),
        (lambda: SoftmaxLogsumexp(temperature=0), traitlets.TraitError, "temperature must lie between 0.01 and 100"),
        (lambda: SoftmaxLogsumexp(scale=float("inf")), traitlets.TraitError, "scale must lie between"),
        (lambda: TwoViews([1, 2], [1, 2, 3]), ValueError, "as many logits, got 2 and 3"),
        (lambda: TwoViews(shift=5), traitlets.TraitError, "shift must lie between -4 and 4, got 5"),
        (lambda: TwoViews(activation="tanh"), traitlets.TraitError, "activation"),
        (lambda: Quiz("?", choices=["a"], answer=0, explain=""), ValueError, "2 to 8 answers, got 1"),
        (lambda: Quiz("?", choices=["a", "b"], answer=2, explain=""), ValueError, "index of a choice, 0 to 1, got 2"),
        (lambda: Quiz("?", choices=["a", "b"], answer=0.5, explain=""), ValueError, "index of a choice"),
        (lambda: Quiz("?", choices=["a", "b"], answer=0, tolerance=1, explain=""), ValueError, "belongs to a number"),
        (lambda: Quiz("?", answer=1.0, explain=""), ValueError, "tolerance must be at least 0"),
        (lambda: Quiz("?", answer=float("nan"), tolerance=0.1, explain=""), ValueError, "answer must be finite"),
    ],
)
def test_wrong_arguments_are_named(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_quiz_still_hides_the_answer_until_it_is_asked_for():
    still = Quiz("Is *x* < 1?", choices=["<b>yes</b>", "no"], answer=0, explain="As `x` is.").still()
    shown, folded = still.split("<details>")
    assert "&lt;b&gt;yes&lt;/b&gt;" in shown
    assert '<i class="gpkl-var">x</i> &lt; 1' in shown
    assert "As <code>x</code> is." not in shown
    assert "As <code>x</code> is." in folded


def test_without_anywidget_the_error_names_the_extra():
    code = "import sys; sys.modules['anywidget'] = None; import gpkl_lib.explore"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800)
    assert done.returncode != 0
    assert "pip install 'gpkl-lib[book]'" in done.stderr.strip().splitlines()[-1]
