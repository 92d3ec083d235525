"""Noise of votes whose items differ in how hard they are, against flips that were drawn."""

import numpy as np
import pytest

from engine.stats.agreement import agreement
from engine.stats.vote_noise import Split, chance_wrong, vote_noise

ITEMS = 6000


def half(rng, easy, hard, share=0.5):
    return np.where(rng.random(ITEMS) < share, hard, easy)


WORLDS = {  # the chance of a flip of each item, and the estimate of equal noise before
    "half .02, half .40": (lambda rng: half(rng, 0.02, 0.40), 0.153, 0.063),
    "half sure, half a coin": (lambda rng: half(rng, 0.0, 0.5), 0.146, 0.058),
    "a third coins": (lambda rng: half(rng, 0.05, 0.5, 0.3), 0.124, 0.042),
    "Beta(1, 5)": (lambda rng: rng.beta(1, 5, ITEMS), 0.138, 0.052),
}


def drawn(chances, votes, seed=1):
    """Of each item the votes for the better answer and for the worse, and the first sorted away."""
    rng = np.random.default_rng(seed)
    wrong = (rng.random((len(chances), votes)) < chances[:, None]).sum(1)
    swap = rng.random(len(chances)) < 0.5
    right = votes - wrong
    splits = [Split(w, r) if s else Split(r, w)
              for r, w, s in zip(right.tolist(), wrong.tolist(), swap, strict=True)]  # fmt: skip
    return splits, wrong


@pytest.mark.parametrize("name", WORLDS)
def test_noise_of_uneven_items_lies_between_least_and_most_and_nearer_the_likely(name):
    world, before, majority_before = WORLDS[name]
    chances = world(np.random.default_rng(7))
    splits, wrong = drawn(chances, 3)
    found = vote_noise(splits)
    truth = float(np.minimum(chances, 1 - chances).mean())
    assert found.least == pytest.approx(before, abs=0.012)
    assert found.least < truth <= found.most + 0.012
    assert abs(found.likely - truth) < abs(found.least - truth)
    lost = (wrong > 1).mean()
    said = np.mean([chance_wrong(found, max(split), min(split)) for split in splits])
    assert majority_before < 0.064 < said
    assert abs(said - lost) < abs(majority_before - lost)


def test_least_and_most_are_those_of_jensen():
    splits = [Split(3, 0)] * 61 + [Split(2, 1)] * 39
    found = vote_noise(splits)
    agreed = (61 * 3 + 39) / 300
    assert found.most == pytest.approx(1 - agreed)
    assert found.least * (1 - found.least) == pytest.approx((1 - agreed) / 2)
    shape = (1 - agreed) / (2 * agreed - 1)  # E[p (1 - p)] of Beta(a, a) is a / (2 (2 a + 1))
    assert found.shape == pytest.approx(shape, rel=1e-3)


def test_five_votes_an_item_tell_items_that_are_alike():
    alike, _ = drawn(np.full(ITEMS, 0.15), 5)
    found = vote_noise(alike)
    assert found.shape is None
    assert found.likely == found.least == pytest.approx(0.15, abs=0.005)
    assert chance_wrong(found, 2, 1) == pytest.approx(found.least)
    uneven, _ = drawn(half(np.random.default_rng(7), 0.02, 0.40), 5)
    assert vote_noise(uneven).shape is not None


def test_majority_is_wrong_as_often_as_bayes_says_for_beta_items():
    rng = np.random.default_rng(4)
    shares = rng.beta(0.6, 0.6, 40_000)
    first = rng.binomial(3, shares)
    found = vote_noise([Split(k, 3 - k) for k in first.tolist()])
    assert found.shape == pytest.approx(0.6, rel=0.05)
    for ahead in (2, 3):
        worse = (shares[first == ahead] < 0.5).mean()
        assert chance_wrong(found, ahead, 3 - ahead) == pytest.approx(worse, abs=0.01)


def test_perfect_agreement_has_no_noise_and_none_tells_nothing():
    assert vote_noise([Split(2, 0)] * 5).most == 0.0
    assert chance_wrong(vote_noise([Split(2, 0)] * 5), 1, 0) == 0.0
    assert vote_noise([Split(1, 1)] * 5) is None
    assert vote_noise([Split(1, 0)] * 5) is None


def test_agreement_says_the_least_the_likely_and_the_most():
    splits, _ = drawn(half(np.random.default_rng(7), 0.0, 0.5), 3)
    rows = [(n, r, int(r < split.one)) for n, split in enumerate(splits) for r in range(3)]
    found = agreement(rows)
    assert found.noise == pytest.approx(found.flips.least)
    assert "at least 15 % of votes flipped, likely 18 %, up to 25 % where some" in found.sentence
    alike, _ = drawn(np.full(ITEMS, 0.15), 5)
    rows = [(n, r, int(r < split.one)) for n, split in enumerate(alike) for r in range(5)]
    assert agreement(rows).sentence.endswith("at least 15 % of votes flipped.")
