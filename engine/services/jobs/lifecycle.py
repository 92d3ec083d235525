"""Jobs: hand one in, watch it, stop it. A worker does the work (engine/worker.py)."""

import time

from sqlalchemy import Connection

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.event import Event, StateEvent, StoredEvent
from engine.core.job import Job, State
from engine.core.recipe import Recipe, RefKind, read_exact
from engine.methods import checkpoint, option_names
from engine.services import access
from engine.services.jobs import replay_data
from engine.services.jobs.enqueue import enqueue
from engine.services.people import visitors
from engine.store import events, fingerprints, jobs, projects, rounds, workers
from engine.store.connect import reading, writing
from engine.trackers import available as trackers
from engine.workspace import Workspace

WORKER_SILENT_S = 30.0


def submit(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    recipe: Recipe,
    name: str = "",
    request: str = "",
) -> Job:
    """Queue `recipe`; a worker will pick it up. The same recipe twice within 2 s is one job.

    Unless a program asked for it by another `request`.
    """
    actor.require(max(Role.TRAINER, recipe.role()))
    for training in recipe.nested_trainings():
        trackers.check(training)
        option_names.check_before_start(training)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        projects.lock(conn, project_id)  # or two at once are each within a limit, and both new
        _check_needs(conn, actor, project_id, recipe)
        visitors.check_job(ws, conn, actor)
        recipe = replay_data.resolved(conn, actor, project_id, recipe)
        return enqueue(
            conn, project_id, recipe, actor.name, time.time(), name=name, request=request
        ).job


def list_all(
    ws: Workspace, actor: Actor, project_id: str, kinds: tuple[str, ...] | None = None
) -> list[Job]:
    """Newest first; only the given kinds where named."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        project_jobs = jobs.list_all(conn, project_id)
    return [job for job in project_jobs if kinds is None or job.kind in kinds]


def revision(ws: Workspace, actor: Actor, project_id: str) -> str:
    """A fingerprint of the project's jobs: equal means the same jobs in the same states.

    Of the events of a running job it tells nothing.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return fingerprints.of_jobs(conn, project_id)


def get(ws: Workspace, actor: Actor, job_id: str) -> Job:
    """The job as it stands now."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return access.job(conn, actor, job_id)


def recipe_of(job: Job) -> Recipe:
    """The recipe that the job was submitted with."""
    known: type[Recipe] = plugins.load("jobs", job.kind).Recipe
    return read_exact(known, job.recipe)


def trains(kind: str) -> bool:
    """Whether jobs of this kind train a model; False for a plug-in that is not installed."""
    module = plugins.find("jobs", kind)
    return module is not None and bool(module.Recipe.TRAINS)


def goes_on(kind: str) -> bool:
    """Whether a second attempt of such a job begins where a killed one stopped."""
    module = plugins.find("jobs", kind)
    return module is not None and bool(module.Recipe.GOES_ON)


def cancel(ws: Workspace, actor: Actor, job_id: str) -> Job:
    """Stop a job: at once while it waits, after its current step while it runs."""
    actor.require(Role.TRAINER)
    now = time.time()
    with writing(ws.db) as conn:
        job = access.job(conn, actor, job_id)
        if job.over:
            raise Conflict(f"{job.name} is over: {job.state}.", "There is nothing to stop.")
        if jobs.cancel_queued(conn, job_id, now):
            events.add(conn, job_id, [(now, "state", None, {"state": State.CANCELLED})])
            rounds.fail_waiting_for(conn, job_id)
        else:
            jobs.ask_to_cancel(conn, job_id)
        return access.job(conn, actor, job_id)


def stop_and_keep(ws: Workspace, actor: Actor, job_id: str) -> Job:
    """Stop a training after its current step; the best state so far becomes its model."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        job = access.job(conn, actor, job_id)
        if job.over:
            raise Conflict(f"{job.name} is over: {job.state}.", "There is nothing to stop.")
        if not trains(job.kind):
            raise Conflict(f"{job.name} trains no model to keep.", "Stop it instead.")
        if not jobs.request_stop_and_keep(conn, job_id):
            raise Conflict(f"{job.name} has not begun, so there is nothing to keep.", "Stop it.")
        return access.job(conn, actor, job_id)


