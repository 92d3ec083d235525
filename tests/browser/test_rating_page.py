"""The rating page in a real browser: keys, phones, lost connections, hostile answers."""

import json
import statistics
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from engine.core.actor import LOCAL
from engine.services.rating import flagged_comparisons, rounds
from engine.store import tables
from engine.store import votes as vote_store
from engine.store.connect import reading
from tests.browser.pages import NOTHING_ON_ITS_WAY, READY, SAVED, STOPWATCH, TOO_EARLY, press
from tests.ui import seed

pytestmark = pytest.mark.browser


def live(ws, one):
    with reading(ws.db) as conn:
        return vote_store.live(conn, [one.id])


def test_keyboard_alone_rates_twenty_pairs(ws, tmp_path, address, watched, record_property):
    one = seed.open_round(ws, tmp_path, pairs=20)
    seen = watched(address)
    page = seen.open(address, one.id)
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
    page = watched(address).open(address, one.id)
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press_sequentially("a t x 1 s")
    for event in ("isComposing: true", "ctrlKey: true", "altKey: true", "metaKey: true"):
        page.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown',"
            f" {{key: 'a', bubbles: true, {event}}}))"
        )
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    assert live(ws, one) == []
    assert page.locator("textarea").input_value() == "a t x 1 s"


def test_key_held_or_pressed_twice_casts_one_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=5)
    page = watched(address).open(address, one.id)
    page.evaluate(TOO_EARLY, "b")
    for _ in range(8):  # without an up in between these are repeats
        page.keyboard.down("a")
    page.keyboard.up("a")
    page.wait_for_selector(SAVED)
    page.wait_for_function("window.early")
    assert page.inner_text(".tl-rate-count") == "1 of 5 rated"
    page.wait_for_function(READY)
    press(page, "t")  # whatever was sent before it has arrived before it
    page.wait_for_function(NOTHING_ON_ITS_WAY)  # "saved" may be the first vote's
    assert [vote.choice for vote in live(ws, one)] == ["left", "tie"]


def test_undo_brings_back_the_same_pair_on_the_same_sides(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)
    first = page.inner_text(".tl-rate-pair")
    press(page, "t")
    press(page, "Control+z")
    assert page.inner_text(".tl-rate-pair") == first
    assert live(ws, one) == []


