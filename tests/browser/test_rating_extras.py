"""What goes beside a vote, in a real browser: the pair ahead, strength, reasons, edits, flags."""

import statistics

import pytest

from tests.browser.fake_rating_server import RatingServer
from tests.browser.pages import NOTHING_ON_ITS_WAY, READY, SAVED, STOPWATCH, press, question

pytestmark = pytest.mark.browser
# the beats that the page sends, from now on
COUNT_BEATS = """() => {
  const send = window.fetch;
  window.beats = [];
  window.fetch = (where, how) => {
    if (where.endsWith('/beat')) window.beats.push(JSON.parse(how.body).token);
    return send(where, how);
  };
}"""
VOTED = "n => document.querySelector('.tl-rate-count').innerText.startsWith(n + ' of')"


def plain(pairs):
    return [(f"question {n}?", f"left {n} is here", f"right {n} is here") for n in range(pairs)]


def warm(page):
    """The first vote of a page waits for its answer: it may have been practice."""
    press(page, "t")
    page.wait_for_selector(SAVED)


def voted(page, number):
    page.wait_for_function(VOTED, arg=number)


def test_next_pair_is_shown_while_the_server_has_not_answered(desk, record_property):
    at = RatingServer(plain(21))
    page, seen = desk(at)
    warm(page)
    page.evaluate(STOPWATCH)
    for n in range(19):
        at.answers_come.clear()
        press(page, "ArrowLeft" if n % 2 else "2")  # the next pair is there: nothing is waited for
        at.answers_come.set()
        page.wait_for_function(NOTHING_ON_ITS_WAY)
    press(page, "ArrowLeft")
    page.wait_for_selector("text=That was the last one")
    assert [vote["choice"] for vote in at.votes()[1:]] == ["right", "left"] * 10
    times = page.evaluate("window.times")[:18]
    p95 = statistics.quantiles(times, n=20)[-1]
    record_property("key_to_next_pair_p95_ms_without_an_answer", round(p95, 1))
    print(f"key to next pair: median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms")
    assert all(page.evaluate("window.lit"))
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


def test_votes_reach_the_server_in_order_and_never_three_ahead(desk):
    at = RatingServer(plain(6))
    page, _ = desk(at)
    warm(page)
    at.answers_come.clear()
    page.keyboard.press("a")
    page.wait_for_function(READY)
    page.keyboard.press("b")
    page.keyboard.press("t")  # while the first is still on its way
    at.wait_for(2)
    assert [body["token"] for _, body in at.heard] == ["t0", "t1"]  # one after the other
    at.answers_come.set()
    voted(page, 3)
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    assert [body["token"] for _, body in at.heard] == ["t0", "t1", "t2"]
    page.wait_for_function(READY)  # the pair was shown only now
    press(page, "x")
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    assert [vote["choice"] for vote in at.votes()] == ["tie", "left", "right", "both_bad"]


def test_votes_without_a_connection_survive_a_reload(desk):
    at = RatingServer(plain(4))
    page, _ = desk(at)
    warm(page)
    page.route("**/api/rate/vote", lambda route: route.abort())
    press(page, "a")
    page.keyboard.press("b")
    page.wait_for_selector("text=not saved yet")
    assert len(at.votes(so_far=True)) == 1
    page.unroute("**/api/rate/vote")
    page.reload()
    page.wait_for_selector(SAVED)
    assert [(vote["token"], vote["choice"]) for vote in at.votes()] == [
        ("t0", "tie"), ("t1", "left"), ("t2", "right"),
    ]  # fmt: skip
    assert question(page) == "question 3?"


def test_undo_after_a_fast_vote_takes_back_that_vote(desk):
    at = RatingServer(plain(4))
    page, _ = desk(at)
    warm(page)
    at.answers_come.clear()
    page.keyboard.press("a")
    page.wait_for_function(READY)
    page.keyboard.press("u")
    at.answers_come.set()
    page.wait_for_selector("text=taken back")
    assert question(page) == "question 1?"
    assert [path for path, _ in at.heard] == ["vote", "vote", "undo"]


def test_reload_shows_the_same_pair_and_the_numbers_of_the_server(desk):
    at = RatingServer(plain(4))
    page, _ = desk(at)
    press(page, "a")
    page.wait_for_selector(SAVED)
    before = question(page)
    page.reload()
    page.wait_for_selector(".tl-rate-pair:not([hidden])")
    assert question(page) == before
    assert page.inner_text(".tl-rate-count") == f"{at.progress()['done']} of 4 rated"


