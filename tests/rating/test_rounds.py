"""Rounds of each kind: what their plans hold, what may be seen when, and what they report."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, UserError
from engine.services.data import datasets
from engine.services.rating import (
    comparisons,
    flagged_comparisons,
    pasted_prompts,
    plans,
    report,
    rounds,
    votes,
)
from engine.services.rating.plans import RoundRecipe
from engine.stats.verdict import verdict
from engine.store.connect import writing
from tests import helpers
from tests.rating import screen
from tests.rating.rated import answered, rate_all, rater, started


def test_plan_sentence_does_not_change_after_the_votes(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", gold=0.2, repeats=0.2, practice=2)
    before = rounds.get(ws, LOCAL, one.id)
    rate_all(ws, one, "a")
    rounds.close(ws, LOCAL, one.id)
    after = rounds.get(ws, LOCAL, one.id)
    assert (after.plan, after.plan_sha256) == (before.plan, before.plan_sha256)


@pytest.mark.parametrize("purpose", ["blind_eval", "aa_control"])
@pytest.mark.parametrize("role", [Role.TRAINER, Role.OWNER])
def test_open_blind_round_hides_its_tally_from_everybody(ws, tmp_path, purpose, role):
    one = started(ws, tmp_path, purpose)
    rate_all(ws, one, "a")
    who = Actor(name="somebody", role=role)
    for ask in (rounds.tally, rounds.verdict):
        with pytest.raises(Forbidden):
            ask(ws, who, one.id)
    with pytest.raises(Conflict):
        report.report(ws, who, one.id)


def test_rater_may_not_see_a_report_even_of_a_closed_round(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval")
    rounds.close(ws, LOCAL, one.id)
    with pytest.raises(Forbidden):
        report.report(ws, rater("a"), one.id)


def test_closed_round_stays_closed(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval")
    rounds.close(ws, LOCAL, one.id)
    with pytest.raises(Conflict):
        rounds.close(ws, LOCAL, one.id)


def test_gold_repeats_and_practice_change_no_number_of_the_result(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", gold=0.2, repeats=0.2, practice=3, pairs=20)
    assert rate_all(ws, one, "a") == 20 + 4 + 4 + 3
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert (found.verdict.wins, found.verdict.n, found.tally.prompts) == (20, 20, 20)
    assert found.verdict.decision == "better"


def test_report_says_winner_agreement_side_and_length(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=20, overlap=2)
    for name in ("a", "b"):
        rate_all(ws, one, name)
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert found.agreement.raw == 1.0
    assert not found.position.biased
    assert [each.rater for each in found.raters] == ["a", "b"]
    assert found.longer.sentence in found.sentence or not found.longer.warn
    assert found.sentence.startswith("The new model is better")


def test_aa_round_is_not_called_even_where_a_rater_picks_one_side(ws, tmp_path):
    one = started(ws, tmp_path, "aa_control", pairs=20)
    rate_all(ws, one, "a", lambda _: "left")  # each answer stands left in exactly half
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert found.even is False
    assert found.sentence.startswith("The A/A round is not even")
    assert "Position bias: 20 of 20 votes went to the left answer" in found.sentence
    assert "favours nobody" not in found.sentence
    assert found.verdict.low < 0.5 < found.verdict.high


def test_aa_round_without_a_vote_says_nothing_of_the_test(ws, tmp_path):
    one = started(ws, tmp_path, "aa_control", pairs=8)
    rounds.close(ws, LOCAL, one.id)
    sentence = report.report(ws, LOCAL, one.id).sentence
    assert sentence.startswith("The A/A round has no vote yet: it says nothing of the test.")
    assert "is even" not in sentence


@pytest.mark.parametrize(
    ("wins", "losses", "even", "said"),
    [
        (3, 3, True, "The A/A round shows no imbalance: one half of the model against itself wins "
                     "50 % (15 to 85 %). It would be called even where the range lies within"),
        (60, 60, True, "The A/A round is even: one half of the model against itself wins 50 % (41 "
                       "to 59 %). The test itself favours nobody."),
        (60, 60, False, "The A/A round is not even:"),
    ],
)  # fmt: skip
def test_aa_round_is_even_only_where_its_interval_says_so(ws, tmp_path, wins, losses, even, said):
    one = started(ws, tmp_path, "aa_control", pairs=8)
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    counted = found.model_copy(update={"even": even, "verdict": verdict(wins, losses)})
    assert report._head(counted).startswith(said)


def test_aa_round_of_equal_answers_is_closed_with_ties(ws, tmp_path):
    one = started(ws, tmp_path, "aa_control", pairs=8, same=True)
    assert one.status == "closed"
    assert report.report(ws, LOCAL, one.id).verdict.ties == 8


def test_rater_who_always_picks_the_left_is_reported(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=20)
    rate_all(ws, one, "a", lambda _: "left")
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert found.position.biased
    assert "left" in found.raters[0].quality.reasons[0]
    assert found.verdict.decision == "no difference shown"


def test_sequential_round_says_when_to_stop_and_not_who_leads(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", decision="sequential", pairs=40)
    shown = screen.next_pair(ws, rater("a"), one.id)
    assert not report.live(ws, LOCAL, one.id).enough
    for n in range(40):
        side = "left" if "new" in shown.left else "right"
        shown = screen.vote(ws, rater("a"), shown.token, f"evidence-{n:04d}", side)
    live = report.live(ws, LOCAL, one.id)
    assert live.enough
    assert live.evidence >= live.needed == 20
    assert not {"new", "better", "worse", "wins"} & set(live.sentence.split())
    rounds.close(ws, LOCAL, one.id)
    assert rounds.verdict(ws, LOCAL, one.id).decision == "better"


def test_fixed_size_round_shows_no_evidence_before_its_end(ws, tmp_path):
    assert report.live(ws, LOCAL, started(ws, tmp_path, "blind_eval").id) is None


def test_single_answers_are_called_good_or_bad(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", mode="single", gold=0.25, pairs=8)
    shown = screen.next_pair(ws, rater("a"), one.id)
    assert (shown.mode, shown.right, shown.right) == ("single", "", "")
    with pytest.raises(UserError, match="not a vote"):
        screen.vote(ws, rater("a"), shown.token, "key-single", "left")
    for odd in (
        {"strength": 1}, {"acceptable_left": True}, {"edit": {"side": "right", "text": "no such"}},
    ):  # fmt: skip
        asked = {"token": shown.token, "key": "key-single", "choice": "good", **odd}
        with pytest.raises(UserError, match="not a vote"):
            votes.vote(ws, rater("a"), votes.request(ws, rater("a"), asked))
    judge = lambda s: "good" if "new" in s.left or "answer" in s.left else "bad"  # noqa: E731
    assert rate_all(ws, one, "a", judge) == 16 + 2
    seen = rounds.tally(ws, LOCAL, one.id)
    assert (seen.good, seen.bad, seen.wins) == (8, 8, 0)


def test_practice_round_opens_at_once_and_gives_feedback(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    recipe = RoundRecipe(purpose="calibration", model=base.id, dataset=source.id, prompts=5)
    one = rounds.start(ws, LOCAL, project.id, recipe)
    assert (one.status, one.job_id) == ("open", None)
    assert rate_all(ws, one, "a") == 5


@pytest.mark.parametrize(
    ("purpose", "options", "said"),
    [
        ("aa_control", {}, "with itself"),
        ("blind_eval", {"mode": "single"}, "for training only"),
        ("train_pairs", {"decision": "sequential"}, "stop by its evidence"),
    ],
)
def test_plan_that_contradicts_itself_is_refused(purpose, options, said):
    recipe = RoundRecipe(
        purpose=purpose, model="model-a", baseline="model-b", dataset="data", **options
    )
    with pytest.raises(UserError, match=said):
        plans.check(recipe)


def test_gold_items_need_known_answers(ws, tmp_path):
    project = helpers.project(ws)
    new, old = helpers.model(ws, tmp_path, "one"), helpers.model(ws, tmp_path, "two")
    asked = pasted_prompts.store(
        ws, LOCAL, project.id, [f"what is {n}?" for n in range(12)], "train_pairs"
    )
    recipe = RoundRecipe(model=new.id, baseline=old.id, dataset=asked.id, gold=0.2)
    with pytest.raises(UserError, match="known answer; this dataset has 0"):
        rounds.start(ws, LOCAL, project.id, recipe)


def test_pasted_questions_of_a_blind_round_are_never_trained_on(ws, tmp_path):
    project = helpers.project(ws)
    lines = pasted_prompts.pasted("what is a?\n\nWHAT is a?\nwhat is b?\n")
    kept = pasted_prompts.store(ws, LOCAL, project.id, lines, "blind_eval")
    assert (kept.rows, kept.held_out_rows, kept.train_rows) == (2, 2, 0)
    assert datasets.rows(ws, LOCAL, kept.id, "train") == []


@pytest.mark.parametrize(
    ("pairs", "said"),
    [(5, "fewer than 6"), (100, "61 wins then name a winner"), (60, "it takes 90 comparisons")],
)
def test_plan_names_the_detectable_win_rate_before_the_start(pairs, said):
    assert said in plans.expected("blind_eval", pairs)


@pytest.mark.parametrize(
    "text",
    ["As an AI by OpenAI, I can't.", "I am Claude.", "My name is Library Desk", "smollm2-135m here",
     "Ask Hugging  Face."],
)  # fmt: skip
def test_answer_that_names_its_model_is_left_out(ws, tmp_path, text):
    waiting = started(ws, tmp_path, "train_pairs", pairs=2, project="Library Desk", answer=False)
    candidates = answered(waiting, 2)
    candidates[0] = candidates[0].model_copy(update={"text": text})
    with writing(ws.db) as conn:
        assert comparisons.open_with(conn, waiting.id, tuple(candidates))["identity"] == 1


@pytest.mark.parametrize(
    "text",
    ["Claude Monet painted it.", "The library desk is open.", "A llama spits.", "I am glad."],
)
def test_plain_words_do_not_count_as_model_names(ws, tmp_path, text):
    waiting = started(ws, tmp_path, "train_pairs", pairs=2, project="Library Desk", answer=False)
    candidates = answered(waiting, 2)
    candidates[0] = candidates[0].model_copy(update={"text": text})
    with writing(ws.db) as conn:
        assert comparisons.open_with(conn, waiting.id, tuple(candidates))["identity"] == 0


def test_flagged_pair_waits_for_a_person_and_goes_on_when_found_to_be_fine(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=3)
    shown = screen.next_pair(ws, rater("a"), one.id)
    flagged_comparisons.add(ws, rater("a"), shown.token, "left", "unsafe", "look at this")
    assert rate_all(ws, one, "b") == 0  # the two others are held by a
    listed = flagged_comparisons.list_all(ws, LOCAL, one.id)
    assert [(each.rater, each.kind, each.left) for each in listed] == [("a", "unsafe", shown.left)]
    flagged_comparisons.settle(ws, LOCAL, listed[0].id)
    assert flagged_comparisons.list_all(ws, LOCAL, one.id) == []
    assert rate_all(ws, one, "b") == 1


def test_flag_can_be_taken_back(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=3)
    shown = screen.next_pair(ws, rater("a"), one.id)
    flagged_comparisons.add(ws, rater("a"), shown.token, "pair", "duplicate")
    assert screen.undo(ws, rater("a"), one.id).token == shown.token
    assert flagged_comparisons.list_all(ws, LOCAL, one.id) == []
    with pytest.raises(Forbidden):
        flagged_comparisons.list_all(ws, rater("a"), one.id)