def test_vote_without_a_connection_is_kept_and_sent_once(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    seen = watched(address)
    page = seen.open(address, one.id)
    seen.context.set_offline(True)
    page.keyboard.press("a")
    page.wait_for_selector("text=not saved yet")
    assert live(ws, one) == []
    seen.context.set_offline(False)
    page.wait_for_selector(SAVED)
    assert [vote.choice for vote in live(ws, one)] == ["left"]
    assert page.inner_text(".tl-rate-count") == "1 of 3 rated"


def test_vote_on_a_full_server_is_kept_and_sent_again(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    seen = watched(address)
    seen.page.clock.install()
    page = seen.open(address, one.id)
    full = {"problem": "The disk is full.", "fix": "Free some space."}
    page.route("**/api/rate/vote", lambda route: route.fulfill(status=507, json=full))
    page.clock.pause_at(time.time() + 60)  # so that only the button sends it again
    page.keyboard.press("a")
    page.wait_for_selector("text=Not saved yet. The disk is full. Free some space.")
    assert live(ws, one) == []
    page.unroute("**/api/rate/vote")
    page.get_by_role("button", name="Try now").click()
    page.wait_for_selector(SAVED)
    assert [vote.choice for vote in live(ws, one)] == ["left"]


def test_vote_whose_answer_was_lost_survives_a_reload_as_one_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)

    def lose(route):
        route.fetch()  # the server has it
        route.abort()

    page.route("**/api/rate/vote", lose)
    page.keyboard.press("b")
    page.wait_for_selector("text=not saved yet")
    page.unroute("**/api/rate/vote")
    page.reload()
    page.wait_for_selector(SAVED)
    assert page.inner_text(".tl-rate-count") == "1 of 3 rated"
    assert [vote.choice for vote in live(ws, one)] == ["right"]


def test_active_time_excludes_the_time_a_pair_was_hidden(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=2)
    seen = watched(address)
    seen.page.clock.install()
    page = seen.open(address, one.id)
    hidden, hide = 3_600_000, "state => { document.body.style.display = state; }"
    page.evaluate(hide, "none")
    page.wait_for_function("document.querySelector('.tl-rate').rating.since === null")
    page.clock.fast_forward(hidden)
    page.evaluate(hide, "")
    page.wait_for_function("document.querySelector('.tl-rate').rating.since !== null")
    page.clock.fast_forward(200)
    press(page, "a")
    page.wait_for_selector(SAVED)
    assert 200 < live(ws, one)[0].active_ms < hidden


def test_rating_page_says_that_the_round_was_closed(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)
    rounds.close(ws, LOCAL, one.id)
    page.keyboard.press("a")
    page.wait_for_selector("text=This round is closed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_shows_all_buttons_and_never_scrolls_sideways(ws, tmp_path, address, watched, scheme):
    wide = "| " + " | ".join(["column"] * 12) + " |\n|" + "---|" * 12
    answers = [
        ("q " * 40, "long answer. " * 120, "x" * 400),
        ("كيف أجدد كتابا؟", wide, "```\n" + "code " * 60 + "\n```"),
    ]
    one = seed.open_round(ws, tmp_path, answers=answers)
    page = watched(address, width=390, has_touch=True, color_scheme=scheme).open(address, one.id)
    for _ in answers:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        buttons = page.locator(".tl-rate-actions button:visible")
        assert buttons.count() >= 6
        for box in (buttons.nth(n).bounding_box() for n in range(buttons.count())):
            assert box["height"] >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 844
        press(page, "t")


def test_hostile_answers_do_nothing(ws, tmp_path, address, watched):
    answers = seed.hostile()
    one = seed.open_round(ws, tmp_path, answers=answers)
    seen = watched(address)
    page = seen.open(address, one.id)
    for _ in answers:
        assert page.locator(".tl-rate-text :is(script, img, svg, iframe, style, form)").count() == 0
        press(page, "t")
    page.wait_for_selector("text=That was the last one")
    assert page.evaluate("window.hit") is None
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


def test_both_answers_change_in_the_same_frame_and_look_alike(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, answers=[("q", "short", "long " * 900), ("r", "1", "2")])
    page = watched(address).open(address, one.id)
    boxes = [
        page.locator(f"article[data-side={side}]").bounding_box() for side in ("left", "right")
    ]
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=0.5)
    page.evaluate(
        """() => {
          window.frames_seen = [];
          const texts = [...document.querySelectorAll('article:not([hidden]) .tl-rate-text')];
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


def test_buttons_have_names_and_focus_returns_to_the_pair(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)
    for name in ("Answer 1 is better", "Tie", "Both bad", "Answer 2 is better", "Skip", "Undo"):
        assert page.get_by_role("button", name=name).count() == 1
    page.get_by_role("button", name="Tie").click()
    page.wait_for_selector(SAVED)
    assert page.inner_text(".tl-rate-count") == "1 of 3 rated"
    assert page.evaluate("document.activeElement.className") == "tl-rate-pair"
    assert page.get_attribute(".tl-rate-saved", "aria-live") == "polite"
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("a")  # a key of the dialog, not a vote
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert len(live(ws, one)) == 1


def test_rating_page_asks_only_its_own_server(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=2)
    seen = watched(address)
    asked = []
    seen.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    seen.open(address, one.id)
    api = f"/api/rate/{one.id}"
    assert [path for path in asked if not path.startswith("image/")] == [
        f"/rate/{one.id}", "/static/tokens.css", "/static/rate.css", "/static/rate.js",
        "/static/rate_frame.js", "/static/rate_words.js",
        "/static/rate_outbox.js", "/static/rate_extras.js", "/static/rate_ranking.js",
        f"{api}/progress", f"{api}/next",
    ]  # fmt: skip


def test_strength_reasons_and_edit_are_stored_with_the_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)
    page.keyboard.press("w")
    page.get_by_role("button", name="clearer").click()
    page.keyboard.press("e")
    area = page.get_by_label("Better text of answer 1")
    better = area.input_value() + " And it is shorter."
    area.fill(better)
    page.get_by_role("button", name="Keep my edit").click()
    press(page, "Shift+ArrowLeft")
    page.wait_for_selector(SAVED)
    assert [vote.choice for vote in live(ws, one)] == ["left"]
    with reading(ws.db) as conn:
        beside = json.loads(conn.scalars(select(tables.vote.c.details)).one())
    assert (beside["strength"], beside["layout"]) == (2, "side")
    assert beside["reasons"] == ["clearer"]
    assert beside["edit"] == {"side": "left", "text": better}


def test_flagged_pair_takes_no_vote(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=3)
    page = watched(address).open(address, one.id)
    before = page.inner_text(".tl-rate-prompt .tl-rate-text")
    page.keyboard.press("f")
    page.get_by_text("Harmful or unsafe").click()
    page.get_by_role("button", name="Flag and go on").click()
    page.wait_for_selector(".tl-rate-saved:text-is('flagged')")
    assert page.inner_text(".tl-rate-prompt .tl-rate-text") != before
    (found,) = flagged_comparisons.list_all(ws, LOCAL, one.id)
    assert (found.kind, found.target) == ("unsafe", "pair")
    assert live(ws, one) == []


def test_progress_equals_the_database_after_a_reload(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=5)
    page = watched(address).open(address, one.id)
    for key in "atb":
        press(page, key)
    page.wait_for_selector(SAVED)
    pair = page.inner_text(".tl-rate-pair")
    page.reload()
    page.wait_for_selector(".tl-rate-pair:not([hidden])")
    assert page.inner_text(".tl-rate-count") == f"{len(live(ws, one))} of 5 rated"
    assert page.inner_text(".tl-rate-pair") == pair
