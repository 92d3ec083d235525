import numpy as np
import pytest
from scipy.stats import binomtest

from engine.core.errors import UserError
from engine.stats.power import detectable, plan, wins_needed

WINS = {
    50: 33, 60: 39, 70: 44, 80: 50, 90: 55, 100: 61, 150: 88, 200: 115, 300: 168, 400: 221, 800: 429
}  # fmt: skip


@pytest.mark.parametrize(("n", "wins"), WINS.items())
def test_wins_needed_are_those_of_the_exact_test(n, wins):
    assert wins_needed(n) == wins
    assert binomtest(wins, n).pvalue <= 0.05 < binomtest(wins - 1, n).pvalue


def test_fewer_than_six_votes_can_show_nothing():
    assert [wins_needed(n) for n in (0, 1, 5, 6)] == [None, None, None, 6]
    assert detectable(5) is None


@pytest.mark.parametrize(
    ("n", "rate"),
    [
        (50, 0.704),
        (100, 0.645),
        (150, 0.617),
        (200, 0.602),
        (300, 0.582),
        (400, 0.572),
        (800, 0.55),
    ],
)
def test_detectable_win_rates(n, rate):
    assert detectable(n) == pytest.approx(rate, abs=6e-4)


@pytest.mark.parametrize(
    ("rate", "n"), [(0.7, 52), (0.65, 90), (0.62, 146), (0.6, 204), (0.58, 312), (0.55, 808)]
)
def test_planned_sizes(rate, n):
    planned = plan(rate)
    assert planned.n == n
    assert planned.wins_needed == wins_needed(n)
    assert planned.power >= 0.8


def test_planned_power_is_reached_in_simulated_tests():
    planned = plan(0.65)
    wins = np.random.default_rng(0).binomial(planned.n, 0.65, 20_000)
    assert np.mean(wins >= planned.wins_needed) == pytest.approx(planned.power, abs=0.01)


def test_ties_add_votes():
    planned = plan(0.6, tie_rate=0.25)
    assert (planned.n, planned.votes) == (204, 272)
    assert planned.sentence == (
        "To show a true win rate of 60.0 % you need 204 decisive votes (272 votes with the ties "
        "expected): 117 wins then show a winner, which happens 80 times in 100."
    )


@pytest.mark.parametrize(
    "values",
    [
        {"win_rate": 0.5},
        {"win_rate": 1.1},
        {"win_rate": 0.6, "power": 1},
        {"win_rate": 0.6, "alpha": 0},
        {"win_rate": 0.6, "tie_rate": 1},
    ],
)
def test_impossible_plans_are_errors(values):
    with pytest.raises(UserError):
        plan(**values)


def test_power_plan_exists_at_the_edges():
    assert plan(1.0).n == 6
    assert plan(0.51).power >= 0.8
