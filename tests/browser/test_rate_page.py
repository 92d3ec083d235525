"""The rating page in a real browser: keys, phones, lost connections, hostile answers."""

import json
import statistics
import threading
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from engine.store import votes as vote_store
from engine.store.connect import reading
from engine.workspace import Settings, open_workspace
from tests.conftest import REPO
from tests.ui import seed
from ui import rate_routes

pytestmark = pytest.mark.browser
GUARD_MS = 320  # a pair takes no vote in its first 300 ms


@pytest.fixture
def ws(home, tmp_path):
    """A workspace on SQLite: what the browser does is the same on every database."""
    url = f"sqlite:///{tmp_path / 'browser.db'}"
    workspace = open_workspace(Settings(home=home, database_url=url))
    yield workspace
    workspace.close()


@pytest.fixture
def address(ws):
    app = FastAPI()
    app.include_router(rate_routes.router(ws))
    app.mount("/static", StaticFiles(directory=REPO / "ui" / "static"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


class Watched:
    """A page, and all that went wrong or went elsewhere while it was open."""

    def __init__(self, browser, address, width=1280, **options):
        viewport = {"width": width, "height": 844}
        self.context = browser.new_context(viewport=viewport, **options)
        self.page = self.context.new_page()
        self.errors, self.dialogs, self.foreign = [], [], []
        self.page.on("console", self.said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss())
        )
        self.page.on("request", lambda request: self.asked(request, address))

    def said(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def asked(self, request, address):
        if not request.url.startswith((address, "data:")):
            self.foreign.append(request.url)

    def open(self, address, one):
        self.page.goto(f"{address}/rate/{one.id}")
        self.page.wait_for_selector(".tl-rate-pair:not([hidden])")
        self.page.wait_for_timeout(GUARD_MS)
        return self.page


@pytest.fixture
def watched(chromium, address):
    opened = []

    def new(**options):
        opened.append(Watched(chromium, address, **options))
        return opened[-1]

    yield new
    for each in opened:
        each.context.close()


def live(ws, one):
    with reading(ws.db) as conn:
        return vote_store.live(conn, [one.id])


def question(page):
    return page.inner_text(".tl-rate-prompt .tl-rate-text")


def press(page, key):
    """Press, and wait until what was shown has gone."""
    before = question(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('.tl-rate-pair').hidden ||"
        " document.querySelector('.tl-rate-prompt .tl-rate-text').innerText !== before",
        arg=before,
    )
    page.wait_for_timeout(GUARD_MS)


# Times from the key to the next pair, taken in the page: the driver's own delay is left out.
STOPWATCH = """
() => {
  window.times = [];
  let pressed = 0;
  document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
  new MutationObserver(() => requestAnimationFrame(() => {
    if (pressed) window.times.push(performance.now() - pressed);
    pressed = 0;
  })).observe(document.querySelector('.tl-rate-prompt .tl-rate-text'), {childList: true});
  document.addEventListener('keydown', () => requestAnimationFrame(() => {
    const lit = document.querySelector('.tl-rate .is-pressed');
    (window.lit = window.lit || []).push(Boolean(lit));
  }));
}
"""


def test_twenty_pairs_by_keyboard_alone(ws, tmp_path, address, watched, record_property):
    one = seed.open_round(ws, tmp_path, pairs=20)
    seen = watched()
    page = seen.open(address, one)
    page.evaluate(STOPWATCH)
    keys = ["ArrowLeft", "1", "a", "ArrowRight", "2", "b", "t", "0", "x", "A"]
    for n in range(20):
        press(page, keys[n % len(keys)])
    page.wait_for_selector("text=That was the last one")
    choices = [vote.choice for vote in sorted(live(ws, one), key=lambda v: v.created_at)]
    said = ["left"] * 3 + ["right"] * 3 + ["tie"] * 2 + ["both_bad", "left"]
    assert choices == said * 2
    assert all(page.evaluate("window.lit"))
    times = page.evaluate("window.times")
    p95 = statistics.quantiles(times, n=20)[-1]
    record_property("key_to_next_pair_p95_ms", round(p95, 1))
    print(f"key to next pair: median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms")
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


def test_typing_into_an_input_casts_no_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched().open(address, one)
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press_sequentially("a t x 1 s")
    for event in ("isComposing: true", "ctrlKey: true", "altKey: true", "metaKey: true"):
        page.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown',"
            f" {{key: 'a', bubbles: true, {event}}}))"
        )
    page.wait_for_timeout(200)
    assert live(ws, one) == []
    assert page.locator("textarea").input_value() == "a t x 1 s"


def test_a_held_key_and_a_double_press_cast_one_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=5)
    page = watched().open(address, one)
    for _ in range(8):  # without an up in between these are repeats
        page.keyboard.down("a")
    page.keyboard.up("a")
    page.wait_for_selector("text=1 of 5 rated")
    page.keyboard.press("b")  # too early for a pair that was only just shown
    page.wait_for_timeout(GUARD_MS)
    assert len(live(ws, one)) == 1


