"""Three or four answers in one vote: what is stored, and what comes of it."""

import json
import random

import pytest
from sqlalchemy import select

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, UserError
from engine.jobs import most_different
from engine.orchestrate.demo_job import simulate
from engine.services import erasure
from engine.services.preferences import build, contested
from engine.services.preferences.rules import Rules
from engine.services.rating import (
    comparisons,
    flagged_comparisons,
    plans,
    rankings,
    report,
    rounds,
    vote_counts,
    votes,
)
from engine.services.rating.plans import RoundRecipe
from engine.simulated_raters.ranking import rank
from engine.simulated_raters.simple import shorter
from engine.store import votes as vote_store
from engine.store.connect import reading, writing
from engine.store.tables import assignment, vote
from tests import helpers
from tests.rating import screen

WORDS = ("one", "one two", "one two three", "one two three four")


def rater(name):
    return Actor(name=name, role=Role.RATER)


def answers_of(arms, prompts, number):
    """Answers to each prompt, longer and longer, of the arms in turn."""
    return tuple(
        helpers.candidate(arms[place % len(arms)].id, n, f"{WORDS[place]} {n}", seed=place)
        for n in range(prompts)
        for place in range(number)
    )


def ranking_round(ws, folder, prompts=8, answers=4, arms=1, candidates=None, **more):
    chosen = helpers.project(ws)
    models = [helpers.model(ws, folder, f"arm-{n}") for n in range(arms)]
    source = helpers.dataset(ws, chosen.id, folder, rows=4 * max(prompts, 8))
    recipe = RoundRecipe(
        model=models[0].id, baseline=models[-1].id, dataset=source.id, prompts=prompts,
        answers=answers, **more,
    )  # fmt: skip
    one = rounds.start(ws, LOCAL, chosen.id, recipe)
    given = candidates or answers_of(models, prompts, answers)
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, given)
    return rounds.get(ws, LOCAL, one.id)


def shown_to(ws, who, one):
    return screen.next_pair(ws, who, one.id)


def by_length(shown):
    """Ranks of the answers as they stand, the shortest first."""
    texts = [shown.left, shown.right, *shown.more]
    order = sorted({len(each) for each in texts})
    return [1 + order.index(len(each)) for each in texts]


def rate_all(ws, who, one):
    number = 0
    while shown := shown_to(ws, who, one):
        ranks = by_length(shown)
        screen.vote(ws, who, shown.token, ids.new("key"), "ranked", ranks=ranks)
        number += 1
    return number


def test_ranking_is_one_vote_with_its_order_and_ranks(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=3)
    ada = rater("ada")
    shown = shown_to(ws, ada, one)
    assert shown.mode == "rank"
    assert len(shown.more) == 2
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=[2, 4, 1, 2])
    with reading(ws.db) as conn:
        stored = conn.execute(select(vote.c.choice, vote.c.details)).one()
        order = conn.execute(
            select(assignment.c.shown_order).where(assignment.c.id == shown.token)
        ).scalar_one()
        live = vote_store.live(conn, [one.id])
    assert stored.choice == "ranked"
    assert json.loads(stored.details) == {"ranks": [2, 3, 1, 2]}  # without gaps
    assert sorted(order) == list("abcd")
    assert (live[0].order, live[0].ranks) == (order, (2, 3, 1, 2))
    assert votes.progress(ws, ada, one.id)["done"] == 1


def test_order_differs_between_raters_and_stays_for_one(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=8, overlap=12)
    seen = {}
    for n in range(12):
        who = rater(f"rater{n}")
        shown = shown_to(ws, who, one)
        assert shown_to(ws, who, one) == shown
        seen[n] = (shown.left, shown.right, *shown.more)
    assert len(set(seen.values())) > 4
    with reading(ws.db) as conn:
        found = conn.execute(select(assignment.c.left_is, assignment.c.shown_order)).all()
    for left_is, order in found:  # of A and B, the one on the rater's left stands first
        assert (order.index("a") < order.index("b")) == (left_is == "lo")


