import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit

from engine.core.errors import UserError
from engine.stats.length_bias import length_controlled, logit, longer_chosen
from engine.stats.rated_pairs import RatedPair


def campaign(rng, side, model, length, prompts=1000, raters=2, longer_by=0.0, ties=0.0):
    """Votes drawn from the very model that is fitted; `longer_by`: new's mean extra length."""
    n = prompts * raters
    on_left = rng.choice([-1, 1], n)
    extra = rng.normal(longer_by, 100, n) * on_left
    shape = np.tanh(extra / extra.std())
    left_wins = rng.random(n) < expit(side + model * on_left + length * shape)
    tied = rng.random(n) < ties
    return [
        RatedPair(
            str(i // raters), f"r{i % raters}", *(("new", "old") if on > 0 else ("old", "new")),
            "tie" if tie else "left" if won else "right", 1000 + more, 1000,
        )
        for i, (on, more, won, tie) in enumerate(
            zip(on_left, extra.tolist(), left_wins, tied, strict=True)
        )
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_side_model_and_length_are_recovered(seed):
    found = length_controlled(campaign(np.random.default_rng(seed), 0.3, 0.4, 0.5), "new")
    for effect, truth in ((found.side, 0.3), (found.model, 0.4), (found.length, 0.5)):
        assert abs(effect.value - truth) < 3 * effect.error
        assert effect.error < 0.1
    assert found.low < expit(0.4) < found.high


@pytest.mark.parametrize("ties", [0.0, 0.3])
def test_fit_is_that_of_statsmodels_with_clustered_errors(ties):
    votes = campaign(np.random.default_rng(3), 0.2, -0.3, 0.6, prompts=80, raters=3, ties=ties)
    y = np.array([vote.left_score for vote in votes])
    gap = np.array([vote.left_len - vote.right_len for vote in votes])
    on_left = np.array([1 if vote.left == "new" else -1 for vote in votes])
    x = np.column_stack([np.ones(len(votes)), on_left, np.tanh(gap / gap.std())])
    groups = np.array([int(vote.prompt) for vote in votes])
    theirs = sm.GLM(y, x, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    found = length_controlled(votes, "new")
    ours = (found.side, found.model, found.length)
    assert [effect.value for effect in ours] == pytest.approx(theirs.params, abs=1e-6)
    assert [effect.error for effect in ours] == pytest.approx(theirs.bse, rel=1e-4)
    assert [effect.p for effect in ours] == pytest.approx(theirs.pvalues, rel=1e-2, abs=1e-6)


def test_round_won_by_length_alone_is_not_shown_once_lengths_are_equal():
    rng = np.random.default_rng(4)
    votes = campaign(rng, 0, 0, 1.5, prompts=300, raters=1, longer_by=80)
    found = length_controlled(votes, "new")
    assert found.raw > 0.6
    assert found.low < 0.5 < found.high
    assert "no difference beyond them is shown" in found.sentence
    assert longer_chosen(votes).warn


def test_round_won_on_merit_stays_won():
    votes = campaign(np.random.default_rng(5), 0.3, 0.8, 0.5, prompts=200, raters=1)
    found = length_controlled(votes, "new")
    assert found.low > 0.5
    assert "not explained by length or side" in found.sentence


def test_interval_covers_one_half_for_equal_models_with_several_raters():
    rng = np.random.default_rng(6)
    covered = [
        found.low <= 0.5 <= found.high
        for found in (
            length_controlled(campaign(rng, 0.3, 0, 0.8, prompts=60, raters=2), "new")
            for _ in range(200)
        )
    ]
    assert 0.9 <= np.mean(covered) <= 0.99


def test_without_lengths_the_side_alone_is_accounted_for():
    votes = campaign(np.random.default_rng(7), 0.5, 0.4, 0)
    bare = [vote._replace(left_len=None, right_len=None) for vote in votes]
    found = length_controlled(bare, "new")
    assert found.length is None
    assert abs(found.side.value - 0.5) < 3 * found.side.error
    assert "With equal sides" in found.sentence
    assert length_controlled([v._replace(left_len=5, right_len=5) for v in bare], "new") == found


def test_swapping_the_names_mirrors_the_win_rate():
    votes = campaign(np.random.default_rng(8), 0.2, 0.3, 0.4, prompts=100)
    new, old = length_controlled(votes, "new"), length_controlled(votes, "old")
    assert new.win_rate == pytest.approx(1 - old.win_rate)
    assert (new.low, new.high) == pytest.approx((1 - old.high, 1 - old.low))


def test_length_fit_says_where_side_and_model_cannot_be_separated():
    one_side = [
        RatedPair(str(n), "a", "new", "old", "left" if n % 3 else "right") for n in range(30)
    ]
    always = [
        RatedPair(str(n), "a", *(("new", "old", "left") if n % 2 else ("old", "new", "right")))
        for n in range(30)
    ]
    one_vote = one_side[:1]
    one_prompt = [vote._replace(prompt="p", rater=str(n)) for n, vote in enumerate(always)]
    for votes in (one_side, always, one_vote, one_prompt):
        found = length_controlled(votes, "new")
        assert (found.win_rate, found.low, found.high) == (None, 0, 1)
        assert math.isfinite(found.raw)
        assert "cannot tell the model from its side or its length" in found.sentence


def test_lengths_in_some_lines_only_are_an_error():
    votes = campaign(np.random.default_rng(9), 0, 0, 0, prompts=10)
    votes[3] = votes[3]._replace(left_len=None)
    with pytest.raises(UserError, match="1 of 20 votes have no lengths"):
        length_controlled(votes, "new")


def test_regression_without_a_second_cluster_or_enough_votes_has_no_fit():
    assert logit([[1.0], [1.0]], [0, 1], ["a", "a"]) is None
    assert logit(np.empty((0, 1)), [], []) is None


@pytest.mark.parametrize(
    ("longer", "n", "warn"), [(59, 100, False), (61, 100, True), (3, 4, False)]
)
def test_raters_who_choose_the_longer_answer_are_warned_about(longer, n, warn):
    votes = [
        RatedPair(str(i), "a", "x", "y", "left", 9, 5) if i < longer
        else RatedPair(str(i), "a", "x", "y", "left", 5, 9)
        for i in range(n)
    ]  # fmt: skip
    votes += [
        votes[0]._replace(prompt="tie", choice="tie"),
        RatedPair("none", "a", "x", "y", "left"),
    ]
    found = longer_chosen(votes)
    assert (found.longer, found.shorter, found.warn) == (longer, n - longer, warn)
    assert ("may be rewarding length" in found.sentence) == warn


def test_length_fit_without_lengths_says_so():
    found = longer_chosen([])
    assert (found.share, found.low, found.high, found.warn) == (0.5, 0, 1, False)


@pytest.mark.parametrize(
    ("longer", "n", "said"),
    [
        (580, 1000, "Longer answers win somewhat more often"),
        (20, 100, "Shorter answers win more often"),
        (6, 8, "It is not shown that length matters"),
        (61, 100, "may be rewarding length"),
    ],
)
def test_longer_chosen_says_its_test_and_its_interval(longer, n, said):
    votes = [
        RatedPair(str(i), "a", "x", "y", "left", *((9, 5) if i < longer else (5, 9)))
        for i in range(n)
    ]
    found = longer_chosen(votes)
    assert said in found.sentence
    assert f"95 % interval {100 * found.low:.0f} to {100 * found.high:.0f} %" in found.sentence


def test_length_control_speaks_of_association_where_it_turns_the_result():
    votes = campaign(np.random.default_rng(4), 0, 0, 1.5, prompts=300, raters=1, longer_by=80)
    said = length_controlled(votes, "new").sentence
    assert "longer because they are better" in said
    assert "would lose" not in said