def test_shift_key_says_clearly_better(desk):
    at = RatingServer(plain(6))
    page, _ = desk(at)
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+Digit2", "Shift+KeyB", "t"):
        press(page, key)
    assert [(v["choice"], v.get("strength")) for v in at.votes()] == [
        ("left", 1), ("left", 2), ("right", 2), ("right", 2), ("tie", None),
    ]  # fmt: skip
    assert {v["layout"] for v in at.votes()} == {"side"}


def test_phone_toggle_says_clearly_for_one_vote(desk):
    at = RatingServer(plain(3))
    page, _ = desk(at, width=390, has_touch=True)
    page.get_by_role("button", name="Clearly").tap()
    page.get_by_role("button", name="Answer 2 is better").tap()
    voted(page, 1)
    page.wait_for_function(READY)
    page.get_by_role("button", name="Answer 1 is better").tap()
    voted(page, 2)
    said = [(v["strength"], v["via"], v["layout"]) for v in at.votes()]
    assert said == [(2, "touch", "stacked"), (1, "touch", "stacked")]


def test_reasons_and_words_go_with_the_vote_and_are_gone_with_the_next_pair(desk):
    at = RatingServer(plain(3))
    page, _ = desk(at)
    page.keyboard.press("w")
    page.get_by_role("button", name="clearer").click()
    words = page.get_by_label("Why, in your own words")
    words.press_sequentially("a t x 2")
    assert at.votes() == []
    words.press("Enter")
    press(page, "ArrowLeft")
    assert page.get_by_role("button", name="clearer").get_attribute("aria-pressed") == "false"
    assert page.get_by_label("Why, in your own words").input_value() == ""
    press(page, "ArrowRight")
    first, second = at.votes()
    assert (first["reasons"], first["rationale"]) == (["clearer"], "a t x 2")
    assert "reasons" not in second
    assert "rationale" not in second


def test_input_method_text_in_the_reason_casts_no_vote(desk):
    at = RatingServer(plain(2))
    page, _ = desk(at)
    page.keyboard.press("w")
    page.get_by_label("Why, in your own words").focus()
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: 'a', isComposing: true, bubbles: true}))"
    )
    page.keyboard.insert_text("漢字 a t x")
    page.wait_for_function(NOTHING_ON_ITS_WAY)
    assert at.heard == []


def test_both_bad_asks_whether_each_answer_is_acceptable(desk):
    at = RatingServer(plain(3))
    page, _ = desk(at)
    page.keyboard.press("w")
    page.get_by_role("button", name="Answer 2 is good enough to send").click()
    press(page, "x")
    press(page, "a")
    first, second = at.votes()
    assert (first["acceptable_left"], first["acceptable_right"]) == (False, True)
    assert "acceptable_left" not in second


def test_flag_names_kind_and_target_and_shows_the_next_pair(desk):
    at = RatingServer(plain(3))
    page, _ = desk(at)
    page.keyboard.press("f")
    page.keyboard.press("a")  # a key of the dialog, not a vote
    page.get_by_text("Looks broken").click()
    page.get_by_text("Answer 2", exact=True).last.click()
    page.get_by_label("A note").fill("half of a table")
    page.get_by_role("button", name="Flag and go on").click()
    page.wait_for_selector(".tl-rate-saved:text-is('flagged')")
    assert at.heard == [
        ("flag", {"token": "t0", "target": "right", "kind": "broken_render",
                  "note": "half of a table"}),
    ]  # fmt: skip
    assert question(page) == "question 1?"
    assert page.evaluate("document.activeElement.className") == "tl-rate-pair"


def test_edit_must_change_something_and_goes_with_the_vote(desk):
    at = RatingServer([("q?", "The cat sat on a mat.", "No."), *plain(2)])
    page, _ = desk(at)
    page.keyboard.press("e")
    area = page.get_by_label("Better text of answer 1")
    keep = page.get_by_role("button", name="Keep my edit")
    assert area.input_value() == "The cat sat on a mat."
    assert keep.is_disabled()
    area.fill("The dog sat on a mat.  ")
    page.wait_for_selector(".tl-rate-diff ins")
    assert page.inner_text(".tl-rate-diff del") == "cat"
    assert page.inner_text(".tl-rate-diff ins >> nth=0") == "dog"
    area.fill(" ")
    page.wait_for_selector("text=An empty answer")
    assert keep.is_disabled()
    area.fill("The dog sat on a mat.")
    keep.click()
    page.wait_for_selector("text=your edit goes with your vote")
    press(page, "ArrowLeft")
    vote = at.votes()[0]
    assert vote["choice"] == "left"
    assert vote["edit"] == {"side": "left", "text": "The dog sat on a mat."}


