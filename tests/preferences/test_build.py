"""Votes -> pairs: direction, what is left out, same votes same bytes, no leak of blind prompts."""

import time

import pytest
from sqlalchemy.exc import DBAPIError

from engine import plugins
from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, UserError
from engine.core.recipe import read
from engine.services.data import datasets
from engine.services.preferences import build
from engine.services.preferences.build import Rules
from engine.services.preferences.contested import ask_again, contested
from engine.store import flags, rater_reviews, rounds
from engine.store import tables as t
from engine.store.connect import writing
from engine.store.rater_reviews import Review
from tests import helpers
from tests.rating.votes_in_tables import WORDS, a_pair, a_round, arms, cast, filled, retract, shown


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def both(ws, tmp_path):
    return arms(ws, tmp_path)


def rows(ws, made):
    return [row.example for row in datasets.rows(ws, LOCAL, made.dataset_id)]


def prompts(ws, made):
    return {row.prompt[-1].content for row in rows(ws, made)}


def left_out(made):
    return {why: n for why, n in made.counts.items() if n and why != "votes"}


def flag(ws, token, kind):
    with writing(ws.db) as conn:
        flags.add(conn, ids.new("flag"), token, "pair", kind, "", time.time())


def pause(ws, one, rater):
    with writing(ws.db) as conn:
        review = Review(ids.new("review"), one.id, rater, "paused", "", "local", time.time())
        rater_reviews.add(conn, review)


def test_preferred_answer_is_the_chosen_one_whatever_its_side(ws, project, both):
    one = a_round(ws, project.id, both)
    for n in range(24):
        left_is = ("a", "b")[n % 2]
        better = ("left", "right")[n % 2]
        cast(ws, a_pair(ws, one, WORDS[n], f"good {n}", f"bad {n}"), "r", better, left_is=left_is)
    made = build.make(ws, LOCAL, project.id)
    assert made.pairs == len(rows(ws, made)) == 24
    assert all(r.chosen.startswith("good") and r.rejected.startswith("bad") for r in rows(ws, made))


def test_golden_round_gives_exactly_these_pairs_and_these_counts(ws, project, both):
    filled(ws, project.id, both, 20)
    one = a_round(ws, project.id, both)
    blind = a_round(ws, project.id, both, "blind_eval")
    cast(ws, a_pair(ws, blind, "secret question", "x", "y"), "a", "left")

    def pair(name, votes, **changes):
        made = a_pair(ws, one, f"{name} question", f"{name} lo", f"{name} hi", **changes)
        return [
            cast(ws, made, rater, choice)
            for rater, choice in zip("abc", votes.split(), strict=False)
        ]

    pair("unanimous", "left left left")
    pair("majority", "right left right")
    pair("split", "left right")
    pair("tied", "tie tie")
    pair("awful", "both_bad")
    edited = a_pair(ws, one, "edited question", "edited lo", "edited hi")
    cast(ws, edited, "a", "left", edit={"side": "left", "text": "edited lo, and better"})
    flag(ws, pair("flagged", "left")[0][1], "unsafe")
    flag(ws, pair("unclear", "left")[0][1], "cannot_judge")
    pair("golden", "left", kind="gold")
    pair("again", "left", kind="repeat")
    pair("practice", "left", kind="calibration")
    cast(ws, a_pair(ws, one, "paused question", "paused lo", "paused hi"), "p", "left")
    pause(ws, one, "p")
    cast(ws, a_pair(ws, one, "SECRET  question", "z", "y"), "a", "left")
    cast(ws, a_pair(ws, one, "same question", "the  same", "The same"), "a", "left")
    pair("unanimous", "left")
    made = build.make(ws, LOCAL, project.id)
    golden = [r for r in rows(ws, made) if r.prompt[-1].content.endswith("question")]
    assert [(r.chosen, r.rejected) for r in golden] == [
        ("unanimous lo", "unanimous hi"),
        ("majority hi", "majority lo"),
        ("edited lo", "edited hi"),
        ("edited lo, and better", "edited lo"),
        ("edited lo, and better", "edited hi"),
        ("unclear lo", "unclear hi"),
    ]
    assert (made.pairs, made.counts["votes"]) == (26, 41)
    assert left_out(made) == {
        "control": 3, "blind": 1, "flagged": 1, "paused": 1, "duplicate": 1, "tie": 2,
        "contested": 1, "same": 1,
    }  # fmt: skip


