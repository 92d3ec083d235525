"""The status of a project's loop: eight steps with their newest results, and the next action.

`NextAction` is what Home offers a person; the automatic loop decides in auto_loop_next_step.py.
"""

from typing import NamedTuple, TypedDict, get_args

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.job import Job, State
from engine.core.job_result import EvaluationResult
from engine.core.model import Model
from engine.core.project import LoopStatus, NextAction, Step, StepName, StepState
from engine.core.rating import Round
from engine.services import access
from engine.services.rating import rounds
from engine.store import datasets, jobs, models, pair_exports, votes
from engine.store import evaluations as evaluation_store
from engine.store import rounds as round_store
from engine.store.connect import reading
from engine.store.evaluations import EvaluationRef
from engine.store.pair_exports import PairExport
from engine.store.votes import Total
from engine.workspace import Workspace

STEPS: tuple[StepName, ...] = get_args(StepName)
NEXT: dict[StepName, NextAction] = {
    "data": "add_data",
    "train": "train_first",
    "evaluate": "evaluate",
    "rate": "rate",
    "pairs": "make_pairs",
    "dpo": "train_on_pairs",
    "blind": "test_blind",
    "verdict": "read_verdict",
}


class Result(TypedDict, total=False):
    """The fields of a Step that hold its result."""

    count: int
    label: str
    value: float


class Stored(NamedTuple):
    """All that the status is made of, read in one transaction; lists are newest first."""

    datasets: list[Dataset]
    jobs: list[Job]
    models: list[Model]  # oldest first
    evaluations: list[EvaluationRef]
    rounds: list[Round]
    exports: list[PairExport]
    totals: dict[str, Total]  # by round


def status(ws: Workspace, actor: Actor, project_id: str) -> LoopStatus:
    """The eight steps in their order, and the one thing to do next."""
    actor.require(Role.TRAINER)
    stored = _read(ws, actor, project_id)
    results = _results(ws, actor, stored)
    running = _running(stored)
    following = next((name for name in STEPS if name not in results), None)
    steps = tuple(
        Step(name=name, state=_state(name, results, running, following), **results.get(name, {}))
        for name in STEPS
    )
    action = NEXT[following] if following else "start_again"
    if following in running & {"train", "dpo"}:
        action = "watch_training"
    if any(job.kind == "demo" and not job.over for job in stored.jobs):
        action = "watch_demo"  # it takes every step itself
    return LoopStatus(steps=steps, next_action=action)


def _read(ws: Workspace, actor: Actor, project_id: str) -> Stored:
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return Stored(
            datasets.list_all(conn, project_id),
            jobs.list_all(conn, project_id),
            [m for m in models.list_all(conn, project_id) if m.kind in ("adapter", "full")],
            evaluation_store.list_all(conn, project_id),
            round_store.list_all(conn, project_id),
            pair_exports.list_all(conn, project_id),
            votes.totals(conn, project_id),
        )


def _results(ws: Workspace, actor: Actor, stored: Stored) -> dict[StepName, Result]:
    """Of each finished step its newest result; a step that is missing is not done."""
    found: dict[StepName, Result] = {}
    sources = [d for d in stored.datasets if d.kind in ("sft", "text")]
    if sources:
        found["data"] = {"count": sources[0].rows}
    dpo_jobs = {job.id for job in stored.jobs if job.kind == "dpo"}
    for model in stored.models:
        found["dpo" if model.job_id in dpo_jobs else "train"] = {"label": model.name}
    if stored.evaluations:
        found["evaluate"] = _evaluated(stored)
    if stored.exports:
        found["pairs"] = {"count": stored.exports[0].pairs}
    return {**found, **_rated(ws, actor, stored)}


def _rated(ws: Workspace, actor: Actor, stored: Stored) -> dict[StepName, Result]:
    found: dict[StepName, Result] = {}
    rating = [r for r in stored.rounds if r.purpose == "train_pairs"]
    number_of_votes = sum(stored.totals[r.id].votes for r in rating)
    if number_of_votes and any(_enough(stored, r) for r in rating):
        found["rate"] = {"count": number_of_votes}
    tests = [r for r in stored.rounds if r.purpose == "blind_eval" and r.of_the_loop]
    blind = [r for r in tests if _enough(stored, r)]
    if blind:
        found["blind"] = {"count": stored.totals[blind[0].id].votes}
    closed = [r for r in blind if r.status == "closed"]
    if closed:
        found["verdict"] = {"value": rounds.verdict(ws, actor, closed[0].id).win_rate}
    return found


def _evaluated(stored: Stored) -> Result:
    newest = stored.evaluations[0]
    job = next(job for job in stored.jobs if job.id == newest.job_id)
    result = job.result_as(EvaluationResult)
    metric = result.metrics[0]
    return {"label": metric, "value": result.means[newest.models[-1]][metric].score}


def _enough(stored: Stored, rating_round: Round) -> bool:
    total = stored.totals[rating_round.id]
    planned = total.pairs * rating_round.plan.overlap
    return rating_round.status == "closed" or (
        rating_round.status == "open" and total.votes >= planned
    )


def _running(stored: Stored) -> set[StepName]:
    """Steps that a job or open round is working on right now."""
    of_kind: dict[str, StepName] = {"sft": "train", "dpo": "dpo", "evaluate": "evaluate"}
    live = [j for j in stored.jobs if j.state in (State.QUEUED, State.RUNNING)]
    found = {of_kind[j.kind] for j in live if j.kind in of_kind}
    for one in stored.rounds:
        if one.status in ("preparing", "open"):
            found.add("rate" if one.purpose == "train_pairs" else "blind")
    return found


def _state(
    name: StepName,
    results: dict[StepName, Result],
    running: set[StepName],
    following: StepName | None,
) -> StepState:
    if name in results:
        return "done"
    if name in running:
        return "running"
    return "next" if name == following else "todo"