def test_undo_shows_the_same_order_again(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=3), rater("ada")
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=[1, 2, 3, 4])
    again = votes.undo(ws, ada, one.id, prefetch=0).pair
    assert (again.token, again.left, again.right, again.more) == (
        shown.token, shown.left, shown.right, shown.more,
    )  # fmt: skip
    with reading(ws.db) as conn:
        assert vote_store.live(conn, [one.id]) == []


@pytest.mark.parametrize(
    ("choice", "more"),
    [
        ("left", {}),
        ("ranked", {}),
        ("ranked", {"ranks": [1, 2, 3]}),
        ("ranked", {"ranks": [0, 1, 2, 3]}),
        ("ranked", {"ranks": [1, 2, 3, 5]}),
        ("tie", {"ranks": [1, 1, 1, 1]}),
        ("ranked", {"ranks": [1, 2, 3, 4], "strength": 2}),
    ],
    ids=["side", "no-ranks", "too-few", "zero", "beyond", "tie-with-ranks", "strength"],
)
def test_vote_that_fits_no_ranking_is_refused(ws, tmp_path, choice, more):
    one, ada = ranking_round(ws, tmp_path, prompts=2), rater("ada")
    shown = shown_to(ws, ada, one)
    with pytest.raises(UserError, match="not a vote"):
        screen.vote(ws, ada, shown.token, "vote-key-1", choice, **more)


def test_ranking_of_a_pair_is_refused(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, pairs=6)
    shown = shown_to(ws, rater("ada"), one)
    with pytest.raises(UserError, match="not a vote"):
        screen.vote(ws, rater("ada"), shown.token, "vote-key-1", "ranked", ranks=[1, 2, 3])
    with pytest.raises(UserError, match="not a vote"):
        screen.vote(
            ws, rater("ada"), shown.token, "vote-key-1", "left",
            edit={"side": "third", "text": "better"},
        )  # fmt: skip


def test_same_rank_for_all_is_a_tie(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=2), rater("ada")
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=[2, 2, 2, 2])
    with reading(ws.db) as conn:
        assert [each.choice for each in vote_store.live(conn, [one.id])] == ["tie"]
        assert vote_counts.count(conn, one).ties == 1


def test_unfolded_vote_says_of_each_pair_what_the_ranks_say(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=2), rater("ada")
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=by_length(shown))
    with reading(ws.db) as conn:
        cast = vote_store.live(conn, [one.id])[0]
        stored = next(c for c in rounds_of(conn, one) if c.id == cast.comparison_id)
    pairs = rankings.unfold_comparison(stored)
    on_pairs = rankings.unfold_vote(cast)
    assert [pair.id for pair in pairs] == [each.comparison_id for each in on_pairs]
    assert len(pairs) == 6
    for pair, each in zip(pairs, on_pairs, strict=True):
        better = "a" if len(pair.answer_a) < len(pair.answer_b) else "b"
        assert each.preferred == better


def rounds_of(conn, one):
    from engine.store import rounds as stored

    return stored.comparisons(conn, one.id)


def test_pairs_of_rankings_share_the_weight_of_one(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=8)
    assert rate_all(ws, rater("ada"), one) == 8
    made = build.preview(ws, LOCAL, one.project_id)
    assert len(made.judged.pairs) == 48
    assert sum(pair.weight for pair in made.judged.pairs) == pytest.approx(8)
    assert {row.weight for row in made.examples} == {round(1 / 6, 6)}
    assert all(len(row.chosen) < len(row.rejected) for row in made.examples)
    export = build.make(ws, LOCAL, one.project_id)
    page = build.about(ws, LOCAL, export.id)
    assert (page["pairs"], page["readings"], export.counts["votes"]) == (48, 8, 8)
    assert build.gone(ws, LOCAL, export.id) == 0


