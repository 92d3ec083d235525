"""Every training is followed by a test of its model, on rows that fit."""

import pytest

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from tests import helpers
from tests.training.trained import train


@pytest.fixture
def world(ws, tmp_path):
    """A project with a base and a dataset of chats, ten of them held out."""
    project = helpers.project(ws)
    return project, helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)


def pairs(ws, project, folder):
    path = folder / "pairs.jsonl"
    lines = [
        f'{{"prompt": "p {n}", "chosen": "good {n}", "rejected": "bad {n}"}}' for n in range(8)
    ]
    path.write_text("\n".join(lines))
    return datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.25)


def test_training_queues_the_test_of_its_model_against_where_it_started(ws, world):
    project, base, data = world
    result = train(ws, project, "sft", base, data)
    queued = lifecycle.get(ws, LOCAL, result.evaluation_job_id)
    assert (queued.kind, queued.state, queued.lane) == ("evaluate", State.QUEUED, "compute")
    recipe = lifecycle.recipe_of(queued)
    assert recipe.models == (base.id, result.model_id)
    assert (recipe.dataset, recipe.split, recipe.max_rows) == (data.id, "held_out", 100)
    assert queued.name == f"sft-1 on held-out {data.label}"


def test_label_tasks_are_scored_by_accuracy_first_and_by_the_default_metrics(ws, world, tmp_path):
    project, base, _ = world
    path = tmp_path / "labels.csv"
    rows = [f"say {word} {n},{word}" for n in range(12) for word in ("yes", "no")]
    path.write_text("\n".join(["prompt,completion", *rows]))
    labels = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.5)
    result = train(ws, project, "sft", base, labels)
    recipe = lifecycle.recipe_of(lifecycle.get(ws, LOCAL, result.evaluation_job_id))
    usual = type(recipe).model_fields["metrics"].default
    assert recipe.metrics == ("accuracy", "macro_f1", *usual)


def test_preference_training_is_tested_on_the_test_set_of_the_first_training(ws, world, tmp_path):
    project, base, data = world
    taught = train(ws, project, "sft", base, data, evaluate_after=False).model_id
    start = registry.get(ws, LOCAL, taught)
    result = train(ws, project, "dpo", start, pairs(ws, project, tmp_path))
    recipe = lifecycle.recipe_of(lifecycle.get(ws, LOCAL, result.evaluation_job_id))
    assert recipe.models == (taught, result.model_id)
    assert recipe.dataset == data.id


def test_evaluation_is_not_queued_when_switched_off_or_without_questions(ws, world, tmp_path):
    project, base, data = world
    assert train(ws, project, "sft", base, data, evaluate_after=False).evaluation_job_id is None
    preferences = pairs(ws, project, tmp_path)
    assert train(ws, project, "dpo", base, preferences).evaluation_job_id is None
    whole = helpers.chat_file(tmp_path, 12, "whole.jsonl")
    all_rows = datasets.add(ws, LOCAL, project.id, whole, whole.name, held_out=0)
    assert train(ws, project, "sft", base, all_rows).evaluation_job_id is None
    assert [job.kind for job in lifecycle.list_all(ws, LOCAL, project.id)] == ["sft", "dpo", "sft"]


def test_training_that_lost_its_fence_queues_nothing(ws, world):
    project, base, data = world
    recipe = plugins.load("jobs", "sft").Recipe(model=base.id, dataset=data.id)
    job = helpers.claimed(ws, lifecycle.submit(ws, LOCAL, project.id, recipe).id)
    stale = job.model_copy(update={"fence": job.fence - 1})
    new = NewModel(name="n", path="adapter", base_id=base.id, parent_id=None, dataset_id=data.id)
    assert job_outcomes.store(ws, stale, Outcome(model=new)) is State.FAILED
    assert len(lifecycle.list_all(ws, LOCAL, project.id)) == 1