def test_cancelled_edit_leaves_the_pair_open_for_a_vote(desk):
    at = RatingServer(plain(2))
    page, _ = desk(at)
    page.get_by_role("button", name="Edit Answer 2").click()
    page.get_by_label("Better text of answer 2").fill("something else")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    press(page, "2")
    assert [(v["choice"], "edit" in v) for v in at.votes()] == [("right", False)]


def test_word_diff_restores_both_texts(desk):
    page, _ = desk(RatingServer(plain(1)))
    found = page.evaluate(
        """async () => {
          const { wordDiff } = await import('/static/rate_extras.js');
          const long = 'a b '.repeat(4000);
          const texts = ['', 'a', 'a b c', 'c b a', 'one  two\\nthree', '漢字 かな', long];
          const join = (parts, drop) =>
            parts.filter(([kind]) => kind !== drop).map(([, text]) => text).join('');
          return texts.flatMap((before) => texts.map((after) => {
            const parts = wordDiff(before, after);
            return join(parts, '+') === before && join(parts, '-') === after;
          }));
        }"""
    )
    assert found == [True] * 49


def test_guidelines_open_once_for_each_version(serve, watched):
    at = RatingServer(plain(2))
    at.guidelines = {"version": "1", "html": "<p>Accuracy <strong>first</strong>.</p>"}
    address = serve(at.app())
    page = watched(address).page
    page.goto(f"{address}/rate/desk")
    page.wait_for_selector("dialog[open] >> text=Accuracy first")
    page.keyboard.press("a")  # reading is no vote
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "tl-rate-pair"
    page.reload()
    page.wait_for_selector(".tl-rate-pair:not([hidden])")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("g")
    page.wait_for_selector("dialog[open] >> text=Accuracy first")
    at.guidelines["version"] = "2"
    page.reload()
    page.wait_for_selector("dialog[open] >> text=Accuracy first")
    assert at.heard == []


