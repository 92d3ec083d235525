"""The loop by hand, as a newcomer walks it: every step in the browser, with real training.

The base is the taught tiny model (tests/letter_model.py), so that each training takes seconds.
Pictures of every page are kept where TUNELOOP_SCREENS points, at 390 and 1600 px, light and dark.
"""

import os
import re
import sys
from pathlib import Path

import pytest

from tests import letter_model
from tests.serving import serving

pytestmark = pytest.mark.browser

LONG = 120_000  # ms; a training takes seconds here, but machines differ
MOVED_ON = """before => {
  const pair = document.querySelector('.tl-rate-pair');
  return pair.hidden || document.querySelector('.tl-rate-count').innerText !== before;
}"""
UNDER_POINTER = """where => {
  const seen = document.querySelector(where), box = seen.getBoundingClientRect();
  const met = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return seen.contains(met);
}"""


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """`tuneloop serve` on a new workspace: (address, folder with the data)."""
    folder = tmp_path_factory.mktemp("walk")
    letter_model.write_data(folder)
    base = letter_model.taught(tiny_model, folder / "library_faq.jsonl")
    environment = {
        "TUNELOOP_HOME": str(folder / "home"),
        "TUNELOOP_MODEL": str(base),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with serving(environment, folder / "serve.log") as served:
        yield served.url, folder


class Walk:
    """A page with what went wrong on it, and the moves of a person."""

    def __init__(self, chromium, address):
        self.page = chromium.new_page(viewport={"width": 1600, "height": 1000})
        self.page.set_default_timeout(30_000)
        self.errors, self.foreign = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self.hear)
        self.address = address
        self.page.goto(address)

    def hear(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(request.url)

    def tab(self, label):
        self.page.get_by_role("tab", name=label, exact=True).click()
        self.page.wait_for_timeout(800)

    def click(self, elem_id):
        self.page.locator(f"#{elem_id}").click()

    def fill(self, elem_id, text):
        self.page.locator(f"#{elem_id}").locator("input, textarea").first.fill(text)

    def sees(self, where, words, timeout=30_000):
        place = self.page.locator(where).filter(has_text=re.compile(words, re.IGNORECASE)).first
        place.wait_for(timeout=timeout)
        return place.inner_text()

    def train(self, kind, name, rate):
        """Start a training and wait on the Jobs page until it is done."""
        self.fill(f"{kind}-name", name)
        self.page.get_by_label("Learning rate").locator("visible=true").first.fill(rate)
        self.sees(f"#{kind}-estimate", "steps")
        self.click(f"{kind}-start")
        self.sees("#tab-jobs, .tabitem:visible, body", name)
        self.page.locator("#runs-report .tl-badge", has_text="done").or_(
            self.page.locator("#runs-top .tl-badge", has_text="done")
        ).first.wait_for(timeout=LONG)
        self.on_top("#runs-list .tl-pick")

    def on_top(self, where):
        """The first of these is where a pointer would meet it, not only in the page's tree."""
        self.page.locator(where).first.scroll_into_view_if_needed()
        assert self.page.evaluate(UNDER_POINTER, where)

    def start_round(self, purpose):
        self.tab("Rating")
        # what the page finds opens the panel or leaves it closed: a click before would undo that
        found = self.page.get_by_text("No round yet").or_(self.page.locator("#rate-round"))
        found.locator("visible=true").first.wait_for()
        self.page.wait_for_timeout(800)
        if not self.page.locator("#rate-start").is_visible():
            self.page.get_by_text("Start a round").first.click()
        self.page.get_by_label(purpose).check()
        self.page.wait_for_timeout(1200)
        self.click("rate-start")

    def rate_all(self):
        """Prefer the shorter answer in every pair of the open round, by keyboard; the votes."""
        self.page.locator(".tl-rate-pair").first.wait_for(timeout=LONG)
        self.page.wait_for_timeout(500)
        self.page.keyboard.press("Escape")  # the guidelines, which open once
        cast = 0
        while self.page.locator(".tl-rate-pair").is_visible():
            self.page.wait_for_timeout(340)  # a press within 300 ms of showing is no decision
            left, right = (
                self.page.locator(f"[data-side={side}] .tl-rate-text").inner_text().split()
                for side in ("left", "right")
            )
            before = self.page.locator(".tl-rate-count").inner_text()
            self.page.keyboard.press(
                "t" if len(left) == len(right) else
                "ArrowLeft" if len(left) < len(right) else "ArrowRight"
            )  # fmt: skip
            self.page.wait_for_function(MOVED_ON, arg=before)
            cast += 1
        return cast


@pytest.fixture(scope="module")
def walk(chromium, server):
    one = Walk(chromium, server[0])
    yield one
    one.page.close()


def test_the_loop_is_walked_by_hand(walk, server):
    page, (_, folder) = walk.page, server
    walk.click("home-own")
    page.locator("#data-file input[type=file]").set_input_files(folder / "library_faq.jsonl")
    assert "288" in walk.sees("#data-report", "288")
    walk.sees("#data-preview", "say")
    walk.click("data-add")
    page.get_by_text("In this project").first.wait_for()

    walk.tab("Training")
    walk.train("sft", "First run", "0.003")

    walk.tab("Evaluation")
    walk.click("evaluate-start")
    assert "interval" in walk.sees("#evaluate-sentences", "held-out", LONG)

    walk.start_round("Collect preferences for training")
    cast = walk.rate_all()
    assert cast >= 20
    walk.click("rate-make")
    assert f"from {cast} votes" in walk.sees("#rate-made", "pairs")
    walk.click("rate-train")
    page.get_by_text("Direct preference optimisation (DPO)").first.click()
    page.wait_for_timeout(1200)
    walk.train("dpo", "From votes", "0.002")

    walk.start_round("Blind test of two models")
    assert walk.rate_all() > 0
    walk.click("rate-close")
    walk.click("rate-close-yes")
    assert "interval" in walk.sees("#rate-outcome", "interval")

    walk.tab("Home")
    walk.sees("#home-loop", "wins")
    assert walk.errors == []
    assert walk.foreign == []


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_and_is_pictured(chromium, server, width, theme, tmp_path):
    """After the walk: no page is wider than the screen, nothing foreign is asked for."""
    folder = Path(os.environ.get("TUNELOOP_SCREENS", tmp_path))
    page = chromium.new_page(viewport={"width": width, "height": 900})
    foreign = []
    page.on("request", lambda r: None if server[0] in r.url else foreign.append(r.url))
    page.goto(f"{server[0]}/?__theme={theme}")
    page.locator("#home-loop").wait_for(timeout=30_000)
    tabs = (
        "Home",
        "Data",
        "Training",
        "Jobs",
        "Evaluation",
        "Rating",
        "Loop",
        "Playground",
        "Models",
    )
    assert [
        tab.strip() for tab in page.locator("#tabs > .tab-wrapper [role=tab]").all_inner_texts()
    ] == [*tabs]
    for label in tabs:
        page.get_by_role("tab", name=label, exact=True).click()
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"{label.lower()}-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, label
    page.close()
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
