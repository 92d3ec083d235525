"""Votes for one side of the screen are refused as pairs; votes of people who look are not."""

import random

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.preferences import build
from engine.services.preferences.side_bias import find_one_sided
from engine.services.rating import paused_raters, rounds
from engine.store.votes import LiveVote
from tests import helpers
from tests.rating.rated import rate_all, started
from tests.rating.votes_in_tables import WORDS, a_pair, a_round, arms, cast


def said(rater, sides):
    return [LiveVote(f"c{n}", rater, "a", side, 0.0, f"v{n}", 1) for n, side in enumerate(sides)]


def test_always_left_rater_is_flagged_and_makes_no_pairs(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=24, overlap=2)
    rate_all(ws, one, "lefty", lambda _: "left")
    seen = rounds.tally(ws, LOCAL, one.id)
    assert (seen.wins, seen.losses) == (12, 12)
    assert paused_raters.raters(ws, LOCAL, one.id)[0].quality.reasons == (
        "100 % of votes with a winner went left",
    )
    with pytest.raises(UserError, match="lefty picked the left answer 24 of 24 times") as refused:
        build.make(ws, LOCAL, one.project_id)
    assert "Pause lefty" in refused.value.fix
    assert build.list_all(ws, LOCAL, one.project_id) == []


def test_others_votes_make_pairs_once_the_one_sided_rater_is_paused(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=24, overlap=2)
    rate_all(ws, one, "lefty", lambda _: "left")
    rate_all(ws, one, "careful")
    with pytest.raises(UserError, match="lefty"):
        build.make(ws, LOCAL, one.project_id)
    paused_raters.pause(ws, LOCAL, one.id, "lefty")
    assert build.make(ws, LOCAL, one.project_id).pairs == 24


@pytest.mark.parametrize("of", ["pairs", "ratings"])
def test_many_raters_of_few_votes_on_one_side_are_refused_together(ws, tmp_path, of):
    project = helpers.project(ws)
    one = a_round(ws, project.id, arms(ws, tmp_path))
    for n in range(24):
        pair = a_pair(ws, one, f"{WORDS[n]} please", f"good {n}", f"bad {n}")
        cast(ws, pair, f"rater {n}", "right")
    with pytest.raises(UserError, match="24 of 24 votes name the right answer"):
        build.make(ws, LOCAL, project.id, of=of)


def test_attentive_raters_are_refused_in_under_one_of_200_exports():
    rng, refused = random.Random(56), 0
    for _ in range(4000):
        cast = [
            vote
            for rater in range(rng.randint(1, 8))
            for vote in said(str(rater), rng.choices(("left", "right"), k=rng.randint(5, 40)))
        ]
        refused += bool(find_one_sided(cast))
    assert refused < 20


def test_rater_who_picks_left_19_times_of_20_is_found_among_honest_ones():
    rng, found = random.Random(57), 0
    for _ in range(500):
        lefty = said("lefty", ["left" if rng.random() < 0.95 else "right" for _ in range(40)])
        others = [v for r in "abcd" for v in said(r, rng.choices(("left", "right"), k=40))]
        found += list(find_one_sided(lefty + others)) == ["lefty"]
    assert found > 480


def test_ties_and_no_votes_are_not_one_sided():
    assert find_one_sided([]) == {}
    assert find_one_sided(said("r", ["tie", "both_bad"] * 30)) == {}
    assert find_one_sided(said("r", ["left"] * 10)) == {}