def test_same_votes_are_the_same_version_and_one_more_vote_is_another(ws, project, both):
    one = filled(ws, project.id, both, 22)
    first = build.make(ws, LOCAL, project.id)
    assert build.make(ws, LOCAL, project.id) == first
    before = (ws.files / datasets.get(ws, LOCAL, first.dataset_id).file / "rows.jsonl").read_bytes()
    cast(ws, a_pair(ws, one, WORDS[30], "good", "bad"), "r", "left")
    second = build.make(ws, LOCAL, project.id)
    assert second.content_sha256 != first.content_sha256
    assert second.watermark != first.watermark
    path = ws.files / datasets.get(ws, LOCAL, first.dataset_id).file / "rows.jsonl"
    assert path.read_bytes() == before


def test_preference_dataset_differs_by_its_rules(ws, project, both):
    filled(ws, project.id, both, 22, raters="ab")
    hard = build.make(ws, LOCAL, project.id)
    soft = build.make(ws, LOCAL, project.id, rules=Rules(soft=True))
    assert (hard.pairs, len(rows(ws, hard))) == (22, 22)
    assert (soft.pairs, len(rows(ws, soft))) == (22, 44)
    assert soft.watermark == hard.watermark


def test_too_few_pairs_are_refused_with_the_number_that_is_missing(ws, project, both):
    filled(ws, project.id, both, 5)
    with pytest.raises(UserError, match="Rate 15 or more"):
        build.make(ws, LOCAL, project.id)
    assert build.list_all(ws, LOCAL, project.id) == []


def test_edits_are_included_when_asked_for(ws, project, both):
    one = a_round(ws, project.id, both)
    for n in range(24):
        pair = a_pair(ws, one, f"matter {n} of {n * n}?", f"reply {n} as it was", f"other {n}")
        better = {"side": "left", "text": f"reply {n} as it should be"}
        cast(ws, pair, "r", "both_bad", edit=better)
    with pytest.raises(UserError, match="edit_share=1"):
        build.make(ws, LOCAL, project.id)
    assert build.make(ws, LOCAL, project.id, rules=Rules(edit_share=1.0)).pairs >= build.FEWEST


def test_rater_may_not_make_pairs(ws, project, both):
    filled(ws, project.id, both)
    with pytest.raises(Forbidden):
        build.make(ws, Actor(name="r", role=Role.RATER), project.id)


def test_blind_prompt_never_enters_in_any_spelling_or_nearly(ws, project, both):
    secret = "When will the new branch of the town library in the old harbour open its doors"
    blind = a_round(ws, project.id, both, "blind_eval")
    a_pair(ws, blind, secret, "x", "y")
    one = filled(ws, project.id, both)
    for asked in (secret, f"  {secret.upper()}\n", f"{secret}, please?", f"He asked: {secret}?"):
        cast(ws, a_pair(ws, one, asked, f"good {len(asked)}", "bad"), "r", "left")
    made = build.make(ws, LOCAL, project.id)
    assert left_out(made) == {"blind": 4}
    assert not any("harbour" in asked.casefold() for asked in prompts(ws, made))


def test_edit_that_holds_a_question_of_a_test_takes_its_pair_along(ws, project, both):
    secret = "When will the new branch of the town library open its doors"
    a_pair(ws, a_round(ws, project.id, both, "blind_eval"), secret, "x", "y")
    one = filled(ws, project.id, both)
    pair = a_pair(ws, one, "odd question", "You ask when it opens", "bad")
    cast(ws, pair, "r", "left", edit={"side": "left", "text": f"You ask: {secret}"})
    assert left_out(build.make(ws, LOCAL, project.id)) == {"leak": 1}


