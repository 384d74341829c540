"""All explorables in a browser: widths, print, no script, a live kernel, speed."""

from statistics import quantiles

import pytest
from explorable_page import NUMBER, QUIZ, settled, shown
from specimen import SPECIMENS, settings

from gpkl_lib.explore import SoftmaxLogsumexp, esm

EVERY = pytest.mark.parametrize("name", SPECIMENS)
pytestmark = pytest.mark.browser


OUTSIDE = """() => [...document.querySelectorAll(".gpkl-live *")]
  .filter((one) => one.matches("text, .gpkl-key, .gpkl-label, .gpkl-number, button, label"))
  .filter((one) => {
    const frame = one.closest("div.gpkl").getBoundingClientRect(), box = one.getBoundingClientRect();
    const seen = box.width > 0 && getComputedStyle(one).visibility === "visible";
    return seen && (box.left < frame.left - 1 || box.right > frame.right + 1);
  })
  .map((one) => [one.closest("gpkl-explorable").getAttribute("module"), one.textContent])"""


# A closed menu as wide as its longest entry asks for, against the width that it has.
CUT = """() => [...document.querySelectorAll(".gpkl-live select")].filter((one) => {
  const has = one.offsetWidth;
  one.style.width = "max-content";
  const wants = one.offsetWidth;
  one.style.width = "";
  return wants > has;
}).map((one) => [one.closest("gpkl-explorable").getAttribute("module"), one.labels[0].textContent])"""


