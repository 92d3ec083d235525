"""Paired tests of translation research: sacrebleu's p for p, and their level."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from engine.metrics.score import find
from engine.stats.resampling import approximate_randomisation, paired_bootstrap

RNG = np.random.default_rng(3)
WORDS = ["the", "cat", "sat", "on", "a", "mat", "while", "dogs", "ran", "over", "old", "hills"]
REFERENCES = [" ".join(RNG.choice(WORDS, 12)) for _ in range(60)]


def worse(share, seed):
    rng = np.random.default_rng(seed)
    return [
        " ".join(w if rng.random() > share else str(rng.choice(WORDS)) for w in text.split())
        for text in REFERENCES
    ]


SYSTEMS = [("base", worse(0.3, 1)), ("near", worse(0.27, 2)), ("far", worse(0.15, 4))]


def parts(name, texts):
    return find(name)(texts, [[each] for each in REFERENCES]).parts


@pytest.mark.parametrize(
    ("name", "metric"), [("bleu", BLEU(effective_order=True)), ("chrf:word_order=2",
                                                               CHRF(word_order=2))]
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "test", "draws"),
    [("ar", approximate_randomisation, 1000), ("bs", paired_bootstrap, 500)],
)
def test_p_is_that_of_sacrebleu(name, metric, kind, test, draws):
    theirs = PairedTest(SYSTEMS, {"m": metric}, [REFERENCES], test_type=kind, n_samples=draws)()[1]
    results = next(found for key, found in theirs.items() if key != "System")
    base = parts(name, SYSTEMS[0][1])
    for (_, texts), result in zip(SYSTEMS[1:], results[1:], strict=True):
        ours = test(base, parts(name, texts), find(name).from_parts, draws)
        assert ours == pytest.approx(result.p_value, abs=1.5 / draws)


@pytest.mark.parametrize("test", [approximate_randomisation, paired_bootstrap])
def test_system_against_itself_is_not_by_chance(test):
    same = parts("bleu", SYSTEMS[0][1])
    assert test(same, same, find("bleu").from_parts, 200) == pytest.approx(1 / 201)


def test_randomisation_of_equal_systems_names_five_in_a_hundred():
    def mean(totals):
        return totals[0] / totals[1]

    rng = np.random.default_rng(8)
    found = []
    for _ in range(300):
        base, new = ([(score, 1.0) for score in rng.beta(2, 2, 40)] for _ in range(2))
        found.append(approximate_randomisation(base, new, mean, 200))
    assert sum(p < 0.05 for p in found) / 300 == pytest.approx(0.05, abs=0.03)