def test_pair_cannot_be_moved_by_hand_from_a_blind_round_into_a_rating_round(ws, project, both):
    one = filled(ws, project.id, both)
    blind = a_round(ws, project.id, both, "blind_eval")
    secret = a_pair(ws, blind, "secret question", "good x", "bad y")
    cast(ws, secret, "r", "left")
    move = t.comparison.update().where(t.comparison.c.id == secret.id)
    for change in (
        move.values(round_id=one.id, position=99),
        move.values(prompt='[{"role": "user", "content": "another question"}]'),
        t.rating_round.update().where(t.rating_round.c.id == blind.id).values(
            purpose="train_pairs"
        ),
    ):  # fmt: skip
        with pytest.raises(DBAPIError, match="never changes"), writing(ws.db) as conn:
            conn.execute(change)
    assert "secret question" not in prompts(ws, build.make(ws, LOCAL, project.id))


def test_answer_that_a_test_accepts_never_enters(ws, project, both, tmp_path):
    secret = "the doors open at nine in the morning and close at seven in the evening"
    tail = [" ".join([word] * 9) for word in ("one", "two", "three", "four", "five", "six")]
    answers = [*(f"{secret} {end}" for end in tail), *(f"{word} of old" for word in WORDS[-6:])]
    lines = [f'{{"prompt": "{n} {WORDS[-n]}", "completion": "{a}"}}' for n, a in enumerate(answers)]
    path = tmp_path / "held.jsonl"
    path.write_text("\n".join(lines))
    kept = datasets.add(ws, LOCAL, project.id, path, "held.jsonl", held_out=0.5)
    sides = {r.example.answer: r.split for r in datasets.rows(ws, LOCAL, kept.id)}
    one = filled(ws, project.id, both)
    for n, answer in enumerate(answers[:6]):
        cast(ws, a_pair(ws, one, f"{n} {WORDS[30]}", f"Well, {answer}.", "bad"), "r", "left")
    made = build.make(ws, LOCAL, project.id)
    held = [a for a in answers[:6] if sides[a] == "held_out"]
    learned = [r.chosen for r in rows(ws, made) if r.chosen.startswith("Well")]
    assert 0 < len(held) < 6
    assert left_out(made) == {"leak": len(held)}
    assert not any(answer in text for answer in held for text in learned)


def test_held_out_prompt_never_enters_also_in_other_case_and_spacing(ws, project, both, tmp_path):
    filled(ws, project.id, both)
    asked = f"  {WORDS[3].upper()}   please"
    lines = [f'{{"prompt": "{asked}", "completion": "x"}}']
    lines += [f'{{"prompt": "other {i}", "completion": "z"}}' for i in range(10)]
    path = tmp_path / "test.jsonl"
    path.write_text("\n".join(lines))
    for seed in range(20):  # until the split holds that prompt out
        kept = datasets.add(ws, LOCAL, project.id, path, f"t{seed}.jsonl", held_out=0.3, seed=seed)
        held = datasets.rows(ws, LOCAL, kept.id, "held_out")
        if any("please" in r.example.prompt[-1].content for r in held):
            break
    made = build.make(ws, LOCAL, project.id)
    assert made.counts["blind"] == 1
    assert f"{WORDS[3]} please" not in prompts(ws, made)


def test_contradicting_votes_of_two_rounds_meet_in_one_pair(ws, project, both):
    filled(ws, project.id, both)
    one, other = a_round(ws, project.id, both), a_round(ws, project.id, both)
    here = a_pair(ws, one, "odd question", "first text", "second text")
    there = a_pair(ws, other, "Odd  question", "second text", "first text")
    for rater in "ab":
        cast(ws, here, rater, "left")
    cast(ws, there, "c", "left")
    made = build.make(ws, LOCAL, project.id)
    odd = [r for r in rows(ws, made) if "odd" in r.prompt[-1].content]
    assert [(r.chosen, r.rejected) for r in odd] == [("first text", "second text")]
    assert left_out(made) == {"duplicate": 1}