def test_ties_and_limits_count_by_weight(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=4), rater("ada")
    for ranks in ([1, 1, 2, 2], [1, 2, 2, 2], [1, 2, 3, 4]):
        shown = shown_to(ws, ada, one)
        screen.vote(ws, ada, shown.token, ids.new("key"), "ranked", ranks=ranks)
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, ids.new("key"), "both_bad")
    made = build.preview(ws, LOCAL, one.project_id, rules=Rules(per_prompt=1))
    assert len(made.judged.pairs) == 4 + 3 + 6
    assert made.counts["crowded"] == 0
    assert made.counts["tie"] == 2 + 3 + 6
    weights = {}
    for pair in made.judged.pairs:
        weights[pair.ranking] = weights.get(pair.ranking, 0) + pair.weight
    assert list(weights.values()) == pytest.approx([1, 1, 1])


def test_ratings_of_a_ranking_are_its_first_and_its_last(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=3)
    rate_all(ws, rater("ada"), one)
    made = build.preview(ws, LOCAL, one.project_id, of="ratings")
    labels = sorted((row.completion, row.label) for row in made.examples)
    assert labels == sorted(
        pair for n in range(3) for pair in ((f"one {n}", True), (f"one two three four {n}", False))
    )
    assert made.counts["middle"] == 6
    assert made.counts["contested"] == 0


def test_edit_of_a_third_answer_beats_it_and_what_it_beat(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=2), rater("ada")
    shown = shown_to(ws, ada, one)
    better = f"{shown.more[0]} please"
    screen.vote(
        ws, ada, shown.token, "vote-key-1", "ranked", ranks=[3, 4, 1, 2],
        edit={"side": "third", "text": better},
    )  # fmt: skip
    rules = Rules(edit_share=1.0, edit_most=1.0)
    made = build.preview(ws, LOCAL, one.project_id, rules=rules)
    edited = [pair for pair in made.judged.pairs if pair.source == "edit"]
    assert {pair.rejected for pair in edited} == {
        shown.more[0],
        shown.left,
        shown.right,
        shown.more[1],
    }
    assert {pair.chosen for pair in edited} == {better}
    assert sum(pair.weight for pair in edited) == pytest.approx(1)


def test_flag_of_a_ranking_keeps_all_its_pairs_out(ws, tmp_path):
    one, ada, bob = ranking_round(ws, tmp_path, prompts=2, overlap=2), rater("ada"), rater("bob")
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=by_length(shown))
    same = shown_to(ws, bob, one)
    flagged_comparisons.add(ws, bob, same.token, "fourth", "unsafe")
    listed = flagged_comparisons.list_all(ws, LOCAL, one.id)
    assert (listed[0].left, listed[0].right, *listed[0].more) == (
        same.left, same.right, *same.more,
    )  # fmt: skip
    made = build.preview(ws, LOCAL, one.project_id)
    assert made.judged.pairs == []
    assert made.counts["flagged"] == 6


def test_report_of_rankings_counts_votes_and_agreement(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=6, overlap=2, arms=2)
    for name in ("ada", "bob"):
        rate_all(ws, rater(name), one)
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert found.tally.ranked == 12
    assert found.tally.wins == 12  # the first arm wrote the shortest and the third
    assert found.tally.left + found.tally.right == 12
    assert found.agreement.raw == 1
    assert found.agreement.items == 36
    assert [each.votes for each in found.raters] == [6, 6]


def test_rater_who_always_ranks_by_place_makes_no_pairs(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=24), rater("ada")
    while shown := shown_to(ws, ada, one):
        screen.vote(ws, ada, shown.token, ids.new("key"), "ranked", ranks=[1, 2, 3, 4])
    with pytest.raises(UserError, match="left answer"):
        build.make(ws, LOCAL, one.project_id)


