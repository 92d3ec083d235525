"""Names that a request may give a model: its id, its name, or `champion@PROJECT`."""

from engine.api.callers import Caller
from engine.api.errors import Refused, Wire
from engine.core.model import Model
from engine.services import projects
from engine.services.loop import champion
from engine.services.models import registry
from engine.workspace import Workspace

CHAMPION = "champion@"


def list_all(ws: Workspace, caller: Caller) -> list[Wire]:
    """What `GET /v1/models` lists: bases, the project's models, and the names that follow them."""
    known = _answering(ws, caller)
    project = projects.get(ws, caller.actor, caller.project_id)
    named = [_shown(registry.request_name(one, known), one, project.name) for one in known]
    best = champion.current(ws, caller.actor, caller.project_id)
    if best is not None:
        named.append(_shown(f"{CHAMPION}{project.name}", best, project.name))
    return named


def find(ws: Workspace, caller: Caller, wanted: str) -> Model:
    """The model of that name; 404 with OpenAI's code otherwise."""
    if wanted.startswith(CHAMPION):
        _check_project(ws, caller, wanted.removeprefix(CHAMPION), wanted)
        best = champion.current(ws, caller.actor, caller.project_id)
        if best is None:
            raise _unknown(wanted, "Nobody has promoted a model of this project yet")
        return best
    known = _answering(ws, caller)
    for one in reversed(known):
        if wanted in (one.id, one.name):
            return one
    raise _unknown(
        wanted,
        f"Known: {', '.join(registry.request_name(one, known) for one in known) or 'none yet'}",
    )


def shown(ws: Workspace, caller: Caller, wanted: str) -> Wire:
    """What `GET /v1/models/NAME` says."""
    project = projects.get(ws, caller.actor, caller.project_id)
    return _shown(wanted, find(ws, caller, wanted), project.name)


def _check_project(ws: Workspace, caller: Caller, named: str, wanted: str) -> None:
    project = projects.get(ws, caller.actor, caller.project_id)
    if named not in (project.id, project.name):
        raise _unknown(wanted, f"This key opens the project {project.name!r} alone")


def _answering(ws: Workspace, caller: Caller) -> list[Model]:
    models = registry.list_all(ws, caller.actor, caller.project_id)
    return [one for one in models if one.kind != "reward"]


def _shown(name: str, one: Model, project: str) -> Wire:
    return {
        "id": name,
        "object": "model",
        "created": int(one.created_at),
        "owned_by": project if one.project_id else "tuneloop",
    }


def _unknown(wanted: str, why: str) -> Refused:
    return Refused(
        f"The model {wanted[:200]!r} does not exist. {why}.",
        param="model",
        code="model_not_found",
        status=404,
    )