def test_undo_brings_back_the_same_pair_on_the_same_sides(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched().open(address, one)
    first = page.inner_text(".tl-rate-pair")
    press(page, "t")
    press(page, "Control+z")
    assert page.inner_text(".tl-rate-pair") == first
    assert live(ws, one) == []


def test_a_vote_without_a_connection_is_kept_and_sent_once(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    seen = watched()
    page = seen.open(address, one)
    seen.context.set_offline(True)
    page.keyboard.press("a")
    page.wait_for_selector("text=not saved yet")
    assert live(ws, one) == []
    seen.context.set_offline(False)
    page.wait_for_selector("text=1 of 3 rated")
    assert [vote.choice for vote in live(ws, one)] == ["left"]
    assert page.inner_text(".tl-rate-saved") == "saved"


def test_a_vote_whose_answer_was_lost_outlives_a_reload_as_one_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched().open(address, one)

    def lose(route):
        route.fetch()  # the server has it
        route.abort()

    page.route("**/api/rate/vote", lose)
    page.keyboard.press("b")
    page.wait_for_selector("text=not saved yet")
    page.unroute("**/api/rate/vote")
    page.reload()
    page.wait_for_selector("text=1 of 3 rated")
    assert [vote.choice for vote in live(ws, one)] == ["right"]


def test_the_time_a_pair_was_hidden_does_not_count(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=2)
    page = watched().open(address, one)
    hide = "state => { document.body.style.display = state; }"
    page.evaluate(hide, "none")
    page.wait_for_timeout(1500)
    page.evaluate(hide, "")
    page.wait_for_timeout(200)
    press(page, "a")
    assert 200 < live(ws, one)[0].active_ms < 1500


def test_a_round_that_is_closed_meanwhile_says_so(ws, tmp_path, address, watched):
    from engine.core.actor import LOCAL
    from engine.services.rating import rounds

    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched().open(address, one)
    rounds.close(ws, LOCAL, one.id)
    page.keyboard.press("a")
    page.wait_for_selector("text=This round is closed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_buttons_and_never_scrolls_sideways(
    ws, tmp_path, address, watched, scheme
):
    wide = "| " + " | ".join(["column"] * 12) + " |\n|" + "---|" * 12
    answers = [
        ("q " * 40, "long answer. " * 120, "x" * 400),
        ("كيف أجدد كتابا؟", wide, "```\n" + "code " * 60 + "\n```"),
    ]
    one = seed.open_round(ws, tmp_path, answers=answers)
    page = watched(width=390, has_touch=True, color_scheme=scheme).open(address, one)
    for _ in answers:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        buttons = page.locator(".tl-rate-actions button")
        assert buttons.count() == 6
        for box in (buttons.nth(n).bounding_box() for n in range(6)):
            assert box["height"] >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 844
        press(page, "t")


def test_hostile_answers_do_nothing(ws, tmp_path, address, watched):
    answers = seed.hostile()
    one = seed.open_round(ws, tmp_path, answers=answers)
    seen = watched()
    page = seen.open(address, one)
    for _ in answers:
        assert page.locator(".tl-rate-text :is(script, img, svg, iframe, style, form)").count() == 0
        press(page, "t")
    page.wait_for_selector("text=That was the last one")
    assert page.evaluate("window.hit") is None
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


def test_both_answers_change_in_the_same_frame_and_look_alike(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, answers=[("q", "short", "long " * 900), ("r", "1", "2")])
    page = watched().open(address, one)
    boxes = [
        page.locator(f"article[data-side={side}]").bounding_box() for side in ("left", "right")
    ]
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=0.5)
    page.evaluate(
        """() => {
          window.frames_seen = [];
          const texts = [...document.querySelectorAll('article .tl-rate-text')];
          const look = () => {
            window.frames_seen.push(texts.map((t) => t.innerText.length < 10));
            requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }"""
    )
    press(page, "t")
    seen = page.evaluate("window.frames_seen")
    assert {json.dumps(each) for each in seen[-3:]} == {"[true, true]"}
    assert [each for each in seen if each == [True, False]] in (
        [],
        seen[: seen.index([True, True])],
    )


def test_every_button_has_a_name_and_focus_returns_to_the_pair(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched().open(address, one)
    for name in ("Answer 1 is better", "Tie", "Both bad", "Answer 2 is better", "Skip", "Undo"):
        assert page.get_by_role("button", name=name).count() == 1
    page.get_by_role("button", name="Tie").click()
    page.wait_for_selector("text=1 of 3 rated")
    assert page.evaluate("document.activeElement.className") == "tl-rate-pair"
    assert page.get_attribute(".tl-rate-saved", "aria-live") == "polite"
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("a")  # a key of the dialog, not a vote
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert len(live(ws, one)) == 1


def test_the_page_asks_only_its_own_server(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=2)
    seen = watched()
    asked = []
    seen.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    seen.open(address, one)
    api = f"/api/rate/{one.id}"
    assert [path for path in asked if not path.startswith("image/")] == [
        f"/rate/{one.id}", "/static/rate.css", "/static/rate.js", f"{api}/progress", f"{api}/next",
    ]  # fmt: skip
