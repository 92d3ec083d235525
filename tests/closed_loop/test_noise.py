"""What noise in the votes does: raters who toss coins move nothing, three are better than one."""

from math import sqrt
from statistics import fmean

import pytest

from engine.core.actor import LOCAL
from engine.services.data import datasets
from engine.services.preferences import build
from engine.simulated_raters.simple import shorter
from tests.closed_loop import loop_steps

pytestmark = pytest.mark.train


@pytest.mark.proof
def test_random_raters_show_no_difference_and_promote_no_model(start):
    """Measured: win rates .550 .475 .400 .546 .442; the third interval ends at .483.

    That the votes of the test are coins too would hide a model that moved, so the lengths tell:
    .82 to 1.17 as long, where raters with a wish make it .51 to .66 or 1.37 to 1.44.
    """
    found = [
        loop_steps.once_round(start(), loop_steps.wish(0.5), seed).seen for seed in range(1, 6)
    ]
    covering = [seen for seen in found if seen.verdict.low < 0.5 < seen.verdict.high]
    assert len(covering) >= 4
    assert all(seen.report.sentence.startswith("No difference shown") for seen in covering)
    assert all(0.75 < seen.ratio < 1.3 for seen in found)


def test_random_raters_of_one_round_promote_no_model(start):
    """Lengths tell, as below; a rate of coins is within 4 standard errors of one half."""
    seen = loop_steps.once_round(start(), loop_steps.wish(0.5), 1).seen
    assert abs(seen.verdict.win_rate - 0.5) <= 4 * sqrt(0.25 / seen.verdict.n)
    assert 0.75 < seen.ratio < 1.3


@pytest.mark.proof
def test_pairs_of_three_raters_train_better_than_those_of_one(start):
    """Every vote is wrong one time in five; a blind round by a rater who never errs says how good.

    Measured with seeds 1 to 3: one rater .738 .733 .833, three .787 .812 .850.
    """
    alone, three = ([gain(start(), seed, raters) for seed in (1, 2, 3)] for raters in (1, 3))
    assert fmean(three) > fmean(alone)


def gain(lap, seed, raters):
    """The win rate after a training on the pairs of so many raters who rate the same answers."""
    loop_steps.rated(lap, loop_steps.wish(0.8), seed, raters=raters)
    made = build.make(lap.ws, LOCAL, lap.project)
    done = loop_steps.trained(lap, made.dataset_id, seed)
    seen = loop_steps.compared(lap, done.result.model_id, loop_steps.wish(1.0), seed)
    return seen.verdict.win_rate


def test_majority_of_three_raters_errs_less_than_one(start):
    """Every vote errs one time in five, a majority of three in 10.4 of 100 (0.2 ** 3 + 3 * 0.032).

    Both shares are within 4 standard errors of what the arithmetic says.
    """
    for raters, expected in ((1, 0.2), (3, 0.104)):
        lap = start()
        one = loop_steps.rated(lap, loop_steps.wish(0.8), 1, raters=raters)
        rows = datasets.rows(lap.ws, LOCAL, build.make(lap.ws, LOCAL, lap.project).dataset_id)
        assert one.plan.overlap == raters
        pairs = [(row.example.chosen, row.example.rejected) for row in rows]
        wrong = [shorter(*pair, (), None) == "right" for pair in pairs]
        assert abs(fmean(wrong) - expected) <= 4 * sqrt(expected * (1 - expected) / len(rows))
