"""Three and four answers in a real browser: ordered by keys, by taps and by dragging."""

import pytest

from tests.browser.fake_rating_server import RatingServer
from tests.browser.pages import NOTHING_ON_ITS_WAY, READY, SAVED

pytestmark = pytest.mark.browser


def ranked(questions=3, answers=4):
    texts = [f"answer {letter} of some length" for letter in "abcd"[:answers]]
    return [(f"question {n}?", *texts) for n in range(questions)]


def start(page, key):
    """Press the first key on a comparison, once it takes keys."""
    page.wait_for_function(READY)
    page.keyboard.press(key)


def badges(page):
    found = page.locator("[data-rank]:visible")
    return [found.nth(n).inner_text() for n in range(found.count())]


def test_keys_order_four_answers(desk):
    at = RatingServer(ranked())
    page, seen = desk(at)
    assert badges(page) == ["–"] * 4
    assert page.is_disabled("[data-vote=ranked]")
    start(page, "3")
    page.keyboard.press("1")
    assert badges(page) == ["2", "–", "1", "–"]
    page.keyboard.press("Shift+Digit4")  # as good as the one before
    assert badges(page) == ["2", "3", "1", "2"]  # what is left is the last
    page.keyboard.press("Enter")
    page.wait_for_selector(SAVED)
    start(page, "2")
    page.keyboard.press("Backspace")
    page.keyboard.press("d")
    page.keyboard.press("=")
    page.keyboard.press("a")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    start(page, "x")
    page.wait_for_selector("text=That was the last one")
    first, second, third = at.votes()
    assert (first["choice"], first["ranks"], first["via"]) == ("ranked", [2, 3, 1, 2], "key")
    assert second["ranks"] == [1, 2, 3, 1]
    assert third["choice"] == "both_bad"
    assert "ranks" not in third
    assert not {"strength", "acceptable_left"} & set(third)
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


def test_undo_takes_the_picks_back_before_the_vote(desk):
    at = RatingServer(ranked(2, 3))
    page, _ = desk(at)
    start(page, "1")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    page.wait_for_selector(SAVED)
    start(page, "3")
    page.keyboard.press("u")
    assert badges(page) == ["–"] * 3
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    assert [path for path, _ in at.heard] == ["vote"]
    page.keyboard.press("u")
    page.wait_for_selector("text=taken back")
    assert [path for path, _ in at.heard] == ["vote", "undo"]


def test_taps_order_three_answers_on_a_phone(desk):
    at = RatingServer(ranked(1, 3))
    page, seen = desk(at, width=390, has_touch=True, is_mobile=True)
    cards = page.locator("article:visible")
    assert cards.count() == 3
    tops = [cards.nth(n).bounding_box()["y"] for n in range(3)]
    assert tops == sorted(tops)  # one under the other
    assert page.locator("[data-rank]:visible").first.bounding_box()["width"] >= 44
    page.wait_for_function(READY)
    page.tap("article[data-side=right] .tl-rate-text")
    page.tap("[data-do=equal]")
    page.tap("[data-rank=left]")
    assert badges(page) == ["1", "1", "2"]
    page.tap("[data-rank=left]")  # its rank is taken away, and given anew
    page.tap("[data-rank=left]")
    assert badges(page) == ["2", "1", "3"]
    page.tap("[data-vote=ranked]")
    page.wait_for_selector("text=That was the last one")
    assert at.votes()[0]["ranks"] == [2, 1, 3]
    assert at.votes()[0]["via"] == "touch"
    assert at.votes()[0]["layout"] == "stacked"
    assert seen.errors == []


def test_titles_are_dragged_into_the_order(desk):
    at = RatingServer(ranked(1, 4))
    page, _ = desk(at)
    order = page.locator(".tl-rate-order")
    for side in ("fourth", "left"):
        page.locator(f"article[data-side={side}] h3").drag_to(
            order, target_position={"x": 600, "y": 20}
        )
    assert badges(page) == ["2", "–", "–", "1"]
    first = page.locator("[data-place='0']")
    box = first.bounding_box()
    page.locator("article[data-side=third] h3").drag_to(first, target_position={"x": 4, "y": 12})
    assert badges(page) == ["3", "4", "1", "2"]
    page.locator("[data-placed=right]").drag_to(
        page.locator("[data-place='1']"), target_position={"x": box["width"] / 2, "y": 12}
    )
    assert badges(page) == ["3", "2", "1", "2"]
    page.click("[data-vote=ranked]")
    page.wait_for_selector("text=That was the last one")
    assert at.votes()[0]["ranks"] == [3, 2, 1, 2]


def test_edit_and_flag_name_the_third_answer(desk):
    at = RatingServer(ranked(2, 3))
    page, _ = desk(at)
    page.click("[data-edit=third]")
    page.fill(".tl-rate-area", "a better text")
    page.click("text=Keep my edit")
    start(page, "3")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_selector(SAVED)
    assert at.votes()[0]["edit"] == {"side": "third", "text": "a better text"}
    start(page, "f")
    page.check("input[value=unsafe]", force=True)
    page.check("input[value=third]", force=True)
    page.click("text=Flag and go on")
    page.wait_for_selector("text=That was the last one")
    assert at.heard[-1][1]["target"] == "third"
