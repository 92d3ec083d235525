"""The strength dial of a model that learned from votes: measure it, and use one strength.

The questions that measure are of the training's side: those of the rating rounds, or a part of the
held-out rows that no blind round asked. Blind rounds do not ask them afterwards either
(services/rating/dial_questions.py).
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Row, Split
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.examples import prompt_of
from engine.core.job import Job
from engine.core.job_result import DialResult
from engine.core.model import Model
from engine.core.recipe import Recipe, read
from engine.core.strength import USUAL, Strength
from engine.models import interpolate
from engine.services.data import datasets
from engine.services.evaluation import after_training, task
from engine.services.jobs import lifecycle
from engine.services.loop import history
from engine.services.models import registry
from engine.services.preferences import holdout
from engine.services.preferences.judgements import question
from engine.services.rating import rounds
from engine.store import pair_exports
from engine.store.connect import reading
from engine.workspace import Workspace

FEWEST, MOST = 20, 80  # questions
SHARE = 0.5  # of held-out questions; the others are left for blind rounds
SEED = 1


class Questions(NamedTuple):
    """Rows of a dataset that measure, and the scores that suit their references."""

    dataset: Dataset
    rows: tuple[int, ...]
    metrics: tuple[str, ...]


class _Source(NamedTuple):
    dataset: Dataset
    split: Split
    share: float


def start(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    model_id: str,
    strengths: Sequence[float] = (),
    dataset_id: str | None = None,
) -> Job:
    """Queue the measurement of a model's dial; 0 is always among the strengths.

    Conflict for a model that has none, and where too few questions are left to measure on.
    """
    actor.require(Role.TRAINER)
    model, before = _ends(ws, actor, project_id, model_id)
    asked = questions(ws, actor, project_id, model_id, dataset_id)
    learned = _dataset(ws, actor, model)
    recipe: type[Recipe] = plugins.load("jobs", "dial").Recipe
    values = {
        "model": model.id,
        "start": before.id,
        "strengths": tuple(sorted({0.0, *(strengths or USUAL)})),
        "dataset": asked.dataset.id,
        "rows": asked.rows,
        "metrics": asked.metrics,
        "pairs": learned.id if learned and learned.kind == "preference" else None,
        "beta": _beta(ws, actor, model),
    }
    name = f"Strength dial of {model.name}"
    return lifecycle.submit(ws, actor, project_id, read(recipe, values), name)


def use(ws: Workspace, actor: Actor, project_id: str, model_id: str, strength: float) -> Job:
    """Queue the making of a model at one strength; it is a generation of its own."""
    actor.require(Role.TRAINER)
    model, before = _ends(ws, actor, project_id, model_id)
    recipe: type[Recipe] = plugins.load("jobs", "strength").Recipe
    values = {"model": model.id, "start": before.id, "strength": strength}
    name = f"{model.name} at {strength:g}"
    return lifecycle.submit(ws, actor, project_id, read(recipe, values), name)


def newest(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> Job | None:
    """The newest measurement of this model's dial, under way or over; None before the first."""
    actor.require(Role.TRAINER)
    jobs = lifecycle.list_all(ws, actor, project_id, ("dial",))
    return next((one for one in jobs if one.recipe["model"] == model_id), None)


