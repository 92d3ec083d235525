"""What the first page of a project shows: win rates, scores, votes, queue, and what is new."""

import os
import time

from pydantic import BaseModel, ConfigDict

from engine.core.actor import Actor, Role
from engine.core.evaluation import Mean
from engine.core.evaluation_sentences import baseline_title
from engine.core.job import State
from engine.core.job_result import EvaluationResult
from engine.core.rating import Decision
from engine.services import access
from engine.services.loop.history import history
from engine.store import activity, evaluations, jobs, last_visits, models
from engine.store.connect import reading, writing
from engine.store.last_visits import LastVisit
from engine.workspace import Workspace

WEEK_S = 7 * 24 * 3600
PAUSE_S = 30 * 60  # without a look: the next one begins another visit
NOTED_S = 60.0  # how old the note of a visit may be


class WinRate(BaseModel):
    """A generation against the baseline, blind; shares from 0 to 1, bounds at 95 %."""

    model_config = ConfigDict(frozen=True)

    generation: int
    model_id: str
    round_id: str
    rate: float
    low: float
    high: float
    decision: Decision


class ModelScore(BaseModel):
    """One line of the newest evaluation; `baseline` where it needs no model, which `name` says."""

    model_config = ConfigDict(frozen=True)

    model_id: str
    name: str
    baseline: bool
    mean: Mean


class NewestScores(BaseModel):
    """The newest evaluation by its first metric: trivial baseline, base, and newest model."""

    model_config = ConfigDict(frozen=True)

    evaluation_id: str
    metric: str
    rows: int
    lines: tuple[ModelScore, ...]


class Queue(BaseModel):
    """What works and waits: the job that runs, how many wait, and the machine."""

    model_config = ConfigDict(frozen=True)

    running_id: str | None
    running: str
    waiting: int
    worker: bool
    cores: int


class Changes(BaseModel):
    """What was added since `since` (epoch seconds); None on the first visit."""

    model_config = ConfigDict(frozen=True)

    since: float | None
    datasets: int = 0
    models: int = 0
    evaluations: int = 0
    rounds: int = 0
    closed_rounds: int = 0
    promotions: int = 0
    votes: int = 0
    failed_jobs: int = 0

    @property
    def any(self) -> bool:
        """Whether there is anything new."""
        return any(value for name, value in self if name != "since")


class Dashboard(BaseModel):
    """All of it but the queue, which has a call of its own; `votes` are by rater, of seven days."""

    model_config = ConfigDict(frozen=True)

    win_rates: tuple[WinRate, ...]
    generations: int
    scores: NewestScores | None
    votes: dict[str, int]
    changes: Changes


def dashboard(ws: Workspace, actor: Actor, project_id: str) -> Dashboard:
    """The dashboard of a project; read it when `projects.revision` or `visit` changed."""
    actor.require(Role.TRAINER)
    generations = history(ws, actor, project_id)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        seen = last_visits.get(conn, project_id, actor.name)
        since = seen.before_at if seen and seen.before_at else None
        new = activity.since(conn, project_id, since) if since is not None else {}
        voted = activity.votes_by_rater(conn, project_id, time.time() - WEEK_S)
    rates = [
        WinRate(
            generation=one.number,
            model_id=one.model.id,
            round_id=one.against_baseline.round_id,
            rate=verdict.win_rate,
            low=verdict.low,
            high=verdict.high,
            decision=verdict.decision,
        )
        for one in generations.generations
        if one.against_baseline and (verdict := one.against_baseline.report.verdict) and verdict.n
    ]
    return Dashboard(
        win_rates=tuple(rates),
        generations=len(generations.generations),
        scores=scores(ws, actor, project_id),
        votes=voted,
        changes=Changes(since=since, **new),
    )


def scores(ws: Workspace, actor: Actor, project_id: str) -> NewestScores | None:
    """The newest evaluation's first metric; None before there is an evaluation.

    It is read from the summary that the job keeps: the answers lie in a large file.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        newest = next(iter(evaluations.list_all(conn, project_id)), None)
        job = jobs.get(conn, newest.job_id) if newest else None
        names = {one.id: one.name for one in models.list_all(conn, project_id)}
    result = job.result_as(EvaluationResult) if job else None
    if newest is None or result is None or not result.metrics:
        return None
    metric = result.metrics[0]
    means, plain = (
        {who: found[metric] for who, found in kind.items() if metric in found}
        for kind in (result.means, result.baselines)
    )
    shown = list(dict.fromkeys((newest.models[0], newest.models[-1])))
    lines = [
        ModelScore(model_id=who, name=names.get(who, ""), baseline=False, mean=means[who])
        for who in shown
        if who in means
    ]
    if plain:
        best = max(plain, key=lambda who: plain[who].score)
        name = baseline_title(best)
        lines.insert(0, ModelScore(model_id="", name=name, baseline=True, mean=plain[best]))
    return NewestScores(
        evaluation_id=newest.id, metric=metric, rows=result.rows, lines=tuple(lines)
    )


def queue(ws: Workspace, actor: Actor, project_id: str, worker: bool) -> Queue:
    """What runs and waits in this project; `worker` is whether one is alive."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        live = [job for job in jobs.unfinished(conn) if job.project_id == project_id]
    running = [job for job in live if job.state is State.RUNNING]
    # an orchestrating job only waits for another one, which is the news
    running.sort(key=lambda job: job.lane == "loop")
    first = running[0] if running else None
    return Queue(
        running_id=first.id if first else None,
        running=first.name if first else "",
        waiting=sum(job.state is State.QUEUED for job in live),
        worker=worker,
        cores=os.cpu_count() or 1,
    )


def visit(ws: Workspace, actor: Actor, project_id: str) -> float:
    """Note that the actor looks at the project; when their visit before this one ended, or 0.

    A visit lasts as long as no half hour passes without a look. At most one note a minute.
    """
    actor.require(Role.TRAINER)
    now = time.time()
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = last_visits.get(conn, project_id, actor.name)
    if known and now - known.seen_at < NOTED_S:
        return known.before_at
    if known is None:
        times = LastVisit(0.0, now)
    elif now - known.seen_at > PAUSE_S:
        times = LastVisit(known.seen_at, now)
    else:
        times = LastVisit(known.before_at, now)
    with writing(ws.db) as conn:
        last_visits.put(conn, project_id, actor.name, times)
    return times.before_at