def test_prompts_that_say_nearly_the_same_stay_on_one_side_of_the_split(ws, project, both):
    one = filled(ws, project.id, both)
    long = "May I bring back the films that I took home last week a few days later than planned"
    for n, asked in enumerate((long, f"{long}?", f"{long}, please", f"Hello, {long}")):
        cast(
            ws, a_pair(ws, one, asked, f"kind {n} {WORDS[n]}", f"rude {n} {WORDS[-n]}"), "r", "left"
        )
    made = build.make(ws, LOCAL, project.id, rules=Rules(held_out=0.8))
    found = datasets.rows(ws, LOCAL, made.dataset_id)
    assert {row.split for row in found} == {"train", "held_out"}
    sides = [r.split for r in found if "films" in r.example.prompt[-1].content]
    assert len(sides) == 4
    assert len(set(sides)) == 1


def test_vote_taken_back_makes_an_export_stale_and_a_new_one_does_not(ws, project, both):
    one = filled(ws, project.id, both)
    extra = a_pair(ws, one, "odd question", "x", "y")
    _, token = cast(ws, extra, "gone", "left")
    made = build.make(ws, LOCAL, project.id)
    assert build.gone(ws, LOCAL, made.id) == 0
    retract(ws, token)
    assert build.gone(ws, LOCAL, made.id) == 1
    cast(ws, a_pair(ws, one, "new question", "x", "y"), "r", "left")
    assert build.gone(ws, LOCAL, made.id) == 1


def test_rater_agreement_suggests_no_settings_and_few_pairs_warn(ws, project, both):
    filled(ws, project.id, both, raters="ab")
    made = build.make(ws, LOCAL, project.id)
    about = build.about(ws, LOCAL, made.id)
    assert about["agreement"]["raw"] == 1.0
    assert about["raters"] == [24, 24]
    assert about["suggestion"] is None
    assert any("24 pairs" in said for said in about["warnings"])
    assert about["content_sha256"] == made.content_sha256
    assert about["rounds"][0]["plan_sha256"] == "0" * 64


def test_rater_disagreement_suggests_settings_that_dpo_accepts(ws, project, both):
    one = filled(ws, project.id, both, 42, raters="ab")
    for n, pair in enumerate(shown(ws, one)):
        cast(ws, pair, "c", "left" if n % 2 else "right")
    made = build.make(ws, LOCAL, project.id)
    found = build.about(ws, LOCAL, made.id)["suggestion"]
    # three raters are three pairs of raters: all agree on 21 items, one pair on the other 21
    assert build.about(ws, LOCAL, made.id)["agreement"]["raw"] == pytest.approx(2 / 3)
    assert 0.05 < found["recipe"]["trl"]["label_smoothing"] < 0.2
    assert "67 %" in found["reason"]
    values = {"model": "m", "dataset": made.dataset_id, **found["recipe"]}
    recipe = read(plugins.load("jobs", "dpo").Recipe, values)
    assert recipe.loss_type == ["robust", "sft"]


def test_contested_pairs_are_listed_and_two_more_people_settle_them(ws, project, both):
    one = filled(ws, project.id, both)
    for n in (30, 31):
        pair = a_pair(ws, one, f"{WORDS[n]} please", f"good {n}", f"bad {n}")
        cast(ws, pair, "a", "left")
        cast(ws, pair, "b", "right")
    listed = contested(ws, LOCAL, project.id)
    assert [(c.first, c.for_first, c.for_second) for c in listed] == [
        ("good 30", 1, 1), ("good 31", 1, 1),
    ]  # fmt: skip
    again = ask_again(ws, LOCAL, one.id)
    assert (again.status, again.plan.overlap) == ("open", 2)
    with pytest.raises(UserError, match="asks already"):
        ask_again(ws, LOCAL, one.id)
    for pair in shown(ws, again):
        cast(ws, pair, "c", "left")
        cast(ws, pair, "d", "left")
    assert contested(ws, LOCAL, project.id) == []
    made = build.make(ws, LOCAL, project.id)
    assert made.pairs == 26


