"""The Rating page: what it shows of a round in each state, and what it never shows."""

import re

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, UserError
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.rating import Tally, panel_of
from engine.services import job_outcomes, projects
from engine.services.data import datasets
from engine.services.loop.status import status
from engine.services.rating import flagged_comparisons, plans, rounds
from engine.services.rating.plans import RoundRecipe
from engine.stats.rater_population import RaterScore
from engine.stats.verdict import verdict as weigh
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating import rated, screen
from tests.ui import seed
from ui.components import loop_words
from ui.pages.rating import options, refresh, results, start, tab
from ui.pages.rating import raters as rating_raters
from ui.pages.rating.refresh import RatingView, pick


def look(ws, one):
    return tab.read(ws, one.project_id, one.id)


def test_project_without_rounds_says_what_a_round_is_and_what_comes_first(ws, tmp_path):
    project = projects.create(ws, LOCAL, "New")
    shown = tab.read(ws, project.id, None)
    assert (shown["empty"], shown["box"], shown["body"]) == (True, False, False)
    assert (shown["next"], shown["action"]) == (True, "add_data")
    assert "Add your examples" in shown["words"]


def test_panel_for_a_round_is_open_once_a_round_comes_next(ws, monkeypatch):
    project = projects.create(ws, LOCAL, "New")
    found = status(ws, LOCAL, project.id).model_copy(update={"next_action": "rate"})
    monkeypatch.setattr(refresh, "status", lambda *_: found)
    shown = tab.read(ws, project.id, None)
    assert (shown["empty"], shown["box"], shown["next"]) == (True, True, False)


def test_closed_round_offers_the_next_action_of_the_loop(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=8)
    assert not look(ws, one)["next"]
    rounds.close(ws, LOCAL, one.id)
    shown = look(ws, one)
    assert shown["next"]
    assert shown["go"] == loop_words.ACTIONS[shown["action"]].title


def test_wanted_purpose_shows_the_round_under_way_or_opens_the_panel(ws, tmp_path):
    rating = seed.open_round(ws, tmp_path)
    blind = tab.read(ws, rating.project_id, rating.id, "blind_eval")
    assert (blind["which"][1], blind["box"]) == (rating.id, True)
    same = tab.read(ws, rating.project_id, None, "train_pairs")
    assert (same["which"][1], same["box"]) == (rating.id, False)


def test_round_without_answers_says_why_and_opens_the_panel_for_another(ws, tmp_path):
    one = seed.preparing(ws, tmp_path)
    job = helpers.claimed(ws, one.job_id)
    job_outcomes.end(ws, job.id, job.fence, State.FAILED, "The disk is full.")
    shown = look(ws, one)
    assert shown["box"]
    assert "The disk is full." in shown["outcome"]


def test_rating_page_without_a_project_is_empty(ws):
    assert tab.read(ws, None, None)["empty"]