def test_plain_text_shows_both_answers_as_they_were_written(desk):
    texts = ("**bold** <b onclick=x>", "- ${globalThis.hit=1}\n- $5 and $6")
    page, seen = desk(RatingServer([("q?", *texts)]))
    assert page.locator("[data-side=left] strong").count() == 1
    page.keyboard.press("r")
    assert page.inner_text("[data-side=left] .tl-rate-raw") == texts[0]
    assert page.inner_text("[data-side=right] .tl-rate-raw") == texts[1]
    assert page.locator("[data-do=raw]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("r")
    assert page.locator("[data-side=left] strong").count() == 1
    assert page.evaluate("window.hit") is None
    assert seen.errors == []


def test_practice_shows_what_was_expected_while_the_pair_is_still_there(desk):
    at = RatingServer(plain(3))
    lesson = {"right": False, "expected": "right", "reason": "Answer 1 is off topic."}
    at.feedback = {0: lesson, 1: lesson | {"right": True}}
    page, _ = desk(at)
    for n, key in enumerate("ab"):
        page.keyboard.press(key)
        page.wait_for_selector(".tl-rate-note >> text=Answer 2 is better. Answer 1 is off topic.")
        assert question(page) == f"question {n}?"
        page.keyboard.press("b")  # no second vote on it
        page.keyboard.press("Enter")
        page.wait_for_function(
            "n => document.querySelector('.tl-rate-prompt').innerText.includes(`${n}?`)", arg=n + 1
        )
        page.wait_for_function(READY)
    press(page, "b")
    assert [v["token"] for v in at.votes()] == ["t0", "t1", "t2"]
    assert page.locator(".tl-rate-note").is_hidden()


def test_break_is_offered_after_some_pairs_and_blocks_nothing(desk):
    at = RatingServer(plain(6))
    at.break_every, at.agreement, at.left_today = 2, {"right": 3, "of": 4}, 40
    page, _ = desk(at)
    press(page, "a")
    assert page.locator(".tl-rate-note").is_hidden()
    press(page, "a")
    page.wait_for_selector("text=2 ratings without a break")
    note = page.inner_text(".tl-rate-note")
    assert "You agreed with 3 of 4 gold items." in note
    assert "You can rate 40 more today." in note
    press(page, "b")
    assert page.locator(".tl-rate-note").is_hidden()
    assert len(at.votes()) == 3


def test_pause_is_shown_instead_of_a_pair(desk):
    at = RatingServer(plain(4))
    at.pause_after = 2
    page, _ = desk(at)
    press(page, "a")
    page.wait_for_selector(SAVED)
    page.keyboard.press("a")
    page.wait_for_selector("text=Your rating is paused")
    page.wait_for_selector("text=A lead looks at your last ratings.")
    assert page.locator(".tl-rate-pair").is_hidden()


def test_single_answer_is_good_or_bad(desk):
    at = RatingServer(plain(4))
    at.mode = "single"
    page, _ = desk(at)
    names = page.locator(".tl-rate-votes button:visible").all_inner_texts()
    assert [name.split("\n")[-1] if "Good" in name else name.split("\n")[0] for name in names] == [
        "Good", "Bad",
    ]  # fmt: skip
    assert page.locator("article:visible").count() == 1
    page.keyboard.press("t")  # no such vote here
    for key in ("ArrowLeft", "2"):
        press(page, key)
    page.get_by_role("button", name="Good", exact=True).click()
    voted(page, 3)
    assert [v["choice"] for v in at.votes()] == ["good", "bad", "good"]
    assert all("strength" not in v and "acceptable_left" not in v for v in at.votes())


def test_lease_of_both_pairs_is_renewed_each_minute(serve, watched):
    at = RatingServer(plain(3))
    address = serve(at.app())
    seen = watched(address)
    seen.page.clock.install()
    page = seen.page
    page.goto(f"{address}/rate/desk")
    page.wait_for_selector(".tl-rate-pair:not([hidden])")
    page.evaluate(COUNT_BEATS)
    page.clock.fast_forward(61_000)
    at.wait_for(2)
    assert sorted(body["token"] for path, body in at.heard if path == "beat") == ["t0", "t1"]
    page.evaluate("document.querySelector('.tl-rate').style.display = 'none'")
    page.clock.fast_forward(61_000)
    assert sorted(page.evaluate("window.beats")) == ["t0", "t1"]


@pytest.mark.parametrize("width", [375, 390])
def test_phone_switch_reaches_both_long_answers(desk, width):
    long = [("q?", "first " * 900, "second " * 900), *plain(1)]
    page, _ = desk(RatingServer(long), width=width, height=700, has_touch=True)
    switch = page.get_by_role("button", name="Answer 2", exact=True)
    switch.tap()
    page.wait_for_function(
        "document.querySelector('[data-go=right]').getAttribute('aria-pressed') === 'true'"
    )
    top = page.locator("[data-side=right]").bounding_box()["y"]
    bar = page.locator(".tl-rate-switch").bounding_box()
    assert bar["y"] + bar["height"] <= top + 1 < 200
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in (b.bounding_box() for b in page.locator(".tl-rate-actions button:visible").all()):
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 700


def test_markdown_looks_the_same_on_both_sides(desk):
    text = (
        "| a | b |\n|---|---|\n| $5 | $6 |\n\n```\ncode\n```\n\nכמה `זה` עולה?\n\n" + "word " * 4000
    )
    page, seen = desk(
        RatingServer([("q?", text, text), ("${globalThis.hit=1}", "{{constructor}}", "${x")])
    )
    sides = [page.locator(f"[data-side={side}] .tl-rate-text") for side in ("left", "right")]
    assert sides[0].inner_html() == sides[1].inner_html()
    assert page.locator("[data-side=left] :is(table, pre)").count() == 2
    assert "$5" in sides[0].inner_text()
    boxes = [side.bounding_box() for side in sides]
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=0.5)
    press(page, "t")
    assert question(page) == "${globalThis.hit=1}"
    assert [side.inner_text() for side in sides] == ["{{constructor}}", "${x"]
    assert page.evaluate("window.hit") is None
    assert seen.errors == []


def test_rating_controls_have_names(desk):
    at = RatingServer(plain(2))
    at.guidelines = {"version": "1", "html": "<p>Accuracy first.</p>"}
    page, _ = desk(at)
    page.keyboard.press("w")
    for name in ("Guidelines", "Plain text", "Edit Answer 1", "Edit Answer 2", "Why?", "Flag",
                 "Skip", "Undo", "Answer 1 is better", "Tie", "Both bad", "clearer"):  # fmt: skip
        assert page.get_by_role("button", name=name, exact=True).count() == 1, name
    for key in ("f", "e"):
        page.locator(".tl-rate-pair").focus()
        page.keyboard.press(key)
        assert page.get_by_role("dialog").get_attribute("aria-label")
        page.keyboard.press("Escape")


def test_vote_on_a_rated_pair_is_explained_and_the_next_pair_shown(desk):
    at = RatingServer(plain(4))
    page, _ = desk(at)
    at.left.append(0)  # voted on in another window
    press(page, "a")
    page.wait_for_selector("text=You have voted on this comparison already.")
    assert question(page) == "question 1?"
    page.wait_for_function(READY)
    press(page, "b")
    assert at.votes()[-1]["token"] == "t1"
