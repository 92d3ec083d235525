"""Learning curves of known laws: the law is found, a flat curve promises nothing."""

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.core.learning_curve import MoreData, Shape
from engine.stats.learning_curve import learning_curve

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
    found = [learning_curve(drawn(steep, spread, seed)) for seed in range(60)]
    held = sum(one.gain_low <= truth <= one.gain_high for one in found)
    assert 53 <= held <= 60


def test_flat_curve_says_no_gain_all_but_never():
    found = [learning_curve(drawn(lambda _: 2.0, 0.02, seed)) for seed in range(60)]
    assert sum(one.worth_it for one in found) <= 3
    said = [one.sentence for one in found if one.gain_low <= 0]
    assert all(sentence.startswith("No gain shown") for sentence in said)


def test_steep_curve_is_worth_collecting_and_says_by_how_much():
    every = [learning_curve(drawn(steep, 0.01, seed)) for seed in range(20)]
    assert sum(one.worth_it for one in every) == 18  # the other two may be worth it
    found = every[4]
    assert found.decision is MoreData.WORTH
    assert found.sentence == (
        f"Twice the data would lower the held-out loss by about {found.gain:.3f} "
        f"({found.gain_low:.3f} to {found.gain_high:.3f}): worth collecting. This assumes rows "
        "like these, and a curve that goes on as smoothly as up to 400 rows: a bend after 200 rows "
        "would not show."
    )


FOUR = (30, 75, 150, 300)
CURVES = {
    "power": lambda n: 1 + 2 * n**-0.2,
    "steep power": lambda n: 2 + 10 / n,
    "saturating": lambda n: 2 + 0.5 * np.exp(-n / 80),
    "saturated": lambda n: 2 + 0.5 * np.exp(-n / 40),
    "logarithm": lambda n: 3 - 0.1 * np.log(n),
    "flat from 100 rows on": lambda n: 1.5 + 0.5 * (min(n, 100) / 100) ** -0.5,
    "flat": lambda _: 2.0,
}


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("name", CURVES)
def test_gain_interval_holds_the_truth_for_curves_of_many_shapes(name, spread):
    curve, rng = CURVES[name], np.random.default_rng(1)
    truth = curve(300.0) - curve(600.0)
    found = [
        learning_curve({n: curve(n) + spread * rng.standard_normal(2) for n in FOUR})
        for _ in range(100)
    ]
    held = sum(one.gain_low <= truth + 1e-9 and truth - 1e-9 <= one.gain_high for one in found)
    assert held >= 90, held  # .935 to .988 over 400 each; 2.2 standard errors of .95 are 4.8


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("name", ["flat from 100 rows on", "saturated", "flat"])
def test_curve_that_became_flat_is_never_worth_more_data(name, spread):
    curve, rng = CURVES[name], np.random.default_rng(2)
    found = [
        learning_curve({n: curve(n) + spread * rng.standard_normal(2) for n in FOUR})
        for _ in range(100)
    ]
    assert not sum(one.worth_it for one in found)
    assert sum(one.decision is MoreData.MAYBE for one in found) <= 8


@pytest.mark.parametrize("name", ["power", "logarithm", "saturating"])
def test_law_of_each_shape_is_drawn_through_its_points(name):
    found = learning_curve({n: [CURVES[name](n)] * 2 for n in FOUR})
    shapes = {"power": Shape.POWER, "logarithm": Shape.LOGARITHM, "saturating": Shape.EXPONENTIAL}
    assert found.law.shape is shapes[name]
    for size in (*FOUR, 600):
        assert found.law.at(size) == pytest.approx(CURVES[name](size), abs=0.002)


def test_last_doubling_stands_beside_the_gain():
    found = learning_curve({30: [2.4, 2.5], 90: [2.2, 2.3], 360: [2.0, 2.1]}).last_doubling
    assert (found.before, found.rows) == (90, 360)
    assert found.drop == pytest.approx(0.1)  # 0.2 over two doublings
    assert found.drop - found.low == pytest.approx(3.182446 * 0.005**0.5 / 2)  # t(.975, 3)


@pytest.mark.parametrize(
    ("losses", "decision", "sentence"),
    [
        (
            {30: [2.4, 2.5], 75: [2.0, 2.1], 150: [2.0, 2.1], 300: [2.0, 2.1]},
            MoreData.NOT_SHOWN,
            "No gain shown: from 150 to 300 rows the loss fell by no more than chance; twice the "
            "data would lower the held-out loss by ",
        ),
        (
            {30: [2.4, 2.401], 75: [2.0, 2.001], 150: [2.0, 2.001], 300: [2.0, 2.001]},
            MoreData.HARDLY,
            "No gain shown: twice the data would lower the held-out loss by 0.0",
        ),
        (
            {30: [2.9, 2.94], 75: [2.6, 2.64], 150: [2.4, 2.44], 300: [2.29, 2.33]},
            MoreData.MAYBE,
            "Twice the data would lower the held-out loss by about ",
        ),
        (
            {30: [2.4, 2.401], 75: [2.0, 2.001], 150: [2.3, 2.301], 300: [2.1, 2.101]},
            MoreData.NO_CURVE,
            "The losses follow no smooth curve, so they do not tell what more data would do. "
            "Train with more seeds.",
        ),
    ],
)
def test_curve_says_what_it_can_and_cannot_tell(losses, decision, sentence):
    found = learning_curve(losses)
    assert found.decision is decision
    assert found.sentence.startswith(sentence)
    assert not found.worth_it


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