def test_open_round_comes_before_a_newer_one_that_is_not_open(ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    seed.preparing(ws, tmp_path, project=one.project_id, models=("c", "d"))
    found = rounds.list_all(ws, LOCAL, one.project_id)
    assert pick(found, None).id == one.id
    assert pick(found, "round-of-another-project").id == one.id


def test_round_in_preparation_shows_no_comparison(ws, tmp_path):
    shown = look(ws, seed.preparing(ws, tmp_path))
    assert shown["surface"] == ""
    assert "No worker is running" in shown["outcome"]


@pytest.mark.parametrize(
    ("purpose", "label"),
    [("blind_eval", "Close the round and see the verdict"), ("train_pairs", "Close the round")],
)
def test_close_button_promises_a_verdict_of_a_blind_round_alone(ws, tmp_path, purpose, label):
    assert look(ws, seed.open_round(ws, tmp_path, purpose=purpose))["ask"] == label


def test_open_blind_round_reveals_neither_tally_nor_models(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=24)
    seed.prefer_new(ws, one)
    shown = look(ws, one)
    assert shown["close"]
    assert "24 of 24 votes" in shown["outcome"]
    assert "hidden until the round is closed" in shown["outcome"]
    for secret in ("secret-", "wins", one.arm_new, one.arm_base):
        assert secret not in str(shown)


def test_closed_blind_round_shows_the_verdict_its_interval_and_the_models(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=24)
    seed.prefer_new(ws, one, 0.875)
    rounds.close(ws, LOCAL, one.id)
    shown = look(ws, one)
    assert (shown["surface"], shown["close"]) == ("", False)
    for words in (
        "The new model is better",
        "secret-new",
        "secret-old",
        "21 of 24",
        "tl-duel-half",
    ):
        assert words in shown["outcome"]


def test_rating_round_shows_counts_and_whether_a_side_is_favoured(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    seed.prefer_new(ws, one)
    shown = look(ws, one)
    assert shown["collect"]
    assert "No position bias shown: 12 of 24" in shown["outcome"]
    assert not shown["onward"]


def test_pairs_made_of_the_votes_say_how_many_and_what_was_left_out(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    seed.prefer_new(ws, one)
    made = tab.make_pairs(ws, one.project_id, one.id, every=False)
    shown = look(ws, one)
    assert made.pairs == 24
    assert shown["onward"]
    assert "<b>24 pairs</b> from 24 votes" in shown["made"]
    assert "Nothing was left out" in shown["made"]


def test_preference_dataset_with_too_few_pairs_lists_the_dropped_votes(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    blind = seed.open_round(
        ws, tmp_path, project=one.project_id, purpose="blind_eval", answers=seed.plain(24)
    )
    seed.prefer_new(ws, one)
    assert blind.status == "open"
    with pytest.raises(UserError, match="24 with a question that is kept for blind tests"):
        tab.make_pairs(ws, one.project_id, one.id, every=True)


def test_votes_for_one_side_of_the_screen_make_no_pairs_and_say_what_to_do(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    rated.rate_all(ws, one, "lefty", lambda _: "left")
    with pytest.raises(UserError, match="lefty picked the left answer 24 of 24 times") as refused:
        tab.make_pairs(ws, one.project_id, one.id, every=True)
    assert "Pause lefty under “Raters and flags”" in refused.value.fix


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (5, "fewer than 6 comparisons"),
        (60, "a win rate of 70 % or more"),
        (100, "61 wins then name a winner"),
    ],
)
def test_round_panel_names_the_detectable_win_rate(pairs, said):
    assert said in plans.expected("blind_eval", pairs)


def test_round_panel_counts_the_available_questions(ws, tmp_path):
    project = projects.create(ws, LOCAL, "Small").id
    one = helpers.dataset(ws, project, tmp_path, rows=40)
    held_out = datasets.get(ws, LOCAL, one.id).held_out_rows
    said = start.power(ws, "blind_eval", one.id, 60, 1)
    assert f"This dataset has {held_out} held-out questions" in said
    assert f"With {held_out} comparisons" in said


def test_blind_test_is_offered_two_different_models(ws, tmp_path):
    project = projects.create(ws, LOCAL, "Two").id
    new, old = (helpers.model(ws, tmp_path, name) for name in ("one", "two"))
    first, second, _ = start.choices(ws, project, "blind_eval", new.id, new.id, None)
    assert {first.value, second.value} == {new.id, old.id}


def test_round_panel_that_is_incomplete_says_what_is_missing(ws):
    with pytest.raises(UserError, match="No project is open"):
        start.plan(ws, None, "train_pairs", None, None, None, 20, 1, 96)


def test_names_of_models_are_text_in_the_verdict(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=8)
    rounds.close(ws, LOCAL, one.id)
    found, seen = rounds.verdict(ws, LOCAL, one.id), rounds.tally(ws, LOCAL, one.id)
    html = results.verdict(found, seen, ("<img src=x>", "old"), {"truncated": 2})
    assert "<img" not in html
    assert "2 comparisons were not shown" in html


def test_verdict_counts_votes_cast_apart_from_questions_with_one_answer():
    scores = [1.0] * 87 + [0.0] * 21 + [0.5] * 6
    cast = [RaterScore(f"q{n}", f"simulated-shorter-{n % 3 + 1}", s) for n, s in enumerate(scores)]
    found = weigh(87, 21, 17, 0, by_prompt=[*scores, *[0.5] * 11], identical=11, votes=cast)
    assert (found.n, found.votes, found.voted_ties) == (125, 114, 6)
    seen = Tally(
        wins=87, losses=21, ties=17, both_bad=0, raters=3, prompts=125, left=54, right=54,
        by_prompt=(), identical=11, panel=panel_of(vote.rater for vote in cast),
    )  # fmt: skip
    html = results.verdict(found, seen, ("new", "old"), {})
    text = re.sub(r"<[^>]+>", " ", html)
    shown = re.sub(r"\s+", " ", text)
    assert "in the eyes of 3 raters of one rule" in shown
    for said in ("114 votes cast", "6 ties", "11 same answer", "3 simulated, of one rule"):
        number, label = said.split(" ", 1)
        assert said in shown or f"{label} {number}" in shown, shown
    assert not re.search("17 ties|ties 17", shown)


def test_rating_page_sends_an_unchanged_chart_once(ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    now = look(ws, one)
    view, *_ = tab.drawn(RatingView(), now)
    _, *again = tab.drawn(view, look(ws, one))
    assert all("_skip" in str(each) or each == {"__type__": "update"} for each in again)


def test_closed_blind_round_says_why_it_can_be_trusted(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=24)
    seed.prefer_new(ws, one)
    rounds.close(ws, LOCAL, one.id)
    shown = look(ws, one)["outcome"]
    for words in ("Can I trust it?", "rater-a", one.plan_sha256[:12]):
        assert words in shown


def test_sequential_round_says_that_it_ends_by_evidence(ws, tmp_path):
    waiting = seed.preparing(ws, tmp_path, purpose="blind_eval", pairs=20)
    recipe = RoundRecipe(
        purpose="blind_eval", model=waiting.arm_new, baseline=waiting.arm_base,
        dataset=waiting.plan.dataset, prompts=20, decision="sequential",
    )  # fmt: skip
    one = rounds.start(ws, LOCAL, waiting.project_id, recipe)
    one = seed.answer(ws, one, seed.plain(20))
    assert "Not enough evidence yet" in look(ws, one)["outcome"]
    seed.prefer_new(ws, one)
    assert "There is enough evidence" in look(ws, one)["outcome"]


def test_raters_and_flags_of_a_round_are_listed_as_text(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, answers=seed.hostile())
    *_, without = rating_raters.raters_panel(ws, RatingView(round_id=one.id))
    assert not without.visible  # nothing is flagged yet, so there is nothing to choose
    who = Actor(name="<b>eve</b>", role=Role.RATER)
    shown = screen.next_pair(ws, who, one.id)
    flagged_comparisons.add(ws, who, shown.token, "left", "unsafe", "<script>x</script>")
    seed.prefer_new(ws, one)
    table, raters, raised, standing, some, waiting = rating_raters.raters_panel(
        ws, RatingView(round_id=one.id)
    )
    assert (some.visible, waiting.visible) == (True, True)
    assert "rater-a" in table
    assert [name for name, _ in raters.choices] == ["rater-a", "<b>eve</b>"]
    assert "&lt;script&gt;" in raised
    assert "<script" not in raised
    assert standing.choices[0][0] == "unsafe by <b>eve</b>"


def test_folded_choices_of_the_panel_reach_the_plan(ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    made = start.plan(
        ws, one.project_id, "train_pairs", one.arm_new, one.arm_new, None, 20, 1, 96,
        "single", "fixed", 0, 10, 0, 50, 2, 2, "none", 240, 1, "Be kind.",
        "what is a?\nwhat is b?", None,
    )  # fmt: skip
    plan = made.plan
    assert (plan.mode, plan.per_rater, plan.guidelines) == ("single", 50, "Be kind.")
    assert (plan.prompts, plan.repeats) == (2, 1)


def test_zero_votes_a_day_means_no_limit():
    _, chosen = options.read("pair", "fixed", 0, 0, 0, 0, 4, 2, "none", 240, 1, "", "", None)
    assert (chosen["per_rater"], chosen["samples"]) == (None, 4)
    assert chosen["guidelines"] == plans.GUIDELINES


def test_invitation_is_a_link_of_this_server_until_it_is_withdrawn(ws, tmp_path):
    project = projects.create(ws, LOCAL, "Shared").id
    link, known, row, _ = rating_raters.invite(ws, project, "Ada", "http://127.0.0.1:7860")
    assert row.visible
    assert link.value.startswith("http://127.0.0.1:7860/rate/join/")
    [(name, chosen)] = known.choices
    assert name.startswith("Ada · ends on ")
    link, known, row, _ = rating_raters.withdraw(ws, project, chosen)
    assert (link.value, known.choices, row.visible) == ("", [], False)


def test_model_that_lost_something_is_tested_blind_only_when_asked_for_anyway(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    one = loop_in_tables.trained(ws, project, "one", base)
    loop_in_tables.evaluated(ws, project, source, base, one, regressed=True)
    asked = (ws, project.id, "blind_eval", one.id, base.id, source.id, 6, 1, 96)
    usual = ("pair", "fixed", 0, 0, 0, 0, 2, 2, "none", 240, 1, "", "", None)
    with pytest.raises(Conflict, match="regressed"):
        start.plan(*asked, *usual, False)
    assert rounds.list_all(ws, LOCAL, project.id) == []
    assert start.plan(*asked, *usual, True).purpose == "blind_eval"


def test_owner_deletes_a_rater_and_the_pairs_say_that_votes_were_deleted(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24, overlap=2)
    rated.rate_all(ws, one, "ada")
    rated.rate_all(ws, one, "ben")
    tab.make_pairs(ws, one.project_id, one.id, every=False)
    view = RatingView(round_id=one.id)
    assert rating_raters.raters_panel(ws, view)[1].choices == [("ada", "ada"), ("ben", "ben")]
    assert "Stale" not in look(ws, one)["made"]
    said, _, left, *_ = rating_raters.erase_rater(ws, view, "ada")
    assert "24 votes in 1 round." in said
    assert left.choices == [("ben", "ben")]
    shown = look(ws, one)
    assert "Stale: 24 votes behind these pairs" in shown["made"]
    assert "with their rater" in shown["outcome"]
    for nobody in (None, "", "ada"):
        with pytest.raises(UserError):
            rating_raters.erase_rater(ws, view, nobody)


def test_votes_of_guests_are_shown_as_not_counted(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    seed.prefer_new(ws, one)
    who = Actor(name="guest-x", role=Role.GUEST)
    assert screen.next_pair(ws, who, one.id) is None  # every place is taken
    other = seed.open_round(ws, tmp_path, pairs=4, project=one.project_id)
    shown = screen.next_pair(ws, who, other.id)
    screen.vote(ws, who, shown.token, "key-of-a-guest", "left")
    drawn = look(ws, other)
    assert "guests&#x27; votes" in drawn["outcome"]
    assert not drawn["collect"]


@pytest.mark.parametrize("purpose", ["train_pairs", "blind_eval"])
def test_open_round_says_that_most_answers_were_cut(ws, tmp_path, purpose):
    one = seed.preparing(ws, tmp_path, pairs=24, purpose=purpose)
    candidates = seed.candidates(one, seed.plain(24))
    cut = [c.model_copy(update={"finished": c.prompt_no >= 18}) for c in candidates]
    job = helpers.claimed(ws, one.job_id)
    job_outcomes.store(ws, job, Outcome(result={}, round_id=one.id, candidates=tuple(cut)))
    shown = look(ws, rounds.get(ws, LOCAL, one.id))
    assert (
        "18 of 24 comparisons are not shown: an answer reached the longest length"
        in shown["outcome"]
    )
    rounds.close(ws, LOCAL, one.id)
    assert "start another round with longer" not in look(ws, one)["outcome"]


def test_open_round_with_a_few_cut_answers_says_nothing_of_them(ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=24)
    assert results.cut_short(one, {"truncated": 5}) == ""


def test_predictor_of_the_panel_is_in_the_plan_of_a_blind_test_alone(ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    asked = "\n".join(f"what is {n}?" for n in range(90))
    usual = ("pair", "fixed", 0, 0, 0, 0, 2, 2, "length", 30, 1, "", asked, None, True)
    of = (ws, one.project_id)
    models = (one.arm_new, one.arm_base)
    plan = start.plan(*of, "blind_eval", *models, None, 20, 1, 96, *usual).plan
    assert (plan.predictor, plan.further, plan.prompts) == ("length", 30, 20)
    plan = start.plan(*of, "train_pairs", *models, None, 20, 1, 96, *usual).plan
    assert (plan.predictor, plan.further) == ("none", 0)