def test_rater_who_votes_again_changes_their_mind_and_counts_once(ws, project, both):
    one = filled(ws, project.id, both)
    pair = a_pair(ws, one, "odd question", "first", "second")
    cast(ws, pair, "a", "left")
    cast(ws, pair, "b", "right")
    again = ask_again(ws, LOCAL, one.id)
    cast(ws, shown(ws, again)[0], "b", "left")
    made = build.make(ws, LOCAL, project.id)
    assert [r.chosen for r in rows(ws, made) if "odd" in r.prompt[-1].content] == ["first"]


def test_round_without_contested_pairs_asks_nobody_again(ws, project, both):
    one = filled(ws, project.id, both)
    with pytest.raises(UserError, match="agree on every pair"):
        ask_again(ws, LOCAL, one.id)


def test_ratings_are_a_dataset_of_their_own_and_no_pairs(ws, project, both):
    one = filled(ws, project.id, both)
    for name, choice, likes in [("t", "tie", True), ("u", "tie", None), ("b", "both_bad", None)]:
        pair = a_pair(ws, one, f"{name} question", f"{name} lo", f"{name} hi")
        said = {"acceptable_left": likes, "acceptable_right": likes} if likes else {}
        cast(ws, pair, "r", choice, **said)
    made = build.make(ws, LOCAL, project.id, of="ratings")
    found = {r.completion: r.label for r in rows(ws, made)}
    assert (found["t lo"], found["t hi"], found["b lo"], found["b hi"]) == (
        True,
        True,
        False,
        False,
    )
    assert "u lo" not in found
    assert (found["good 1"], found["bad 1"], made.pairs) == (True, False, 52)
    assert build.list_all(ws, LOCAL, project.id) == []
    assert build.list_all(ws, LOCAL, project.id, "ratings") == [made]
    about = build.about(ws, LOCAL, made.id)
    assert about["warnings"][0] == "52 answers teach little; most models need 100 or more."
    assert about["suggestion"] is None


def test_agreement_ignores_repeats_and_paused_raters(ws, project, both):
    one = filled(ws, project.id, both, raters="ab")
    for n, pair in enumerate(shown(ws, one)):
        cast(ws, pair, "p", "right")
        again = a_pair(ws, one, f"{WORDS[n]} again", "x", "y", kind="repeat")
        cast(ws, again, "a", "left")
        cast(ws, again, "b", "right")
    pause(ws, one, "p")
    about = build.about(ws, LOCAL, build.make(ws, LOCAL, project.id).id)
    assert (about["agreement"]["raw"], about["agreement"]["items"]) == (1.0, 24)
    assert about["raters"] == [24, 24]


def test_votes_that_lean_to_one_side_of_the_screen_are_warned_of(ws, project, both):
    one = filled(ws, project.id, both, 22)
    for n in range(22, 42):
        cast(ws, a_pair(ws, one, f"{WORDS[n]} please", f"good {n}", f"bad {n}"), "r", "left")
    made = build.make(ws, LOCAL, project.id)
    said = build.about(ws, LOCAL, made.id)["warnings"]
    assert any("31 of 42 votes went to the left" in sentence for sentence in said)


def test_rounds_of_other_projects_are_not_read(ws, project, both):
    filled(ws, helpers.project(ws, "Other").id, both)
    with pytest.raises(UserError, match="no rating round"):
        build.make(ws, LOCAL, project.id)
    with writing(ws.db) as conn:
        assert rounds.list_all(conn, project.id) == []


def test_fewer_than_20_held_out_pairs_are_all_learned(ws, project, both):
    """A tenth of 24 pairs is 2, whose loss would choose a state by chance."""
    filled(ws, project.id, both)
    made = build.make(ws, LOCAL, project.id)
    data = datasets.get(ws, LOCAL, made.dataset_id)
    assert (data.train_rows, data.held_out_rows) == (made.pairs, 0)
    most = build.make(ws, LOCAL, project.id, rules=Rules(held_out=0.9))
    assert datasets.get(ws, LOCAL, most.dataset_id).held_out_rows >= 20
