"""Trainings that are over without a training: their job, their model, and what is queued next."""

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from tests import helpers


def train(ws, project, kind, start, data, **values):
    """The id of the finished training and its result, as a worker stores it."""
    recipe = plugins.load("jobs", kind).Recipe(model=start.id, dataset=data.id, **values)
    job = helpers.claimed(ws, lifecycle.submit(ws, LOCAL, project.id, recipe).id)
    new = NewModel(
        name=f"{kind}-1",
        path="adapter",
        base_id=start.base_id or start.id,
        parent_id=start.id if start.kind == "adapter" else None,
        dataset_id=data.id,
        info={"method": kind},
    )
    assert job_outcomes.store(ws, job, Outcome(model=new)) is State.DONE
    return lifecycle.get(ws, LOCAL, job.id).result
