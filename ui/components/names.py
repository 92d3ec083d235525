"""Display names of models and datasets on every page, never their id; times for dropdowns."""

import time
from collections import Counter

from engine.core.actor import Actor
from engine.core.model import Model
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.models import registry
from engine.workspace import Workspace
from ui.web.session import who

GONE = "one that has gone"
TRAINED = ("adapter", "full")  # a reward model judges answers and writes none


def of_models(ws: Workspace, project: str | None, actor: Actor | None = None) -> dict[str, str]:
    """Model id to name: an adapter goes by the name of its run, told apart where two are alike.

    Models that the project knows by name alone, from a file of votes, are among them.
    Outside an event of the page, `actor` says who asks.
    """
    actor = actor or who(ws)
    found = registry.list_all(ws, actor, project)
    found += registry.outside(ws, actor, project) if project else []
    runs = {job.id: job.name for job in lifecycle.list_all(ws, actor, project)} if project else {}
    called = {one.id: runs.get(one.job_id or "", one.name) for one in found}
    often = Counter(called.values())
    return {one.id: _apart(one, called[one.id], often) for one in found}


def of_datasets(ws: Workspace, project: str | None) -> dict[str, str]:
    """Dataset id to name and version."""
    if not project:
        return {}
    return {one.id: one.label for one in datasets.list_all(ws, who(ws), project)}


def choices(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Label and id of every model that answers: bases, the champion, then the newest trained."""
    models = registry.list_all(ws, who(ws), project)
    best = champion.current(ws, who(ws), project) if project else None
    called = of_models(ws, project)
    bases = [(f"{called[one.id]} (base)", one.id) for one in models if one.kind == "base"]
    trained = [one for one in reversed(models) if one.kind in TRAINED]
    if best:
        trained.sort(key=lambda one: one.id != best.id)
    marks = {best.id: " (champion)"} if best else {}
    return bases + [(f"{called[one.id]}{marks.get(one.id, '')}", one.id) for one in trained]


def first_two(ws: Workspace, project: str | None) -> list[str]:
    """The base of the champion, or of the newest trained model, and it; else the first base."""
    models = registry.list_all(ws, who(ws), project)
    trained = [one for one in models if one.kind in TRAINED]
    bases = [one.id for one in models if one.kind == "base"]
    if not trained:
        return bases[:1]
    best = champion.current(ws, who(ws), project) if project else None
    taken = best if best and best.kind in TRAINED else trained[-1]
    return [one for one in bases if one == taken.base_id] + [taken.id]


def moment(at: float) -> str:
    """A time as text for a dropdown, in this machine's zone."""
    return time.strftime("%-d %b, %H:%M", time.localtime(at))


def _apart(one: Model, called: str, often: Counter[str]) -> str:
    if often[called] == 1 or called == one.name:
        return called
    return f"{called} ({one.name})"
