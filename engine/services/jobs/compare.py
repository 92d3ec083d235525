"""Runs side by side: where their settings differ, and where their curves go."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.event import Event, MetricEvent
from engine.core.job import Job
from engine.core.job_result import TrainingResult
from engine.core.json_object import JsonObject
from engine.core.recipe import current_names
from engine.services import access
from engine.services.jobs import lifecycle
from engine.store import events
from engine.store.connect import reading
from engine.workspace import Workspace

FEWEST, MOST = 2, 5  # runs at once: more colours cannot be told apart
FINALS = {
    "best_held_out_loss": "best held-out loss",
    "last_held_out_loss": "last held-out loss",
    "last_train_loss": "last training loss",
    "steps": "steps",
    "tokens": "tokens",
    "seconds": "seconds",
    "tokens_per_s": "tokens a second",
    "peak_memory_mb": "peak memory, MB",
}


class Series(BaseModel):
    """One metric of one run over its steps."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


class RunComparison(BaseModel):
    """Runs side by side; `settings` and `finals` hold one value a run, None where it has none."""

    model_config = ConfigDict(frozen=True)

    runs: tuple[Job, ...]
    settings: dict[str, tuple[Any, ...]]  # only those that differ
    series: dict[str, tuple[Series, ...]]
    finals: dict[str, tuple[float | None, ...]]


def compare(ws: Workspace, actor: Actor, job_ids: Sequence[str]) -> RunComparison:
    """Two to five runs side by side, in the order given."""
    actor.require(Role.TRAINER)
    wanted = list(dict.fromkeys(job_ids))
    if not FEWEST <= len(wanted) <= MOST:
        raise UserError(
            f"{len(wanted)} run{'s' if len(wanted) != 1 else ''} cannot be compared.",
            f"Choose {FEWEST} to {MOST}.",
        )
    with reading(ws.db) as conn:
        found = [access.job(conn, actor, each) for each in wanted]
        if len({job.project_id for job in found}) > 1:
            raise UserError("These runs belong to different projects.", "Choose runs of one.")
        read = [events.of_kinds(conn, each, "metric", "state") for each in wanted]
    return RunComparison(
        runs=tuple(found),
        settings=differing([job.recipe for job in found]),
        series=_series(wanted, read),
        finals=finals(found),
    )


def differing(recipes: Sequence[JsonObject]) -> dict[str, tuple[Any, ...]]:
    """The settings that are not the same everywhere; those inside others as `lora.r`."""
    flat = [_flat(current_names(recipe)) for recipe in recipes]
    names = dict.fromkeys(name for one in flat for name in one)
    table = {name: tuple(one.get(name) for one in flat) for name in names}
    return {name: row for name, row in table.items() if any(value != row[0] for value in row)}


def _flat(values: JsonObject, before: str = "") -> JsonObject:
    found: JsonObject = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[before + name] = value
    return found


def _series(ids: list[str], events_of: list[list[Event]]) -> dict[str, tuple[Series, ...]]:
    found: dict[str, list[Series]] = {}
    for job_id, of_job in zip(ids, events_of, strict=True):
        kept = [event for event in lifecycle.current(of_job) if isinstance(event, MetricEvent)]
        for name in dict.fromkeys(name for event in kept for name in event.data):
            points = [(e.step or 0, float(e.data[name])) for e in kept if name in e.data]
            steps, values = zip(*points, strict=True)
            found.setdefault(name, []).append(Series(job_id=job_id, steps=steps, values=values))
    return {name: tuple(each) for name, each in found.items()}


def finals(found: Sequence[Job]) -> dict[str, tuple[float | None, ...]]:
    """What the runs ended with, in words; numbers that none of them has are left out."""
    table = {
        words: tuple(_final(job.result_as(TrainingResult), name) for job in found)
        for name, words in FINALS.items()
    }
    return {words: row for words, row in table.items() if any(value is not None for value in row)}


def _final(result: TrainingResult, name: str) -> float | None:
    value = getattr(result, name) if name in result.model_fields_set else None
    return None if value is None else float(value)
