"""Where a project's loop stands: eight steps, what each holds, and the one thing to do next."""

from typing import NamedTuple

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.job import Job, State
from engine.core.model import Model
from engine.core.project import Standing, Step, StepName, StepState
from engine.core.rating import Round
from engine.core.result import EvaluationResult
from engine.services import access
from engine.services.evaluation.metrics import title as metric_title
from engine.services.rating import rounds
from engine.store import datasets, exports, jobs, models, votes
from engine.store import evaluations as evaluation_store
from engine.store import rounds as round_store
from engine.store.connect import reading
from engine.store.evaluations import EvaluationRef
from engine.store.exports import PairExport
from engine.workspace import Workspace


class Seen(NamedTuple):
    """All that the picture is drawn from, read in one transaction."""

    datasets: list[Dataset]
    jobs: list[Job]
    models: list[Model]
    evaluations: list[EvaluationRef]
    rounds: list[Round]
    exports: list[PairExport]
    votes: dict[str, tuple[int, int]]  # round id -> votes cast, votes planned


NEXT: dict[StepName, tuple[str, str, str]] = {
    "data": ("Add your examples", "Questions with the answers you want; 100 rows will do.", "data"),
    "train": (
        "Train a first model",
        "It learns from your examples, minutes on a laptop.",
        "training",
    ),
    "evaluate": ("Evaluate it", "Held-out scores of base and tuned model.", "evaluation"),
    "rate": ("Rate answers blind", "Your choices become the pairs DPO learns from.", "rating"),
    "pairs": ("Make DPO pairs", "Turn the votes of your rating rounds into pairs.", "rating"),
    "dpo": ("Train on the pairs", "Start from your tuned model, learn from votes.", "training"),
    "blind": ("Test it blind", "A blind round of the new model against the old.", "rating"),
    "verdict": ("Read the verdict", "Close the blind round and see who won.", "rating"),
}
DONE = (
    "Go round again",
    "The loop is closed. Rate answers of the new model, and see whether it gets better still.",
    "rating",
)
TITLES: dict[StepName, str] = {
    "data": "Data",
    "train": "Train",
    "evaluate": "Evaluate",
    "rate": "Rate",
    "pairs": "Pairs",
    "dpo": "DPO",
    "blind": "Blind round",
    "verdict": "Verdict",
}


def standing(ws: Workspace, actor: Actor, project_id: str) -> Standing:
    """The eight steps of the project's loop in order, and the next thing to do."""
    actor.require(Role.TRAINER)
    seen = _look(ws, actor, project_id)
    details = _details(ws, actor, seen)
    running = _running(seen)
    following = next((name for name in TITLES if name not in details), None)
    steps = tuple(
        Step(
            name=n, title=t, state=_state(n, details, running, following), detail=details.get(n, "")
        )
        for n, t in TITLES.items()
    )
    title, text, tab = NEXT[following] if following else DONE
    if running & {"train", "dpo"} and following in running:
        title, text, tab = (
            "Watch it learn",
            "The run shows its losses live and its time left.",
            "jobs",
        )
    return Standing(steps=steps, next_title=title, next_text=text, next_tab=tab)


def _look(ws: Workspace, actor: Actor, project_id: str) -> Seen:
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        all_rounds = round_store.list_all(conn, project_id)
        cast = {}
        for one in all_rounds:
            _, shown, everyone = votes.counts(conn, one.id, "")
            cast[one.id] = (everyone, shown * one.plan.overlap)
        return Seen(
            datasets.list_all(conn, project_id),
            jobs.list_all(conn, project_id),
            [m for m in models.list_all(conn, project_id) if m.kind in ("adapter", "full")],
            evaluation_store.list_all(conn, project_id),
            all_rounds,
            exports.list_all(conn, project_id),
            cast,
        )


def _details(ws: Workspace, actor: Actor, seen: Seen) -> dict[StepName, str]:
    """What each finished step holds, in a few words; a step that is not there is not done."""
    found: dict[StepName, str] = {}
    sources = [d for d in seen.datasets if d.kind in ("sft", "text")]
    if sources:
        found["data"] = f"{sources[0].rows:,} rows"
    dpo_jobs = {job.id for job in seen.jobs if job.kind == "dpo"}
    for model in seen.models:
        found["dpo" if model.job_id in dpo_jobs else "train"] = model.name
    if seen.evaluations:
        found["evaluate"] = _evaluated(seen)
    if seen.exports:
        found["pairs"] = f"{seen.exports[0].pairs} pairs"
    return {**found, **_rated(ws, actor, seen)}


def _rated(ws: Workspace, actor: Actor, seen: Seen) -> dict[StepName, str]:
    found: dict[StepName, str] = {}
    rating = [r for r in seen.rounds if r.purpose == "train_pairs"]
    cast = sum(seen.votes[r.id][0] for r in rating)
    if cast and any(_enough(seen, r) for r in rating):
        found["rate"] = f"{cast} votes"
    blind = [r for r in seen.rounds if r.purpose == "blind_eval" and _enough(seen, r)]
    if blind:
        found["blind"] = f"{seen.votes[blind[0].id][0]} votes"
    closed = [r for r in blind if r.status == "closed"]
    if closed:
        found["verdict"] = f"{100 * rounds.verdict(ws, actor, closed[0].id).win_rate:.0f} % wins"
    return found


def _evaluated(seen: Seen) -> str:
    newest = seen.evaluations[0]
    job = next(job for job in seen.jobs if job.id == newest.job_id)
    result = job.result_as(EvaluationResult)
    metric = result.metrics[0]
    return f"{metric_title(metric)} {result.means[newest.models[-1]][metric].score:.2f}"


def _enough(seen: Seen, one: Round) -> bool:
    cast, planned = seen.votes[one.id]
    return one.status == "closed" or (one.status == "open" and cast >= planned)


def _running(seen: Seen) -> set[StepName]:
    """Steps that a job or open round is working on right now."""
    of_kind: dict[str, StepName] = {"sft": "train", "dpo": "dpo", "evaluate": "evaluate"}
    live = [j for j in seen.jobs if j.state in (State.QUEUED, State.RUNNING)]
    found = {of_kind[j.kind] for j in live if j.kind in of_kind}
    for one in seen.rounds:
        if one.status in ("preparing", "open"):
            found.add("rate" if one.purpose == "train_pairs" else "blind")
    return found


def _state(
    name: StepName,
    details: dict[StepName, str],
    running: set[StepName],
    following: StepName | None,
) -> StepState:
    if name in running and name not in details:
        return "running"
    if name in details:
        return "done"
    return "next" if name == following else "todo"
