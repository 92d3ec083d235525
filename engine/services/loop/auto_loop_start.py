"""The auto loop: start it, find the newest one, and choose what it starts from."""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict, Unpack

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, UserError
from engine.core.job import Job
from engine.core.json_object import JsonObject
from engine.core.recipe import Recipe, read
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.models import registry
from engine.services.rating.rounds import RATEABLE
from engine.workspace import Workspace

KIND = "auto"
LABEL = "Auto loop"


def recipe() -> type[Recipe]:
    """The options of an auto loop: the form and the command read these fields."""
    return plugins.load("jobs", KIND).Recipe  # type: ignore[no-any-return]


class Usual(NamedTuple):
    """What fits the project; None for what is missing."""

    model: str | None
    dataset: str | None
    dataset_test: str | None


class LoopOptions(TypedDict, total=False):
    """Fields of the recipe (engine/orchestrate/auto_loop_job.py) that a person chose.

    None, or left out: what fits the project, else the default of the recipe.
    """

    model: str | None
    dataset: str | None
    dataset_test: str | None
    rater: str | None
    raters: int | None
    prompts: int | None
    test_prompts: int | None
    generations: int | None
    most_votes: int | None
    dpo: JsonObject | None
    temperature: float | None
    max_new_tokens: int | None
    wait_hours: float | None
    spare: float | None
    samples: int | None
    answers: int | None
    seed: int | None


def start(ws: Workspace, actor: Actor, project_id: str, **options: Unpack[LoopOptions]) -> Job:
    """Queue a loop; Conflict while one of the project is under way."""
    actor.require(Role.TRAINER)
    live = newest(ws, actor, project_id)
    if live and not live.over:
        raise Conflict("An auto loop is running already.", "Stop it first, or wait until it ends.")
    usual = {k: v for k, v in usually(ws, actor, project_id)._asdict().items() if v}
    chosen = {**usual, **{k: v for k, v in options.items() if v is not None}}
    _check(ws, actor, chosen)
    return lifecycle.submit(ws, actor, project_id, read(recipe(), chosen), LABEL)


def newest(ws: Workspace, actor: Actor, project_id: str) -> Job | None:
    """The last loop that was started, under way or over."""
    return next(iter(lifecycle.list_all(ws, actor, project_id, (KIND,))), None)


def usually(ws: Workspace, actor: Actor, project_id: str) -> Usual:
    """The champion or the newest model, the newest questions, the newest dataset with a test."""
    best = champion.current(ws, actor, project_id)
    trained = [m for m in registry.list_all(ws, actor, project_id)
               if m.project_id and m.kind in ("adapter", "full")]  # fmt: skip
    known = [d for d in datasets.list_all(ws, actor, project_id) if d.kind in RATEABLE]
    tests = [d for d in known if d.kind == "sft" and d.held_out_rows]
    asked = [d for d in known if d.train_rows]
    model = best or next(reversed(trained), None)
    return Usual(
        model.id if model else None,
        asked[0].id if asked else None,
        tests[0].id if tests else None,
    )


def _check(ws: Workspace, actor: Actor, chosen: Mapping[str, object]) -> None:
    if "model" not in chosen:
        raise UserError("There is no trained model to start from.", "Train a first one.")
    for field, rows in (("dataset", "train_rows"), ("dataset_test", "held_out_rows")):
        what = "held-out" if field == "dataset_test" else "training"
        if field not in chosen:
            raise UserError(f"There are no {what} questions.", "Add data with a held-out part.")
        dataset = datasets.get(ws, actor, str(chosen[field]))
        if dataset.kind not in RATEABLE or not getattr(dataset, rows):
            raise UserError(f"{dataset.label} has no {what} questions.", "Choose another dataset.")
    rule = chosen.get("rater")
    if rule is not None:
        plugins.load("raters", str(rule))
