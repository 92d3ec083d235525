"""What every service checks first: that the thing exists, and that the actor may see it.

What belongs to a project that is not the actor's does not exist for them: they get the same answer
as for an id that was never given to anything.
"""

from sqlalchemy import Connection

from engine.core.actor import Actor
from engine.core.dataset import Dataset
from engine.core.errors import NotFound
from engine.core.job import Job
from engine.core.model import Model
from engine.core.project import Project
from engine.core.rating import Round
from engine.store import datasets, evaluations, jobs, models, projects, rounds
from engine.store.evaluations import EvaluationRef


def project(conn: Connection, actor: Actor, project_id: str) -> Project:
    """The project; NotFound otherwise."""
    found = projects.get(conn, project_id)
    if found is None or not actor.sees(found.id):
        raise NotFound(f"There is no project {project_id!r}.", "Choose one from the list.")
    return found


def dataset(
    conn: Connection, actor: Actor, dataset_id: str, project_id: str | None = None
) -> Dataset:
    """The dataset version, of `project_id` where given; NotFound otherwise."""
    version = datasets.get(conn, dataset_id)
    if version is None or not _here(actor, version.project_id, project_id):
        raise NotFound(f"There is no dataset {dataset_id!r}.", "Choose another dataset here.")
    return version


def model(
    conn: Connection,
    actor: Actor,
    model_id: str,
    project_id: str | None = None,
    *,
    outside: bool = False,
) -> Model:
    """The model: a base, or an adapter of `project_id` where given; NotFound otherwise.

    A model that is known by name alone can't be used for anything, so it is found only where
    `outside` asks for its name.
    """
    found = models.get(conn, model_id)
    hidden = found is not None and found.kind == models.OUTSIDE and not outside
    if (
        found is None
        or hidden
        or (found.project_id and not _here(actor, found.project_id, project_id))
    ):
        raise NotFound(f"There is no model {model_id!r}.", "Choose another model here.")
    return found


def job(conn: Connection, actor: Actor, job_id: str) -> Job:
    """The job; NotFound otherwise."""
    found = jobs.get(conn, job_id)
    if found is None or not actor.sees(found.project_id):
        raise NotFound(f"There is no run {job_id!r}.", "Choose another run here.")
    return found


def evaluation(
    conn: Connection, actor: Actor, evaluation_id: str, project_id: str
) -> EvaluationRef:
    """Where the evaluation of that project lies; NotFound otherwise."""
    found = evaluations.get(conn, evaluation_id)
    if found is None or not _here(actor, found.project_id, project_id):
        raise NotFound(f"There is no evaluation {evaluation_id!r}.", "Choose one from the list.")
    return found


def rating_round(conn: Connection, actor: Actor, round_id: str) -> Round:
    """The round; NotFound otherwise."""
    found = rounds.get(conn, round_id)
    if found is None or not actor.sees(found.project_id):
        raise NotFound(f"There is no round {round_id!r}.", "Choose another round here.")
    return found


def _here(actor: Actor, project_id: str, wanted: str | None) -> bool:
    return actor.sees(project_id) and wanted in (None, project_id)