def refusal(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> str:
    """Why a model has no dial, in a sentence; empty where it has one."""
    actor.require(Role.TRAINER)
    known = _known(ws, actor, project_id, model_id)
    try:
        _start_of(ws, known, known[model_id])
    except UserError as error:
        return str(error)
    return ""


def questions(
    ws: Workspace, actor: Actor, project_id: str, model_id: str, dataset_id: str | None = None
) -> Questions:
    """What measures the dial of a model: rows with references that no blind round asks.

    Of the named dataset, else of the rating rounds whose votes the model learned, else of the
    held-out rows of what it was first taught. Conflict where fewer than 20 are left.
    """
    actor.require(Role.TRAINER)
    model = registry.get(ws, actor, model_id)
    for source in _sources(ws, actor, project_id, model, dataset_id):
        rows = _rows(ws, actor, project_id, source)
        if len(rows) >= FEWEST:
            known = [task.references(row.example) for row in rows]
            suited = task.of(known).metrics[:1]
            metrics = tuple(dict.fromkeys(["exact_match", *suited]))
            return Questions(source.dataset, tuple(sorted(row.index for row in rows)), metrics)
    raise Conflict(
        f"Fewer than {FEWEST} questions with a reference answer are left that neither a training "
        "nor a blind round uses.",
        "Add a dataset of questions with reference answers and choose it.",
    )


def _ends(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> tuple[Model, Model]:
    """The trained model and its start; Conflict or UserError where there is nothing between."""
    known = _known(ws, actor, project_id, model_id)
    return known[model_id], _start_of(ws, known, known[model_id])


def _known(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> dict[str, Model]:
    """The models of the project by their id, with this one among them."""
    known = {one.id: one for one in registry.list_all(ws, actor, project_id)}
    if model_id not in known:
        raise NotFound(f"There is no model {model_id!r}.", "Choose another model here.")
    return known


def _start_of(ws: Workspace, known: dict[str, Model], model: Model) -> Model:
    before = known.get(model.parent_id or model.base_id or "")
    where = Strength.of(model)
    if where is not None:
        whole = known.get(where.trained)
        raise Conflict(
            f"{model.name} lies at a strength already.",
            f"Choose {whole.name}." if whole else "Choose the model that it was made of.",
        )
    if before is None or not history.learned_preferences(model):
        raise Conflict(
            f"{model.name} learned from no votes, so it has no strength to choose.",
            "Choose a model that was trained on votes.",
        )
    interpolate.check(registry.files(ws, before), registry.files(ws, model))
    return before


def _dataset(ws: Workspace, actor: Actor, model: Model) -> Dataset | None:
    try:
        return datasets.get(ws, actor, model.dataset_id) if model.dataset_id else None
    except NotFound:  # it was deleted
        return None


def _beta(ws: Workspace, actor: Actor, model: Model) -> float:
    default = float(plugins.load("jobs", "dial").Recipe.model_fields["beta"].default)
    try:
        recipe = lifecycle.get(ws, actor, model.job_id).recipe if model.job_id else {}
    except NotFound:
        return default
    return float(recipe.get("beta", default))


def _sources(
    ws: Workspace, actor: Actor, project_id: str, model: Model, dataset_id: str | None
) -> Iterator[_Source]:
    """Where questions may come from, the best first; never rows that the lineage learned."""
    taught = {
        each for one in registry.lineage(ws, actor, model.id) for each in one.learned_datasets
    }
    if dataset_id is not None:
        named = datasets.get(ws, actor, dataset_id)
        if named.held_out_rows:
            yield _Source(named, "held_out", SHARE)
        if named.id not in taught:
            yield _Source(named, "train", 1.0)
        return
    with reading(ws.db) as conn:
        made = [e for e in pair_exports.list_all(conn, project_id) if e.dataset_id in taught]
    asked = {rounds.get(ws, actor, each).plan.dataset for one in made for each in one.rounds}
    known = datasets.list_all(ws, actor, project_id)
    yield from (
        _Source(one, "train", 1.0) for one in known if one.id in asked and one.id not in taught
    )
    with reading(ws.db) as conn:
        first = after_training.test_set(conn, model)
    if first is not None:
        yield _Source(first, "held_out", SHARE)


def _rows(ws: Workspace, actor: Actor, project_id: str, source: _Source) -> list[Row]:
    """At most 80 rows, by chance, without what blind rounds ask or anything near to it.

    Rows that are no held-out ones are also none that say nearly what is held out elsewhere.
    """
    found = [
        row
        for row in datasets.each_row(ws, source.dataset, source.split)
        if task.references(row.example)
    ]
    kept = holdout.of_project(ws, actor, project_id)
    if source.split == "held_out":
        kept = holdout.of_blind_rounds(ws, actor, project_id)
    name_of, blocked = holdout.families((prompt_of(row.example) for row in found), kept)
    by_family: dict[str, list[Row]] = {}
    for row in found:
        family = name_of[question(prompt_of(row.example))]
        if family not in blocked:
            by_family.setdefault(family, []).append(row)
    order = random.Random(SEED).sample(sorted(by_family), len(by_family))
    free = sum(map(len, by_family.values()))
    most = min(MOST, int(source.share * free))
    chosen: list[Row] = []
    for family in order:  # whole families: what is left for blind rounds says nothing alike
        if len(chosen) + len(by_family[family]) <= most:
            chosen += by_family[family]
    return chosen


def result(job: Job) -> DialResult | None:
    """What a measurement found; None while it is under way or where it failed."""
    measured = job.result_as(DialResult)
    return measured if measured.stops else None
