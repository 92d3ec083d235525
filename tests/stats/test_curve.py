"""Learning curves of known laws: the law is found, a flat curve promises nothing."""

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.stats.curve import learning_curve

SIZES = (40, 100, 200, 400)


def drawn(law, spread, seed, seeds=2):
    rng = np.random.default_rng(seed)
    return {size: law(size) + spread * rng.standard_normal(seeds) for size in SIZES}


def steep(size):
    return 1 + 6 * size**-0.5


def test_known_law_is_recovered_from_curves_without_noise():
    found = learning_curve({size: [steep(size)] * 2 for size in SIZES})
    assert found.law.exponent == pytest.approx(0.5, rel=0.05)
    assert found.law.floor == pytest.approx(1, abs=0.03)
    for size in (70, 800):
        assert found.law.at(size) == pytest.approx(steep(size), abs=0.005)
    assert found.gain == pytest.approx(steep(400) - steep(800), abs=0.003)


@pytest.mark.parametrize("spread", [0.01, 0.05])
def test_interval_of_the_gain_holds_the_truth_about_95_times_in_100(spread):
    truth = steep(400) - steep(800)
    found = [learning_curve(drawn(steep, spread, seed), seed) for seed in range(60)]
    held = sum(one.gain_low <= truth <= one.gain_high for one in found)
    assert 53 <= held <= 60


def test_flat_curve_says_no_gain_all_but_never():
    found = [learning_curve(drawn(lambda _: 2.0, 0.02, seed), seed) for seed in range(60)]
    assert sum(one.worth_it for one in found) <= 3
    said = [one.sentence for one in found if one.gain_low <= 0]
    assert all(sentence.startswith("No gain shown") for sentence in said)


def test_steep_curve_is_worth_collecting_and_says_by_how_much():
    found = learning_curve(drawn(steep, 0.01, 3))
    assert found.worth_it
    assert found.sentence == (
        f"Twice the data would lower the held-out loss by about {found.gain:.3f} "
        f"({found.gain_low:.3f} to {found.gain_high:.3f}): worth collecting."
    )


def test_gain_of_less_than_a_hundredth_is_hardly_worth_it():
    found = learning_curve({size: [5 + 0.1 * size**-0.5] * 2 for size in SIZES})
    assert found.gain_low > 0
    assert not found.worth_it
    assert "hardly worth collecting" in found.sentence


def test_data_curve_of_harmful_data_promises_no_gain():
    found = learning_curve({size: [2 + size / 1000, 2.001 + size / 1000] for size in SIZES})
    assert found.gain_high < 0
    assert found.sentence == "No gain shown: more rows did not lower the held-out loss."


def test_interval_of_a_point_is_students_with_the_pooled_spread():
    found = learning_curve({10: [1.0, 1.2], 20: [0.9, 0.9], 40: [0.8, 0.8]})
    spread = (0.02 / 3) ** 0.5  # squares 0.02 + 0 + 0 over three degrees of freedom
    half = 3.182446 * spread / 2**0.5  # t(0.975, 3)
    assert found.points[0].mean == pytest.approx(1.1)
    assert found.points[0].high - found.points[0].mean == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize(
    "losses",
    [{10: [1, 1], 20: [1, 1]}, {10: [1], 20: [1], 30: [1]}, {1: [1, 1], 2: [1, 1], 3: [1, np.nan]}],
)
def test_data_curve_of_too_few_points_is_refused(losses):
    with pytest.raises(UserError):
        learning_curve(losses)
