"""The moves of a person who walks the loop in a browser."""

import os
import re
import sys
from pathlib import Path

from tests.browser import rest
from tests.browser.pages import READY

LONG = 240_000  # ms; a training takes seconds here, but machines differ
MOVED_ON = """before => {
  const pair = document.querySelector('.tl-rate-pair');
  return pair.hidden || document.querySelector('.tl-rate-count').innerText !== before;
}"""
UNDER_POINTER = """where => {
  const seen = document.querySelector(where), box = seen.getBoundingClientRect();
  const met = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return seen.contains(met);
}"""


def environment(home, model, **more):
    """The variables of a served walk: its data folder, its first model, this Python's programs."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"TUNELOOP_HOME": str(home), "TUNELOOP_MODEL": str(model), "PATH": programs, **more}


class Walk:
    """A page with what went wrong on it, and the moves of a person."""

    def __init__(self, chromium, address):
        self.page = rest.watched(chromium.new_page(viewport={"width": 1600, "height": 1000}))
        self.page.set_default_timeout(LONG)
        self.errors, self.foreign = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self.hear)
        self.address = address
        self.page.goto(address)

    def hear(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(request.url)

    def tab(self, label):
        tab = self.page.get_by_role("tab", name=label, exact=True)
        tab.click()
        tab.and_(self.page.locator("[aria-selected=true]")).wait_for()
        self.rest()

    def rest(self):
        """Wait until the page has all that it asked the server for."""
        rest.wait(self.page)

    def click(self, elem_id):
        self.page.locator(f"#{elem_id}").click()

    def fill(self, elem_id, text):
        self.page.locator(f"#{elem_id}").locator("input, textarea").first.fill(text)

    def sees(self, where, words, timeout=LONG):
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

    def start_round(self, purpose, *, anyway=False):
        """Start a round; with `anyway` also of a model that lost something, once that is known."""
        self.tab("Rating")
        # what the page finds opens the panel or leaves it closed: a click before would undo that
        found = self.page.get_by_text("No round yet").or_(self.page.locator("#rate-round"))
        found.locator("visible=true").first.wait_for()
        self.rest()
        if not self.page.locator("#rate-start").is_visible():
            self.page.get_by_text("Start a round").first.click()
        self.page.get_by_label(purpose).check()
        if anyway:
            self.page.get_by_text("More options").locator("visible=true").first.click()
            self.page.locator("#rate-anyway input").check()
        self.rest()
        self.click("rate-start")

    def rate_all(self):
        """Prefer the shorter answer in every pair of the open round, by keyboard; the votes."""
        self.page.locator(".tl-rate-pair").first.wait_for(timeout=LONG)
        self.rest()
        self.page.keyboard.press("Escape")  # the guidelines, which open once
        cast = 0
        while self.page.locator(".tl-rate-pair").is_visible():
            self.page.wait_for_function(READY)  # a press too soon after showing is no decision
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
