import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from engine.core.errors import UserError
from engine.stats.camps import camps
from engine.stats.rated_pairs import RatedPair
from engine.stats.rater_quality import (
    assess_gold,
    consistency,
    gold_by_rater,
    quality,
    repeats,
    strangeness,
)
from engine.stats.side_bias import position_bias

PAUSED = {5: 2, 8: 3, 10: 5, 12: 6, 20: 11}


def campaign(rng, rate, trolls, raters=15, votes=60):
    """The first `trolls` raters always vote for the base; the others for the new at `rate`."""
    won = rng.random((raters, votes)) < rate
    won[:trolls] = False
    return [
        RatedPair(f"p{i}", f"r{r}", "new", "base", "left" if won[r, i] else "right")
        for r in range(raters)
        for i in range(votes)
    ]


@pytest.mark.parametrize(("of", "right"), PAUSED.items())
def test_gold_pauses_from_the_known_thresholds_on(of, right):
    assert assess_gold(right, of).pause
    assert not assess_gold(right + 1, of).pause
    assert assess_gold(right, of).upper == pytest.approx(
        proportion_confint(right, of, alpha=0.1, method="wilson")[1]
    )


def test_nobody_is_paused_before_the_fifth_gold_item():
    assert not assess_gold(0, 4).pause
    assert assess_gold(0, 0).sentence == "No gold item answered yet."
    assert assess_gold(1, 5).sentence == (
        "Pause and talk to this rater: only 1 of 5 gold items right."
    )
    assert assess_gold(5, 5).sentence == "5 of 5 gold items right."


@pytest.mark.parametrize(
    ("accuracy", "least", "most"), [(0.5, 0.97, 1.0), (0.9, 0.0, 0.02), (0.95, 0.0, 0.01)]
)
def test_gold_catches_clickers_and_spares_careful_raters(accuracy, least, most):
    limit = [max((k for k in range(n + 1) if assess_gold(k, n).pause), default=-1)
             for n in range(1, 51)]  # fmt: skip
    right = (np.random.default_rng(0).random((5000, 50)) < accuracy).cumsum(axis=1)
    paused = right <= np.array(limit)
    assert least <= paused.any(axis=1).mean() <= most
    if accuracy == 0.5:
        caught = paused[paused.any(axis=1)]
        assert np.median(caught.argmax(axis=1) + 1) <= 6


def test_always_left_rater_is_flagged_within_20_votes_and_honest_ones_are_not():
    flagged = [position_bias(k, 20 - k).biased for k in range(21)]
    assert flagged[17:] == [True] * 4
    assert not any(flagged[4:17])
    honest = np.random.default_rng(1).binomial(20, 0.5, 10_000)
    assert np.mean(np.array(flagged)[honest]) < 0.02


@pytest.mark.parametrize(("loser", "votes"), [(0.2, 4), (0.35, 9)])
def test_rater_who_always_picks_the_loser_is_caught_after_the_known_number(loser, votes):
    n = 10_000
    others = [
        RatedPair(f"o{i}", f"o{i % 20}", "good", "poor", "right" if i < loser * n else "left")
        for i in range(n)
    ]
    odd = [RatedPair(f"t{i}", "odd", "good", "poor", "right") for i in range(votes)]
    assert strangeness(others + odd)["odd"] >= 20
    assert strangeness(others + odd[:-1])["odd"] < 20


def test_two_of_15_trolls_are_flagged_and_the_rest_shows_the_truth():
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(20):
        votes = campaign(rng, 0.7, trolls=2)
        odd = {rater for rater, evidence in strangeness(votes).items() if evidence >= 20}
        assert {"r0", "r1"} <= odd
        wrong += len(odd) - 2
        rest = [vote.score("new") for vote in votes if vote.rater not in odd]
        assert np.mean(rest) == pytest.approx(0.7, abs=0.05)
    assert wrong / (20 * 13) <= 0.02


