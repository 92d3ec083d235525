"""After a training, its test: the new model and the one it started from on the same rows."""

from itertools import islice

from sqlalchemy import Connection

from engine import plugins
from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.model import Model
from engine.core.recipe import Recipe
from engine.services.data.datasets import each_row
from engine.services.evaluation import task
from engine.services.jobs.enqueue import enqueue
from engine.store import datasets, models
from engine.workspace import Workspace

MOST_ROWS = 100


def queue(ws: Workspace, conn: Connection, trained: Job, model: Model, now: float) -> str | None:
    """The id of the evaluation that is now queued; None where the recipe or the data want none.

    The metrics that suit the answers come first, then the usual ones, which regression checks read.
    """
    start = model.parent_id or model.base_id
    if not trained.recipe.get("evaluate_after") or model.kind == "reward" or start is None:
        return None
    dataset = test_set(conn, model)
    if dataset is None:
        return None
    evaluate = plugins.load("jobs", "evaluate").Recipe
    usual = evaluate.model_fields["metrics"].default
    recipe: Recipe = evaluate(
        models=(start, model.id),
        dataset=dataset.id,
        metrics=tuple(dict.fromkeys([*_suited(ws, dataset), *usual])),
        max_rows=MOST_ROWS,
    )
    name = f"{model.name} on held-out {dataset.label}"
    return enqueue(conn, trained.project_id, recipe, trained.owner, now, name=name).job.id


def _suited(ws: Workspace, dataset: Dataset) -> tuple[str, ...]:
    try:
        rows = list(islice(each_row(ws, dataset, "held_out"), task.MOST_READ))
    except UserError:  # the rows have gone: the evaluation will say so
        return ()
    found = [task.references(row.example) for row in rows]
    return task.of([each for each in found if each]).metrics


def test_set(conn: Connection, model: Model) -> Dataset | None:
    """The nearest dataset of chats with held-out rows that the model, or one it is of, learned.

    So a model trained on preferences is tested again on what it was first taught.
    """
    one: Model | None = model
    while one is not None:
        dataset = datasets.get(conn, one.dataset_id) if one.dataset_id else None
        if dataset and dataset.kind == "sft" and dataset.held_out_rows:
            return dataset
        before = one.parent_id or one.base_id
        one = models.get(conn, before) if before else None
    return None