def can_resume(ws: Workspace, actor: Actor, job_id: str) -> bool:
    """Whether a run failed or was stopped and left a checkpoint to go on from."""
    old = get(ws, actor, job_id)
    broken_off = old.state in (State.FAILED, State.CANCELLED)
    return broken_off and checkpoint.exists(ws.files / "jobs" / old.id / checkpoint.FOLDER)


def resume(ws: Workspace, actor: Actor, job_id: str) -> Job:
    """A new run that goes on from the last checkpoint of one that failed or was stopped."""
    actor.require(Role.TRAINER)
    old = get(ws, actor, job_id)
    if old.state not in (State.FAILED, State.CANCELLED):
        raise Conflict(
            f"{old.name} is {old.state}.", "Only a run that failed or was stopped can go on."
        )
    folder = ws.files / "jobs" / old.id / checkpoint.FOLDER
    state = checkpoint.newest_verified(folder)
    if state is None:
        raise Conflict(f"{old.name} left no checkpoint.", "Start it again from the beginning.")
    recipe, now = recipe_of(old), time.time()
    actor.require(recipe.role())
    with writing(ws.db) as conn:
        projects.lock(conn, old.project_id)
        _check_needs(conn, actor, old.project_id, recipe)
        visitors.check_job(ws, conn, actor)
        new, is_new = enqueue(
            conn, old.project_id, recipe, actor.name, now, name=old.name, resumes=old
        )
        if is_new:
            checkpoint.lend(folder, ws.files / "jobs" / new.id / checkpoint.FOLDER)
            jobs.describe(conn, new.id, note=f"Goes on from step {state.step} of {old.name}.")
        return access.job(conn, actor, new.id)


def watch(
    ws: Workspace, actor: Actor, job_id: str, after: int = 0, most: int | None = None
) -> list[Event]:
    """The events of the job after number `after`, in order: the first `most` of them."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.job(conn, actor, job_id)
        return events.after(conn, job_id, after, most)


def stored_events(
    ws: Workspace, actor: Actor, job_id: str, after: int, most: int
) -> list[StoredEvent]:
    """As `watch`, with data that nobody has read: for who needs a part of a long run."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.job(conn, actor, job_id)
        return events.stored_after(conn, job_id, after, most)


def current(job_events: list[Event]) -> list[Event]:
    """Of all that a job said, what its last attempt said: no step shows twice there.

    An attempt that goes on from a checkpoint says again what was measured until then.
    """
    begins = [
        number
        for number, event in enumerate(job_events)
        if isinstance(event, StateEvent) and event.data["state"] == State.RUNNING
    ]
    return job_events[begins[-1] :] if begins else job_events


def place_in_queue(ws: Workspace, actor: Actor, job_id: str) -> int:
    """How many jobs run or wait before this one; 0 when it is next, runs or is over."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        job = access.job(conn, actor, job_id)
        return jobs.ahead(conn, job) if job.state is State.QUEUED else 0


def worker_alive(ws: Workspace, actor: Actor) -> bool:
    """Whether any worker was heard of in the last 30 seconds."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        return time.time() - workers.newest_heartbeat(conn) < WORKER_SILENT_S


def anything_going(ws: Workspace, actor: Actor) -> bool:
    """Whether a job that the actor may see runs or waits."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return any(actor.sees(project_id) for project_id in jobs.going_in(conn))


def _check_needs(conn: Connection, actor: Actor, project_id: str, recipe: Recipe) -> None:
    for needed in recipe.needs():
        if needed.kind is RefKind.DATASET:
            access.dataset(conn, actor, needed.id, project_id)
        elif needed.kind is RefKind.EVALUATION:
            access.evaluation(conn, actor, needed.id, project_id)
        else:
            model = access.model(conn, actor, needed.id, project_id)
            if model.kind == "reward" and recipe.ANSWERS:
                raise Conflict(
                    f"{model.name} is a reward model: it scores answers and cannot generate them.",
                    "Choose a model that answers.",
                )
