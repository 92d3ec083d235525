import json

import numpy as np
import pytest
from nltk.metrics.agreement import AnnotationTask
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from engine.core.errors import UserError
from engine.stats.agreement import (
    ac1,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    majority_noise,
    noise_rate,
    scott_pi,
)
from engine.stats.rated_pairs import RatedPair, hash_order_score

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
    found = agreement([(0, "a", 1), (0, "b", 2), (1, "a", 2), (1, "b", 1)])
    assert (found.raw, found.noise) == (0.0, None)
    assert "no better than guessing" in found.sentence


def test_agreement_above_chance_is_never_called_guessing():
    five = [(n, r, 1 + (n + r * (n % 2)) % 5) for n in range(100) for r in (0, 1)]
    found = agreement(five)
    assert (found.raw, found.noise) == (0.5, None)  # five answers: no two-answer formula
    assert found.alpha == pytest.approx(0.377, abs=0.005)  # 1 - 0.5 / (0.8 * 200 / 199)
    assert "guessing" not in found.sentence
    assert "flipped" not in found.sentence


@pytest.mark.parametrize("thresholds", [(0.2, 1.0), (0.3, 0.8), (0.2, 0.9)])
def test_raters_who_never_contradict_each_other_have_no_noise(thresholds):
    """One judgement, two thresholds for a tie: votes differ, winners never do."""
    seen = np.random.default_rng(1).standard_normal(3000)
    votes = [
        (item, rater, 0 if abs(value) < least else int(np.sign(value)))
        for rater, least in enumerate(thresholds)
        for item, value in enumerate(seen)
    ]
    found = agreement(votes, "ordinal", tie=0)
    assert found.raw < 0.7
    assert (found.decided, found.noise) == (1.0, 0.0)
    assert found.decided_items == int((np.abs(seen) >= max(thresholds)).sum())
    assert "at least 0 % of votes flipped" in found.sentence
    assert "guessing" not in found.sentence


def test_noise_where_items_differ_is_a_lower_bound():
    """Half sure, half a coin: the true mean is 0.25, agreement 0.75 says at least 0.146."""
    rng = np.random.default_rng(2)
    flips = rng.random((2, 20_000)) < np.where(np.arange(20_000) % 2, 0.5, 0.0)
    found = agreement([(n, r, int(flips[r, n])) for r in (0, 1) for n in range(20_000)])
    assert found.noise == pytest.approx(0.146, abs=0.01)
    assert found.noise < flips.mean()
    assert "at least 15 % of votes flipped" in found.sentence


@pytest.mark.parametrize("votes", [[], [(0, "a", 1)], [(0, "a", 1), (1, "b", 2)]])
def test_agreement_without_shared_items_says_so(votes):
    found = agreement(votes)
    assert (found.alpha, found.raw, found.noise, found.items) == (None, None, None, 0)
    assert found.sentence == "No item was rated by two people, so agreement cannot be measured."


def test_alpha_is_undefined_where_everybody_gives_one_value():
    found = agreement([(0, "a", "x"), (0, "b", "x")])
    assert (found.alpha, found.raw, found.noise) == (None, 1, 0)
    assert found.sentence.startswith("Everybody gave the same value")


def test_agreement_refuses_bad_votes():
    with pytest.raises(UserError, match="rated item 0 twice"):
        agreement([(0, "a", 1), (0, "a", 2)])
    with pytest.raises(UserError, match="no level"):
        agreement([], "cardinal")
    with pytest.raises(UserError, match="number from 0 up"):
        agreement([(0, "a", -1)], "ratio")
    with pytest.raises(UserError, match="no number"):
        agreement([(0, "a", "nan")], "interval")


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [
        ("y" * 20 + "y" * 5 + "n" * 10 + "n" * 15, "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15, 0.4),
        ([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2], 0.428571),
    ],
)
def test_cohens_kappa_has_its_published_values(first, second, kappa):
    assert cohen_kappa(list(first), list(second)) == pytest.approx(kappa, abs=1e-6)
    assert cohen_kappa(list(first), list(second)) == pytest.approx(
        cohen_kappa_score(list(first), list(second))
    )


def test_fleiss_kappa_has_its_published_value():
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(table) == pytest.approx(0.209931, abs=1e-6)
    assert fleiss_kappa(table) == pytest.approx(statsmodels_fleiss(np.array(table)))


def test_kappa_without_anything_to_compare_is_none_and_mismatches_are_errors():
    assert cohen_kappa([], []) is cohen_kappa(["a"], ["a"]) is fleiss_kappa([]) is ac1([]) is None
    with pytest.raises(UserError, match="One rater has 1 values, the other 2"):
        cohen_kappa(["a"], ["a", "b"])
    with pytest.raises(UserError, match="different numbers of raters"):
        fleiss_kappa([[2, 0], [1, 2]])


