"""Start the demo: a project of its own whose job walks the whole loop with simulated raters."""

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.job import Job
from engine.core.project import Project
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import jobs as job_store
from engine.store.connect import reading
from engine.workspace import Workspace

NAME = "Demo: a library's help desk"


def start(
    ws: Workspace, actor: Actor, rater: str = "friendly", learning_rate: float | None = None
) -> tuple[Project, Job]:
    """A new demo project and the job that walks its loop; the one under way where there is one.

    `learning_rate` is that of the training on votes. UserError for raters of an unknown rule.
    """
    actor.require(Role.TRAINER)
    plugins.load("raters", rater)
    for project in projects.list_all(ws, actor):
        with reading(ws.db) as conn:
            live = [j for j in job_store.list_all(conn, project.id) if j.kind == "demo"]
        if live and not live[0].over:
            return project, live[0]
    bases = registry.list_all(ws, actor)
    if not bases:
        raise Conflict("The model is still being fetched.", "Start the demo when it is there.")
    project = projects.create(ws, actor, NAME)
    if actor.projects is not None:  # who they are was looked up before it was there
        actor = actor.model_copy(update={"projects": actor.projects | {project.id}})
    recipe = plugins.load("jobs", "demo").Recipe(model=bases[0].id, rater=rater)
    if learning_rate is not None:
        recipe = recipe.model_copy(update={"dpo": {**recipe.dpo, "learning_rate": learning_rate}})
    return project, lifecycle.submit(ws, actor, project.id, recipe, "The whole loop")
