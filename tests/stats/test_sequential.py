import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import binomtest

from engine.core.errors import UserError
from engine.stats.sequential import confidence_sequence, e_value, standing


@pytest.mark.parametrize(
    ("wins", "n", "expected"),
    [(10, 10, 93.0909), (9, 10, 9.3091), (60, 100, 0.9130), (65, 100, 11.4614), (66, 100, 21.6129),
     (70, 100, 427.31)],
)  # fmt: skip
def test_e_values(wins, n, expected):
    assert e_value(wins, n - wins) == pytest.approx(expected, rel=1e-4)


def test_66_of_100_is_the_first_to_stop():
    assert not standing(65, 35).stop
    assert standing(66, 34).stop
    assert standing(66, 34).sentence.startswith(
        "Stop: after 100 decisive votes the new model wins more"
    )
    assert standing(34, 66).sentence.startswith(
        "Stop: after 100 decisive votes the new model wins less"
    )


def test_the_confidence_sequence_is_wider_than_wilson():
    assert confidence_sequence(60, 40) == pytest.approx((0.4408, 0.7460), abs=5e-5)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 7), (300, 0), (5000, 4000)])
def test_bounds_stay_inside_zero_and_one_and_agree_with_the_evidence(wins, losses):
    now = standing(wins, losses)
    assert 0 <= now.low <= now.high <= 1
    assert now.stop == (not now.low <= 0.5 <= now.high)


def test_negative_votes_are_an_error():
    with pytest.raises(UserError):
        standing(-1, 0)


def test_peeking_after_every_vote_misleads_the_exact_test_but_not_the_e_process():
    rng = np.random.default_rng(0)
    n = np.arange(1, 401)
    wins = rng.integers(0, 2, (2000, 400)).cumsum(axis=1)
    log_e = betaln(1 + wins, 1 + n - wins) + n * np.log(2)
    assert log_e[0, -1] == pytest.approx(np.log(e_value(int(wins[0, -1]), 400 - int(wins[0, -1]))))
    assert np.mean((log_e >= np.log(20)).any(axis=1)) <= 0.05
    lost = np.array([[binomtest(k, m).pvalue < 0.05 for k in range(m + 1)] + [False] * (60 - m)
                     for m in range(1, 61)])  # fmt: skip
    peeked = lost[np.arange(60), wins[:, :60]].any(axis=1)
    assert np.mean(peeked) > 0.1


def test_a_strong_model_is_found_early():
    rng = np.random.default_rng(1)
    n = np.arange(1, 1001)
    wins = (rng.random((1000, 1000)) < 0.8).cumsum(axis=1)
    stops = (betaln(1 + wins, 1 + n - wins) + n * np.log(2) >= np.log(20)).argmax(axis=1) + 1
    assert np.median(stops) == pytest.approx(19, abs=1)
