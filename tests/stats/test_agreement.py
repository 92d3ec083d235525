import numpy as np
import pytest

from engine.core.errors import UserError
from engine.stats.agreement import agreement
from engine.stats.bias import position_bias

_ = None
CODINGS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
WIKIPEDIA = [
    [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
    [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
    [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
]
SIDES = [[1, 1, 0, -1, 1, 0], [1, 0, 0, -1, 1, -1], [1, 1, 1, -1, -1, 0]]


def rows(table):
    return [
        (item, rater, value)
        for rater, values in enumerate(table)
        for item, value in enumerate(values)
        if value is not None
    ]


@pytest.mark.parametrize(
    ("table", "level", "alpha"),
    [
        (CODINGS, "nominal", 0.743421),
        (CODINGS, "ordinal", 0.815388),
        (CODINGS, "interval", 0.849107),
        (CODINGS, "ratio", 0.797403),
        (WIKIPEDIA, "nominal", 0.691358),
        (WIKIPEDIA, "interval", 0.810845),
        (WIKIPEDIA, "ordinal", 0.806721),
        ([[1, 2, 3], [2, 3, 4]], "nominal", -0.153846),
        ([[1, 2, 3], [2, 3, 4]], "interval", 0.545455),
        (SIDES, "nominal", 0.352381),
        (SIDES, "ordinal", 0.459599),
        (SIDES, "interval", 0.471111),
    ],
)
def test_alpha_has_its_published_values(table, level, alpha):
    assert agreement(rows(table), level).alpha == pytest.approx(alpha, abs=1e-6)


def test_text_values_work_on_the_nominal_level_only():
    named = [(item, rater, f"value {value}") for item, rater, value in rows(CODINGS)]
    assert agreement(named, "nominal").alpha == pytest.approx(0.743421, abs=1e-6)
    with pytest.raises(UserError, match="'value 1', which is no number"):
        agreement(named, "ordinal")
    digits = [(item, rater, str(value)) for item, rater, value in rows(CODINGS)]
    assert agreement(digits, "ordinal").alpha == pytest.approx(0.815388, abs=1e-6)


def test_counts_and_the_sentence():
    found = agreement(rows(CODINGS), "ordinal")
    assert (found.raters, found.items, found.values) == (4, 11, 40)
    assert found.sentence.startswith("Agreement is reliable: alpha 0.82, two raters agree on 7")


@pytest.mark.parametrize(
    ("agree", "noise"), [(63, 0.245), (726, 0.164), (773, 0.131), (81, 0.106), (90, 0.053)]
)
def test_noise_follows_from_agreement(agree, noise):
    n = 100 if agree < 100 else 1000
    votes = [(i, "a", i % 2) for i in range(n)]
    votes += [(i, "b", i % 2 if i < agree else 1 - i % 2) for i in range(n)]
    found = agreement(votes)
    assert found.raw == pytest.approx(agree / n)
    assert found.noise == pytest.approx(noise, abs=6e-4)


def test_noise_recovers_the_rate_at_which_votes_were_flipped():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    votes = [
        (item, rater, int(value))
        for rater in range(3)
        for item, value in enumerate(truth ^ (rng.random(4000) < 0.15))
    ]
    assert agreement(votes).noise == pytest.approx(0.15, abs=0.01)


def test_guessing_has_no_noise_estimate():
    found = agreement([(0, "a", 1), (0, "b", 2), (1, "a", 2), (1, "b", 2)])
    assert (found.raw, found.noise) == (0.5, None)
    assert "no better than guessing" in found.sentence


@pytest.mark.parametrize("votes", [[], [(0, "a", 1)], [(0, "a", 1), (1, "b", 2)]])
def test_nothing_shared_is_said(votes):
    found = agreement(votes)
    assert (found.alpha, found.raw, found.noise, found.items) == (None, None, None, 0)
    assert found.sentence == "No item was rated by two people, so agreement cannot be measured."


def test_one_value_from_everybody_leaves_alpha_undefined():
    found = agreement([(0, "a", "x"), (0, "b", "x")])
    assert (found.alpha, found.raw, found.noise) == (None, 1, 0)
    assert found.sentence.startswith("Everybody gave the same value")


def test_bad_votes_are_errors():
    with pytest.raises(UserError, match="rated item 0 twice"):
        agreement([(0, "a", 1), (0, "a", 2)])
    with pytest.raises(UserError, match="no level"):
        agreement([], "cardinal")
    with pytest.raises(UserError, match="number from 0 up"):
        agreement([(0, "a", -1)], "ratio")
    with pytest.raises(UserError, match="no number"):
        agreement([(0, "a", "nan")], "interval")


@pytest.mark.parametrize(("n", "off"), [(20, 7), (30, 8), (50, 10), (100, 14)])
def test_a_side_is_flagged_from_the_known_thresholds_on(n, off):
    assert position_bias(n // 2 + off, n // 2 - off).biased
    assert position_bias(n // 2 - off, n // 2 + off).biased
    assert not position_bias(n // 2 + off - 1, n // 2 - off + 1).biased


def test_position_bias_without_votes_and_its_sentence():
    assert position_bias(0, 0).sentence == "No vote for either side yet."
    assert position_bias(64, 36).sentence.startswith(
        "Position bias: 64 of 100 votes went to the left"
    )
    with pytest.raises(UserError):
        position_bias(-1, 0)
