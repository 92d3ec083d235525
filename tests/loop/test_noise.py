"""What noise in the votes does: raters who toss coins move nothing, three are better than one."""

from statistics import fmean

import pytest

from engine.core.actor import LOCAL
from engine.services.rating import pairs
from tests.loop import laps

pytestmark = pytest.mark.train


def test_coins_show_no_difference_and_move_no_model(start):
    """Measured: win rates .479 .471 .571 .546 .512, every interval covers one half.

    That the votes of the test are coins too would hide a model that moved, so the lengths tell:
    .90 to 1.08 as long, where raters with a wish make it .54 to .63 or 1.37 to 1.49.
    """
    found = [laps.once_round(start(), laps.wish(0.5), seed).seen for seed in range(1, 6)]
    covering = [seen for seen in found if seen.verdict.low < 0.5 < seen.verdict.high]
    assert len(covering) >= 4
    assert all(seen.report.sentence.startswith("No difference shown") for seen in covering)
    assert all(0.8 < seen.ratio < 1.25 for seen in found)


def test_pairs_of_three_raters_train_better_than_those_of_one(start):
    """Every vote is wrong one time in five; a blind round by a rater who never errs says how good.

    Measured with seeds 1 to 6: one rater .817 .833 .688 .679 .729 .700, three .900 .883 .821 .804
    .850 .875.
    """
    alone, three = ([gain(start(), seed, raters) for seed in (1, 2, 3)] for raters in (1, 3))
    assert fmean(three) > fmean(alone)


def gain(lap, seed, raters):
    """The win rate after a training on the pairs of so many raters who rate the same answers."""
    laps.rated(lap, laps.wish(0.8), seed, raters=raters)
    made = pairs.make(lap.ws, LOCAL, lap.project)
    done = laps.trained(lap, made.dataset_id, seed)
    seen = laps.compared(lap, done.result["model_id"], laps.wish(1.0), seed)
    return seen.verdict.win_rate
