"""The LLM judge of an evaluation: whether one is configured, queue its job, read its result."""

import os

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.core.recipe import read
from engine.metrics.llm_judge import LLMJudge, from_environment
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.workspace import Workspace

KIND = "judge"


def configured() -> LLMJudge | None:
    """The judge that the server's environment names; None where it names none, or a wrong one."""
    try:
        return from_environment(os.environ)
    except UserError:
        return None


def missing() -> str:
    """Why nobody can be asked and what to do; empty where there is a judge."""
    try:
        from_environment(os.environ)
    except UserError as error:
        return str(error)
    return ""


def submit(
    ws: Workspace, actor: Actor, project_id: str, evaluation_id: str, model_id: str, rows: int
) -> Job:
    """Queue the comparison of a model with the baseline; UserError where nobody can be asked."""
    actor.require(Role.TRAINER)
    from_environment(os.environ)
    values = {"evaluation": evaluation_id, "model": model_id, "max_rows": rows}
    recipe = read(plugins.load("jobs", KIND).Recipe, values)
    name = f"A judge on {registry.get(ws, actor, model_id).name}"
    return lifecycle.submit(ws, actor, project_id, recipe, name)


def of_evaluation(ws: Workspace, actor: Actor, project_id: str, evaluation_id: str) -> list[Job]:
    """What was asked about an evaluation, newest first, also what is waiting or has failed."""
    jobs = lifecycle.list_all(ws, actor, project_id, (KIND,))
    return [job for job in jobs if job.recipe["evaluation"] == evaluation_id]


def newest(found: list[Job], model_id: str) -> Job | None:
    """Of those, the newest that is done with that model."""
    done = (j for j in found if j.state is State.DONE and j.recipe["model"] == model_id)
    return next(done, None)