PREVALENT = [("left", "left")] * 90 + [("left", "right")] * 5 + [("right", "left")] * 5


def test_votes_that_are_nearly_all_alike_keep_their_agreement_in_hash_order():
    """Coded as new against old they look like guesses: kappa -0.05, alpha -0.05, AC1 0.89."""
    naive = agreement([(n, r, v) for n, row in enumerate(PREVALENT) for r, v in enumerate(row)])
    assert naive.raw == pytest.approx(0.9)
    assert naive.alpha == pytest.approx(-0.0474, abs=1e-4)
    assert naive.ac1 == pytest.approx(0.8895, abs=1e-4)
    first, second = zip(*PREVALENT, strict=True)
    assert cohen_kappa(first, second) == pytest.approx(-0.0526, abs=1e-4)
    votes = [
        (n, rater, hash_order_score(RatedPair(str(n), str(rater), "new", "old", choice)))
        for n, row in enumerate(PREVALENT)
        for rater, choice in enumerate(row)
    ]
    found = agreement(votes, "ordinal")
    assert found.raw == pytest.approx(0.9)
    assert found.alpha == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("noise", "wrong"), [(0.245, 0.151), (0.164, 0.072), (0.131, 0.047), (0.106, 0.031)]
)
def test_majority_of_three_is_wrong_less_often(noise, wrong):
    assert majority_noise(noise) == pytest.approx(wrong, abs=1e-3)
    assert majority_noise(noise) == pytest.approx(3 * noise**2 - 2 * noise**3)


def test_noise_of_a_majority_is_that_of_simulated_raters():
    rng = np.random.default_rng(3)
    flipped = (rng.random((5, 400_000)) < 0.2).sum(axis=0) >= 3
    assert majority_noise(0.2, 5) == pytest.approx(flipped.mean(), abs=0.002)


def test_even_majority_or_an_impossible_noise_is_an_error():
    for noise, raters in ((0.1, 2), (0.1, 0), (1.1, 3)):
        with pytest.raises(UserError, match="odd number of raters"):
            majority_noise(noise, raters)


@pytest.mark.parametrize("raw", [None, 0.0, 0.3, 0.5])
def test_agreement_of_one_half_or_less_has_no_noise_rate(raw):
    assert noise_rate(raw) is None


def test_real_raters_agree_as_published(shared_data):
    """999 pairs judged by three people (PandaLM), against scikit-learn and krippendorff."""
    folder = shared_data / "ratings"
    expected = json.loads((folder / "pandalm_expected.json").read_text())
    pairs = json.loads((folder / "pandalm_testset_v1.json").read_text())
    found = agreement(
        [(n, r, pair[f"annotator{r}"]) for n, pair in enumerate(pairs) for r in (1, 2, 3)]
    )
    assert found.alpha == pytest.approx(expected["krippendorff_alpha_nominal"], abs=1e-6)
    assert found.raw == pytest.approx(np.mean(list(expected["raw_agreement"].values())), abs=1e-6)
    for name, kappa in expected["cohen_kappa"].items():
        one, other = name.split("-")
        values = [[pair[f"annotator{r}"] for pair in pairs] for r in (one, other)]
        assert cohen_kappa(*values) == pytest.approx(kappa, abs=1e-6)


def test_scott_pi_has_its_published_value():
    """Artstein and Poesio 2008, table 2: 20, 20, 10 and 50 utterances of two kinds."""
    first = ["s"] * 40 + ["i"] * 60
    second = ["s"] * 20 + ["i"] * 20 + ["s"] * 10 + ["i"] * 50
    assert scott_pi(first, second) == pytest.approx(0.341, abs=5e-4)
    assert cohen_kappa(first, second) == pytest.approx(0.348, abs=5e-4)
    coded = [(rater, n, value) for rater, said in (("a", first), ("b", second))
             for n, value in enumerate(said)]  # fmt: skip
    assert scott_pi(first, second) == pytest.approx(AnnotationTask(coded).pi())


def test_scott_pi_of_nothing_or_of_one_value_is_undefined():
    assert scott_pi([], []) is scott_pi(["a"], ["a"]) is None
    with pytest.raises(UserError, match="One rater has 1 values"):
        scott_pi(["a"], [])


def test_agreement_has_fleiss_kappa_where_items_have_equal_numbers_of_ratings():
    rows = [(n, r, value) for n, values in enumerate(("aab", "bbb", "abb", "aaa"))
            for r, value in enumerate(values)]  # fmt: skip
    expected = fleiss_kappa([[2, 1], [0, 3], [1, 2], [3, 0]])
    assert agreement(rows).fleiss == pytest.approx(expected)
    assert agreement(rows[:-1]).fleiss is None
    assert agreement([]).fleiss is None
