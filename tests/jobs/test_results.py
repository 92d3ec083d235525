"""A job's result: typed by its kind, and read from whatever an older version stored."""

import json

import pytest

from engine.core.job import Job, State
from engine.core.job_result import (
    RESULTS,
    EvaluationResult,
    JobResult,
    SweepResult,
    TrainingResult,
    TrialState,
)


def job(kind, stored):
    return Job(
        id="job-1", project_id="p", kind=kind, lane="compute", name=kind, recipe={},
        state=State.DONE, owner="local", created_at=0.0, result=stored,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [*RESULTS, "an-installed-one"])
def test_result_of_a_job_without_one_is_empty_and_written_as_such(kind):
    assert job(kind, {}).result.model_dump(mode="json") == {}


def test_result_is_of_the_class_of_its_kind_and_writes_what_was_stored():
    stored = {"best_held_out_loss": 1.5, "steps": 8, "model_id": "m", "of_an_older_version": [1]}
    found = job("dpo", stored)
    assert isinstance(found.result, TrainingResult)
    assert (found.result.best_held_out_loss, found.result.model_id) == (1.5, "m")
    assert json.loads(found.model_dump_json())["result"] == stored
    assert Job.model_validate(found.model_dump(mode="json")) == found


def test_result_of_an_evaluation_has_typed_means():
    mean = {"score": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    found = job("evaluate", {"rows": 10, "means": {"m": {"bleu": mean}}})
    assert found.result_as(EvaluationResult).means["m"]["bleu"].score == 0.5


def test_result_of_a_search_has_typed_trials():
    one = {"number": 1, "settings": {"learning_rate": 1e-4}, "state": "given up", "loss": 2.0}
    found = job("sweep", {"trials": [one], "best": one})
    assert found.result_as(SweepResult).trials[0].state is TrialState.GIVEN_UP


def test_result_of_an_installed_kind_keeps_what_it_says_and_the_numbers_of_a_training():
    found = job("an-installed-one", {"best_held_out_loss": 2.0, "note": "x"})
    assert found.result_as(TrainingResult).best_held_out_loss == 2.0
    assert found.result.model_dump() == {"best_held_out_loss": 2.0, "note": "x"}


def test_result_that_does_not_fit_its_kind_is_kept_as_it_was_stored():
    found = job("sft", {"steps": "many", "note": "x"})
    assert type(found.result) is JobResult
    assert found.result.model_dump() == {"steps": "many", "note": "x"}
    assert found.result_as(TrainingResult) == TrainingResult()
