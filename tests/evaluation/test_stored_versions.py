"""Evaluations that older versions stored open with everything in its place."""

import json
from pathlib import Path

import pytest

from engine.core.evaluation import Evaluation, Gain, GainDecision

FIXTURE = Path(__file__).parent / "fixtures" / "evaluation_0_1.json"  # written by c3e550b
BETTER, WORSE, NO_DIFFERENCE, TOO_FEW = GainDecision


@pytest.fixture(scope="module")
def stored():
    return json.loads(FIXTURE.read_text(encoding="utf-8"))


def test_gain_decision_of_version_0_1_follows_from_the_stored_numbers(stored):
    gains = Evaluation.model_validate(stored).gains
    for metric in ("exact_match", "rougeL"):
        decisions = {model: gains[model][metric].decision for model in gains}
        assert decisions == {
            "better": BETTER,
            "slightly": NO_DIFFERENCE,  # a winner alone, but not among eight comparisons
            "worse": WORSE,
            "few": TOO_FEW,
        }


def test_gain_decision_agrees_with_every_sentence_of_version_0_1(stored):
    found = Evaluation.model_validate(stored)
    over = [gain for each in found.over_baselines.values() for gains in each.values()
            for gain in gains.values()]  # fmt: skip
    every = [*over, *(gain for gains in found.gains.values() for gain in gains.values())]
    starts = {BETTER: "Better: ", WORSE: "Worse: ", NO_DIFFERENCE: "No difference shown: ",
              TOO_FEW: "No difference shown, too few rows to tell: "}  # fmt: skip
    assert {gain.decision for gain in every} == set(GainDecision)
    for gain in every:
        assert gain.sentence.startswith(starts[gain.decision])


def test_regression_checks_of_version_0_1_are_read_under_their_new_names(stored):
    assert "guard" in stored
    found = Evaluation.model_validate(stored)
    assert len(found.regression_checks) == len(stored["guard"])
    assert [one.regressed for one in found.regression_checks] == [
        one["fell"] for one in stored["guard"]
    ]
    written = found.model_dump(mode="json")
    assert not {"guard", "fell"} & {*written, *written["regression_checks"][0]}


def test_answers_cached_of_version_0_1_are_read_under_their_new_name(stored):
    stored = json.loads(json.dumps(stored))
    stored["rows"][0]["outputs"]["base"]["remembered"] = True
    stored["speed"]["base"]["remembered"] = 1.0
    found = Evaluation.model_validate(stored)
    assert found.rows[0].outputs["base"].cached
    assert not found.rows[1].outputs["base"].cached
    assert found.speed["base"].cached == 1
    assert found.speed["base"].tokens_per_s == pytest.approx(40)
    assert "remembered" not in found.model_dump_json()


def test_gain_without_numbers_or_decision_is_refused():
    with pytest.raises(ValueError, match="decision"):
        Gain.model_validate({"diff": 0.1, "sentence": "Better: +0.10."})


def test_stored_evaluation_is_the_same_after_writing_and_reading(stored):
    found = Evaluation.model_validate(stored)
    written = found.model_dump(mode="json")
    assert written["gains"]["better"]["rougeL"]["decision"] == "better"
    assert Evaluation.model_validate(written) == found
