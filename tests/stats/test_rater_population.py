"""Raters as a sample: the interval against plain formulas, and its false winners."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from engine.stats.rater_population import (
    DIFFER,
    FEWEST_RATERS,
    RaterScore,
    people,
    raters_needed,
)
from engine.stats.verdict import eyes_of, verdict, votes_for_even


def votes(rng, raters, prompts, overlap, differ):
    """Raters who are even on average and differ in log odds; a fifth of the votes are ties."""
    lean = rng.normal(0, differ, raters)
    ease = logit(rng.uniform(size=prompts))
    cast = [(p, (p + n) % raters) for p in range(prompts) for n in range(overlap)]
    wins = [rng.uniform() < expit(ease[p] + lean[r]) for p, r in cast]
    ties = rng.uniform(size=len(cast)) < 0.2
    return [
        RaterScore(str(p), str(r), 0.5 if tie else float(won))
        for (p, r), won, tie in zip(cast, wins, ties, strict=True)
    ]


def test_interval_is_students_over_raters_where_each_saw_questions_of_their_own():
    cast = [RaterScore(f"{r}-{n}", str(r), float(n < wins)) for r, wins in enumerate((5, 6, 8, 9))
            for n in range(10)]  # fmt: skip
    found = people(cast)
    means = np.array([0.5, 0.6, 0.8, 0.9])
    # of raters, and of questions 40/39 of single votes less those votes
    variance = means.var(ddof=1) / 4 + np.var([vote.score for vote in cast]) / 40 / 39
    assert (found.raters, found.decision) == (4, "not shown")
    assert found.high == pytest.approx(0.7 + t.ppf(0.975, 3) * variance**0.5)


def test_interval_adds_questions_and_raters_and_takes_single_votes_off_once():
    rng = np.random.default_rng(5)
    table = rng.integers(0, 3, (6, 4)) / 2  # questions, raters
    cast = [RaterScore(str(p), str(r), table[p, r]) for p in range(6) for r in range(4)]
    off = (table - table.mean()) / 24
    questions, raters = (off.sum(1) ** 2).sum() * 6 / 5, (off.sum(0) ** 2).sum() * 4 / 3
    variance = max(questions + raters - (off**2).sum(), questions, raters)
    found = people(cast)
    assert found.low == pytest.approx(table.mean() - t.ppf(0.975, 3) * variance**0.5)


@pytest.mark.parametrize("raters", [1, 2, FEWEST_RATERS - 1])
def test_fewer_than_four_raters_say_nothing_of_people_in_general(raters):
    assert people([RaterScore(str(n), str(n % raters), 1.0) for n in range(60)]) is None


def test_raters_without_any_spread_are_not_perfectly_sure():
    every = people([RaterScore(str(n), str(n % 4), 1.0) for n in range(100)])
    assert (every.low, every.high, every.decision) == (pytest.approx(0.025**0.25), 1.0, "not shown")
    ten = people([RaterScore(str(n), str(n % 10), 1.0) for n in range(100)])
    assert ten.decision == "better"


def test_questions_with_one_answer_from_both_pull_to_one_half():
    cast = [RaterScore(str(n), str(n % 5), float(n % 4 > 0)) for n in range(40)]
    alone, diluted = people(cast), people(cast, identical=40)
    assert alone.low + alone.high == pytest.approx(1.5)
    assert diluted.low + diluted.high == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("raters", "prompts", "overlap", "before"),
    [(4, 100, 1, 0.11), (5, 100, 5, 0.22), (10, 100, 3, 0.12)],
)
def test_false_winners_stay_at_five_percent_where_raters_differ(raters, prompts, overlap, before):
    rng = np.random.default_rng(11)
    own = general = 0
    for _ in range(250):
        cast = votes(rng, raters, prompts, overlap, 0.6)
        scores = [vote.score for vote in cast]
        means = [np.mean(scores[n * overlap : (n + 1) * overlap]) for n in range(prompts)]
        found = verdict(
            scores.count(1), scores.count(0), scores.count(0.5), 0,
            by_prompt=means if overlap > 1 else None, votes=cast,
        )  # fmt: skip
        own += found.decision != "no difference shown"
        general += found.people.decision != "not shown"
    assert own / 250 == pytest.approx(before, abs=0.05)  # about these raters it may be true
    assert general / 250 <= 0.05


def test_raters_needed_follow_the_power_of_students_t():
    assert [raters_needed(rate) for rate in (0.8, 0.65, 0.6)] == [5, 10, 20]
    rng = np.random.default_rng(3)
    means = rng.normal(0.65, DIFFER, (4000, 10))
    ratio = (means.mean(1) - 0.5) / (means.std(1, ddof=1) / 10**0.5)
    assert (ratio > t.ppf(0.975, 9)).mean() == pytest.approx(0.8, abs=0.02)


def panel_verdict(raters, wins, losses, names=None):
    cast = [1.0] * wins + [0.0] * losses
    rater = names or [f"r{n}" for n in range(raters)]
    return verdict(
        wins, losses, votes=[RaterScore(str(n), rater[n % raters], score)
                             for n, score in enumerate(cast)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raters", "wins", "losses", "begins", "ends"),
    [
        (1, 70, 30, "The new model is better than the baseline in the eyes of 1 rater: it wins",
         "Of people in general this says nothing: that takes 4 raters or more."),
        (3, 30, 70, "The new model is worse than the baseline in the eyes of 3 raters: it wins",
         "Of people in general this says nothing: that takes 4 raters or more."),
        (3, 52, 48, "No difference shown between the new model and the baseline in the eyes of 3",
         "64.5 % or more."),
        (8, 70, 30, "The new model is better than the baseline in the eyes of 8 raters: it wins",
         "For people in general it is better too (59.1 to 80.9 %, raters as a sample too)."),
        (8, 30, 70, "The new model is worse than the baseline in the eyes of 8 raters: it wins",
         "For people in general it is worse too (19.1 to 40.9 %, raters as a sample too)."),
        (4, 62, 38, "The new model is better than the baseline in the eyes of 4 raters: it wins",
         "For people in general (46.5 to 77.5 %, raters as a sample too) no winner is shown."),
        (8, 50, 50, "No difference shown between the new model and the baseline in the eyes of 8",
         "For people in general (38.1 to 61.9 %, raters as a sample too) no winner is shown."),
    ],
)  # fmt: skip
def test_verdict_names_its_raters_and_what_holds_beyond_them(raters, wins, losses, begins, ends):
    found = panel_verdict(raters, wins, losses)
    assert found.sentence.startswith(begins)
    assert found.sentence.endswith(ends)
    assert found.panel.people == raters


def test_simulated_raters_of_one_rule_are_one_opinion():
    names = [f"simulated-shorter-{n}" for n in range(1, 7)]
    found = panel_verdict(6, 70, 30, names)
    assert found.people is None
    assert "in the eyes of 6 raters of one rule: it wins" in found.sentence
    assert found.sentence.endswith("this says nothing: that takes 4 raters or more.")
    mixed = panel_verdict(6, 70, 30, [*names[:2], "simulated-expert-1", "ada", "bea", "cem"])
    assert mixed.people.raters == 5
    assert eyes_of(mixed.panel) == " in the eyes of 3 people and 3 raters of 2 rules"


def test_counts_without_raters_name_nobody():
    found = verdict(70, 30)
    assert (found.panel, found.people) == (None, None)
    assert found.sentence.startswith("The new model is better than the baseline: it wins 70.0 %")
    assert "people in general" not in found.sentence


def test_even_round_takes_about_a_hundred_votes():
    assert votes_for_even() == 96