def test_contested_ranking_is_asked_again_whole(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=3, overlap=2)
    rate_all(ws, rater("ada"), one)
    bob = rater("bob")
    while shown := shown_to(ws, bob, one):
        ranks = [5 - each for each in by_length(shown)]
        screen.vote(ws, bob, shown.token, ids.new("key"), "ranked", ranks=ranks)
    again = contested.ask_again(ws, LOCAL, one.id)
    assert again.plan.prompts == 3
    assert len(shown_to(ws, rater("cat"), again).more) == 2


def test_erased_rater_leaves_no_ranking(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=3)
    rate_all(ws, rater("ada"), one)
    erasure.erase(ws, LOCAL, one.project_id, "ada")
    with reading(ws.db) as conn:
        assert vote_store.live(conn, [one.id]) == []


def test_equal_and_cut_answers_leave_fewer_to_rank(ws, tmp_path):
    arm = helpers.model(ws, tmp_path, "written")
    texts = {
        0: ("w", "x y", "x  y", "z"),  # three different
        1: ("w", "w", "w", "z z"),  # a pair
        2: ("w", "w", "w", "w"),  # nothing to rate
    }
    given = tuple(
        helpers.candidate(arm.id, n, text, seed=place)
        for n, each in texts.items()
        for place, text in enumerate(each)
    )
    one = ranking_round(ws, tmp_path, prompts=3, candidates=given)
    with reading(ws.db) as conn:
        kinds = [(len(c.answers), c.kind) for c in rounds_of(conn, one)]
    assert kinds == [(3, "normal"), (2, "normal"), (2, "identical")]


def test_several_answers_are_those_that_differ_most():
    texts = ("a b c", "a b c", "x y z", "a b z", "")
    written = [helpers.candidate("m", 0, text, seed=n) for n, text in enumerate(texts)]
    taken = most_different.several(written, 4)
    assert [each.text for each in taken] == ["a b c", "x y z", "a b z"]
    assert {each.details["written"] for each in taken} == {5}
    assert [each.text for each in most_different.several(written[:2], 4)] == ["a b c", "a b c"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"purpose": "blind_eval", "baseline": "n"}, "Only training comparisons can be ranked"),
        ({"mode": "single"}, "Only training comparisons can be ranked"),
        ({"spare": 1.0}, "among pairs"),
        ({"samples": 3}, "fewer than the 4"),
    ],
    ids=["blind", "single", "spare", "samples"],
)
def test_plan_of_rankings_refuses_what_contradicts_it(values, words):
    recipe = RoundRecipe(**{"model": "m", "dataset": "d", "answers": 4, **values})
    with pytest.raises(UserError, match=words):
        plans.check(recipe)


def test_simulated_rater_ranks_by_its_rule():
    rng = random.Random(1)
    assert rank(shorter, ["a b", "a", "a b c", "b"], (), rng) == (None, (2, 1, 3, 1))
    assert rank(shorter, ["a", "b", "c"], (), rng) == ("tie", ())
    assert rank(shorter, ["", "", ""], (), rng) == ("both_bad", ())


def test_simulated_raters_rate_a_round_of_rankings(ws, tmp_path):
    one = ranking_round(ws, tmp_path, prompts=8)
    assert simulate(ws, one, "shorter", 0, 1) == 8
    made = build.preview(ws, LOCAL, one.project_id)
    assert len(made.judged.pairs) == 48


def test_second_key_on_a_ranking_is_a_conflict(ws, tmp_path):
    one, ada = ranking_round(ws, tmp_path, prompts=2), rater("ada")
    shown = shown_to(ws, ada, one)
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=[1, 2, 3, 4])
    screen.vote(ws, ada, shown.token, "vote-key-1", "ranked", ranks=[1, 2, 3, 4])  # the same vote
    with pytest.raises(Conflict):
        screen.vote(ws, ada, shown.token, "vote-key-2", "ranked", ranks=[4, 3, 2, 1])
