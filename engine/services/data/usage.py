"""What a dataset version was used for: the reason why it may not be removed."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from engine.core.dataset import Dataset
from engine.store import datasets, evaluations, jobs, models, pair_exports, rounds

UseKind = Literal["run", "model", "evaluation", "round", "pairs", "version"]


class Use(NamedTuple):
    """One thing that was made with the version; `name` is what people call it."""

    kind: UseKind
    id: str
    name: str


def uses(conn: Connection, one: Dataset) -> list[Use]:
    """Everything in the project that rests on this version, runs first."""
    project, wanted = one.project_id, one.id
    found = [Use("run", j.id, j.name) for j in jobs.list_all(conn, project) if _in(j.recipe, one)]
    found += [
        Use("model", m.id, m.name)
        for m in models.list_all(conn, project)
        if m.dataset_id == wanted or _in(m.info, one)
    ]
    found += [
        Use("evaluation", e.id, f"Evaluation of {one.label}")
        for e in evaluations.list_all(conn, project)
        if e.dataset_id == wanted
    ]
    found += [
        Use("round", r.id, r.name)
        for r in rounds.list_all(conn, project)
        if r.plan.dataset == wanted
    ]
    found += [
        Use("pairs", e.id, f"{e.pairs:,} pairs made from votes")
        for e in pair_exports.list_all(conn, project)
        if e.dataset_id == wanted
    ]
    later = [d for d in datasets.list_all(conn, project) if d.id != wanted and _in(d.origin, one)]
    return found + [Use("version", d.id, d.label) for d in later]


def _in(value: Any, one: Dataset) -> bool:
    """Whether the id stands anywhere in JSON: recipes of others may name it by any field."""
    if isinstance(value, dict):
        return any(_in(inner, one) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_in(inner, one) for inner in value)
    return bool(value == one.id)


def relatives(conn: Connection, one: Dataset) -> set[str]:
    """Ids of the versions that mending links with this one, its own included."""
    everything = datasets.list_all(conn, one.project_id)
    made_from = {d.id: d.origin.get("mended") for d in everything}
    root = _root(made_from, one.id)
    return {d.id for d in everything if _root(made_from, d.id) == root}


def _root(made_from: Mapping[str, str | None], dataset_id: str) -> str:
    while earlier := made_from.get(dataset_id):
        dataset_id = earlier
    return dataset_id