def test_five_of_15_trolls_define_what_is_normal_but_show_as_two_camps():
    """The limit of the anomaly test, and why two camps are looked for as well."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        found = quality(campaign(rng, 0.7, trolls=5), "new")
        assert sum("unlike" in " ".join(one.reasons) for one in found.raters) <= 2
        assert found.camps.split
        assert [name for name, camp in found.camps.camp.items() if camp == "low"] == [
            f"r{n}" for n in range(5)
        ]
        assert found.camps.high == pytest.approx(0.7, abs=0.07)
        assert "two peaks: 10 raters give the new model" in found.sentence


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.2])
def test_rater_camps_are_not_seen_among_honest_raters(spread):
    rng, split = np.random.default_rng(4), 0
    for _ in range(20):
        rates = np.clip(rng.normal(0.6, spread, 15), 0, 1)
        wins = rng.binomial(60, rates)
        split += camps({str(n): (int(k), 60) for n, k in enumerate(wins)}).split
    assert split <= 1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), st.integers(0, 9).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=8))  # fmt: skip
def test_rater_camps_accept_any_counts(votes):
    found = camps(votes)
    assert found.sentence
    assert not found.split or 0 <= found.low < found.high <= 1


def test_rater_is_not_called_unlike_few_others():
    votes = campaign(np.random.default_rng(9), 0.9, trolls=1, raters=5)
    assert set(strangeness(votes).values()) == {1.0}


def test_honest_rater_who_looks_at_all_times_passes_20_rarely():
    """The evidence is an e-process: 1 / 2q for the rarer side, one half for the other."""
    rng = np.random.default_rng(5)
    for rare in (0.3, 0.45, 0.5):
        steps = np.where(rng.random((4000, 200)) < rare, -np.log(2 * rare), np.log(0.5))
        assert (steps.cumsum(axis=1).max(axis=1) >= np.log(20)).mean() <= 0.05


def test_repeats_count_the_same_answer_whatever_side_it_stood_on():
    votes = [
        RatedPair("p", "a", "new", "old", "left"),
        RatedPair("p", "a", "old", "new", "right"),
        RatedPair("q", "a", "new", "old", "left"),
        RatedPair("q", "a", "old", "new", "left"),
        RatedPair("q", "b", "new", "old", "tie"),
    ]
    found = repeats(votes)
    assert set(found) == {"a"}
    assert (found["a"].same, found["a"].of) == (1, 2)
    assert "1 of 2 with a winner both times contradict each other" in found["a"].sentence


def test_repeat_with_a_tie_once_is_no_contradiction():
    votes = [
        RatedPair(str(n), "a", "new", "old", choice)
        for n in range(10)
        for choice in ("left", "tie" if n < 6 else "left")
    ]
    found = repeats(votes)["a"]
    assert (found.same, found.of, found.decided, found.noise) == (4, 10, 4, 0.0)
    assert "at least 0 % flipped (0 of 4 contradicted)" in found.sentence


def test_noise_of_repeats_is_the_rate_at_which_votes_were_flipped():
    rng = np.random.default_rng(6)
    same = int(((rng.random(20_000) < 0.1) == (rng.random(20_000) < 0.1)).sum())
    assert consistency(same, 20_000).noise == pytest.approx(0.1, abs=0.01)


def test_rater_report_names_suspects_with_reasons():
    gold = [RatedPair(f"g{n}", "odd", "x", "y", "left", expected="right") for n in range(5)]
    votes = [RatedPair(f"p{n}", "odd", "new", "old", "left") for n in range(20)]
    votes += [
        RatedPair(f"p{n}", "fair", "new", "old", "left" if n % 2 else "right") for n in range(20)
    ]
    found = quality(gold + votes)
    assert [one.rater for one in found.raters] == ["odd", "fair"]
    assert found.raters[0].reasons[:2] == (
        "only 0 of 5 gold items right",
        "100 % of votes with a winner went left",
    )
    assert found.raters[0].votes == 20
    assert found.raters[1].reasons == ()
    assert found.sentence.startswith("Look at 1 of 2 raters: odd (only 0 of 5 gold items right")
    assert found.camps is None
    assert gold_by_rater(gold)["odd"].pause


@pytest.mark.parametrize("choice", ["left", "tie", "both_bad"])
def test_rater_of_one_vote_is_not_flagged(choice):
    found = quality([RatedPair("p", "a", "new", "old", choice)], "new")
    assert found.sentence == "Nothing odd was found among 1 rater."
    assert found.raters[0].repeats.share is None
    assert not found.camps.split


def test_impossible_counts_are_errors():
    for bad in (
        lambda: assess_gold(2, 1),
        lambda: consistency(-1, 1),
        lambda: camps({"a": (2, 1)}),
        lambda: quality([]),
    ):
        with pytest.raises(UserError):
            bad()