@pytest.mark.fonts
@pytest.mark.parametrize("spacing", ["normal", "0.02em"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_sideways_scroll_and_text_stays_readable(stage, width, spacing):
    """Nor with a wider font than that of this machine, which letters further apart stand for."""
    widgets = [SoftmaxLogsumexp([1, 2, 3, 4, 5, 6]), *settings(0), *settings(-1), QUIZ, NUMBER]
    page = stage(*widgets, width=width).page
    page.add_style_tag(content=f".gpkl-live * {{ letter-spacing: {spacing}; }}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CUT) == []
    sizes = (
        "[...document.querySelectorAll('.gpkl-live svg text')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(page.evaluate(sizes)) >= 12


def test_without_javascript_the_still_is_seen(stage):
    page = stage(*settings(0), QUIZ, width=390, java_script_enabled=False).page
    pictures = page.get_by_role("img")
    assert pictures.count() == len(SPECIMENS)
    assert min(picture.bounding_box()["width"] for picture in pictures.all()) > 300
    page.get_by_text("Answer").click()
    assert page.get_by_text("log 2 < 1.").is_visible()


def test_print_shows_the_still_in_light_colours(stage):
    page = stage(SoftmaxLogsumexp(), *settings(0), theme="dark").page
    assert not any(still.is_visible() for still in page.locator(".gpkl-still").all())
    page.emulate_media(media="print")
    assert all(still.is_visible() for still in page.locator(".gpkl-still").all())
    assert not any(live.is_visible() for live in page.locator(".gpkl-live").all())
    fill = page.locator(".gpkl-picture rect.gpkl-blue").first.evaluate("one => getComputedStyle(one).fill")
    assert fill == "rgb(0, 104, 168)"


def test_nothing_moves_for_those_who_want_it_still(stage):
    page = stage(*settings(0), QUIZ, reduced_motion="reduce").page
    moving = """[...document.querySelectorAll('.gpkl, .gpkl *')].filter((one) => {
      const style = getComputedStyle(one);
      return parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none';
    }).length"""
    assert page.evaluate(moving) == 0


@EVERY
def test_the_kernel_and_the_picture_follow_each_other(stage, name):
    specimen = SPECIMENS[name]
    first, second = specimen.settings[:2]
    visit = stage(first)
    visit.page.evaluate(
        """async ([source, state]) => {
          const listeners = [];
          window.kernel = {
            saved: 0, listeners,
            get: (key) => state[key],
            set: (key, value) => {
              state[key] = value;
              for (const [on, f] of [...listeners]) if (on === "change:" + key) f();
            },
            save_changes() { this.saved += 1; },
            on: (name, f) => listeners.push([name, f]),
            off: (name, f) => listeners.splice(listeners.findIndex((one) => one[0] === name && one[1] === f), 1),
          };
          const module = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
          const el = document.body.appendChild(document.createElement("div"));
          el.id = "live";
          window.cleanUp = module.default.render({model: kernel, el});
        }""",
        [esm(name), first.state()],
    )
    page, live = visit.page, visit.page.locator("#live")
    page.evaluate("(state) => Object.entries(state).forEach(([key, value]) => kernel.set(key, value))", second.state())
    settled(page)
    for key, value in specimen.wanted(second).items():
        assert shown(live, key) == pytest.approx(value, rel=1e-12, abs=specimen.near(key)), key
    live.get_by_label(specimen.slider).focus()
    before = page.evaluate("kernel.saved")
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    settled(page)
    assert page.evaluate("kernel.saved") > before
    assert any(page.evaluate("(key) => kernel.get(key)", key) != value for key, value in second.state().items())
    page.evaluate("cleanUp()")
    assert page.evaluate("kernel.listeners.length") == 0
    assert visit.errors == []


# What a redraw is measured against, as machines differ and the same one does from minute to minute: a frame in which a
# hundred pieces of text in a picture change and move, after some arithmetic. At a quarter of its speed, a telephone's,
# the core on which the limit was set takes USUAL milliseconds of its own time for it. The ratio is one at any speed.
USUAL = 9.0
YARDSTICK = """() => {
  const make = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const picture = document.body.appendChild(make("svg"));
  picture.setAttribute("height", 200);
  const texts = Array.from({ length: 100 }, () => picture.appendChild(make("text")));
  for (const text of texts) text.textContent = "0";
  window.yardstick = (i) => {
    let sum = i;
    for (let k = 0; k < 20000; k += 1) sum += Math.exp(-((k * 7 + i) % 100) / 10);
    texts.forEach((text, k) => {
      text.firstChild.data = (sum * (k + 1)).toFixed(3);
      text.setAttribute("x", (i * 13 + k * 17) % 300);
      text.setAttribute("y", 10 + ((i * 5 + k * 3) % 180));
    });
  };
}"""
FRAMES = """async (input, [many, whose]) => {
  for (let i = 0; i < many; i += 1) {
    if (whose === "ours") {
      input.value = Number(input.min) + ((input.max - input.min) * ((i * 7) % many)) / many;
      input.dispatchEvent(new Event("input"));
    } else requestAnimationFrame(() => yardstick(i));
    await new Promise(requestAnimationFrame); // which comes after the redraw, asked for before
    input.getBoundingClientRect(); // the layout now: no frame more to wait for
  }
}"""


def least_disturbed(ratios):
    """The quartile of the rounds that neighbours disturbed least: a busy machine slows the larger picture more."""
    return quantiles(ratios, n=4)[0]


@EVERY
def test_redraw_takes_less_than_a_frame_at_a_quarter_of_the_speed(stage, name):
    page = stage(SPECIMENS[name].settings[0]).page
    page.evaluate(YARDSTICK)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # the page's own time, not its neighbours'

    def spent():
        metrics = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
        return 1000 * sum(metrics[f"{part}Duration"] for part in ("Script", "RecalcStyle", "Layout"))

    def frames(whose, many=15):
        """Milliseconds a frame from input to layout."""
        before = spent()
        page.get_by_label(SPECIMENS[name].slider).evaluate(FRAMES, [many, whose])
        return (spent() - before) / many

    for whose in ("ours", "yardstick"):
        frames(whose)
    ratios = []
    while len(ratios) < 3 or (len(ratios) < 9 and least_disturbed(ratios) >= 16 / USUAL):  # on a busy machine
        ours, yardstick = frames("ours"), frames("yardstick")
        assert min(ours, yardstick) > 0
        ratios.append(ours / yardstick)
    print(
        f"{name}: {USUAL * least_disturbed(ratios):.1f} ms from input to layout, as the yardstick has it, "
        f"{len(ratios)} rounds"
    )
    assert least_disturbed(ratios) < 16 / USUAL
