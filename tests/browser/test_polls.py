"""poll_pace.js: how often an opened page asks the server. Only the tests move its clock."""

import re
from pathlib import Path

import gradio
import pytest

from tests.conftest import REPO

pytestmark = pytest.mark.browser
SCRIPT = (REPO / "ui" / "static" / "poll_pace.js").read_text()
# as Gradio's timer writes it
TIMER = """() => {
  window.asked = 0;
  const l = { dispatch: (what) => { window.asked += what === `tick`; } };
  window.timer = setInterval(() => {
    document.visibilityState === `visible` && l.dispatch(`tick`);
  }, 2000);
}"""
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  Object.defineProperty(document, 'visibilityState',
                        { configurable: true, value: hidden ? 'hidden' : 'visible' });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def page(chromium):
    opened = chromium.new_page()
    opened.clock.install(time=0)
    opened.clock.pause_at(1000)
    opened.set_content("<p>Tuneloop</p>")
    opened.evaluate(SCRIPT)
    opened.evaluate(TIMER)
    yield opened
    opened.close()


def asks_in(page, seconds):
    before = page.evaluate("window.asked")
    page.clock.run_for(1000 * seconds)
    return page.evaluate("window.asked") - before


def rested(page):
    page.clock.run_for(30_000)


def test_page_at_rest_asks_every_twelve_seconds(page):
    rested(page)
    assert asks_in(page, 120) == 10


def test_page_asks_every_two_seconds_after_its_person_did_something(page):
    rested(page)
    page.locator("p").click()
    assert asks_in(page, 14) == 7
    rested(page)
    page.keyboard.press("a")
    assert asks_in(page, 14) == 7


@pytest.mark.parametrize(
    "sign", ["<span data-going></span>", '<div class="tl-notice tl-busy"></div>']
)
def test_page_asks_every_two_seconds_while_work_is_done(page, sign):
    rested(page)
    page.evaluate("sign => document.body.insertAdjacentHTML('beforeend', sign)", sign)
    assert asks_in(page, 60) == 30
    page.evaluate("document.body.lastElementChild.remove()")
    rested(page)
    assert asks_in(page, 120) == 10


def test_hidden_page_asks_nothing_and_at_once_when_it_is_seen_again(page):
    page.evaluate(HIDE, True)
    assert asks_in(page, 600) == 0
    page.evaluate(HIDE, False)
    assert page.evaluate("window.asked") == 1


def test_timer_that_ends_asks_no_more(page):
    page.evaluate("clearInterval(window.timer)")
    assert asks_in(page, 60) == 0
    page.evaluate(HIDE, True)
    page.clock.run_for(60_000)
    page.evaluate(HIDE, False)
    assert page.evaluate("window.asked") == 0


def test_other_timers_are_left_alone(page):
    page.evaluate("window.other = 0; setInterval(() => { window.other += 1; }, 1000)")
    page.clock.run_for(60_000)
    assert page.evaluate("window.other") == 60


def test_timer_of_gradio_is_known_by_its_code():
    assets = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    ticks = re.compile(r"setInterval\(\(\)=>\{[^{}]*visibilityState[^{}]*tick[^{}]*\}")
    assert any(ticks.search(one.read_text()) for one in assets.glob("Index-*.js"))
