"""Bases of the Hugging Face Hub: search, look before anything is downloaded, add.

All of it asks with this server's token, so it is for owners alone. Which Hub is asked is the
operator's choice, never a person's.
"""

from importlib.util import find_spec

from sqlalchemy import Connection

from engine import plugins
from engine.advice import machine, size
from engine.core import hub_words
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, Unavailable, UserError
from engine.core.hub import (
    Catalog,
    HubBase,
    HubSearch,
    TuningFit,
    TuningVerdict,
)
from engine.core.job import Job
from engine.core.recipe import Recipe, TrainRecipe, Tuning, read
from engine.core.training_estimate import Preflight, proposal_words
from engine.models.hub import catalog as catalogue
from engine.models.hub import client, download, facts, obstacles
from engine.models.hub.facts import Repository
from engine.services import access
from engine.services.jobs import lifecycle
from engine.services.models import bases
from engine.services.training import estimate
from engine.store import jobs
from engine.store.connect import reading
from engine.workspace import Workspace

KIND = "download"
LONGEST_SEARCH = 100
TUNINGS: tuple[Tuning, ...] = ("lora", "qlora", "full")


def catalog(actor: Actor) -> Catalog:
    """Good first bases by size, known without a network."""
    actor.require(Role.TRAINER)
    return catalogue.read()


def search(actor: Actor, text: str) -> HubSearch:
    """Bases of the Hub whose names hold `text`; where it cannot be asked, why, and the catalog."""
    actor.require(Role.OWNER)
    asked, known = text.strip()[:LONGEST_SEARCH], catalogue.read()
    if not asked:
        return HubSearch(catalog=known)
    try:
        return HubSearch(models=tuple(facts.search(asked)), catalog=known)
    except client.HubRefusal as error:
        return HubSearch(catalog=known, problem=str(client.refusal(error, asked)))
    except Unavailable as error:
        return HubSearch(catalog=known, problem=str(error))


def look(ws: Workspace, actor: Actor, name: str, revision: str | None = None) -> HubBase:
    """What a base is and whether it can be added and trained here; nothing is downloaded.

    NotFound where the Hub has none of this name, Unavailable where the Hub does not answer.
    """
    actor.require(Role.OWNER)
    repository = facts.repository(name, revision)
    free = download.room(ws.files)
    with reading(ws.db) as conn:
        here = bases.with_commit(conn, repository.name, repository.revision)
    return obstacles.as_base(repository, free).model_copy(
        update={"tuning": _tuning(actor, repository), "model_id": here.id if here else None}
    )


def add(
    ws: Workspace, actor: Actor, project_id: str, name: str, revision: str | None = None
) -> Job:
    """Queue the download of a base, pinned to the commit that was looked at.

    UserError says what stands against it; Conflict where it is here or on its way.
    """
    actor.require(Role.OWNER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
    base = look(ws, actor, name, revision)
    if base.model_id:
        raise Conflict(f"{base.name} at this commit is here already.", "Choose it in a training.")
    if base.obstacles:
        raise UserError(*hub_words.obstacle(base, base.obstacles[0]))
    with reading(ws.db) as conn:
        _check_not_under_way(conn, base)
    values = {"name": base.name, "revision": base.revision}
    recipe: Recipe = read(plugins.load("jobs", KIND).Recipe, values)
    return lifecycle.submit(ws, actor, project_id, recipe, base.name)


def downloads(ws: Workspace, actor: Actor, project_id: str) -> list[Job]:
    """The downloads that were started in a project, newest first."""
    return lifecycle.list_all(ws, actor, project_id, (KIND,))


def _check_not_under_way(conn: Connection, base: HubBase) -> None:
    for job in jobs.unfinished(conn):
        same = (job.recipe.get("name"), job.recipe.get("revision")) == (base.name, base.revision)
        if job.kind == KIND and same:
            raise Conflict(f"{base.name} is being downloaded already.", "Wait for it.")


def _tuning(actor: Actor, found: Repository) -> tuple[TuningFit, ...]:
    """Each way to train it on this machine, by the estimate with the default settings."""
    weights = _size(found)
    if weights is None:
        return ()
    here = machine.here()
    return tuple(_fit(actor, weights, tuning, here) for tuning in TUNINGS)


def _size(found: Repository) -> size.Size | None:
    """The shape of its configuration, or where that is closed, one usual for its weights."""
    counted = (found.parameters, found.bytes) if found.parameters else None
    try:
        return size.of_config(found.config or {}, counted)
    except UserError:
        return size.of_number(found.parameters) if found.parameters else None


def _fit(actor: Actor, weights: size.Size, tuning: Tuning, here: machine.Machine) -> TuningFit:
    recipe = read(
        plugins.load("jobs", "sft").Recipe, {"model": "-", "dataset": "-", "tuning": tuning}
    )
    assert isinstance(recipe, TrainRecipe)
    found = estimate.what_if(actor, recipe, weights, machine=here)
    verdict, changes = _verdict(found)
    reason = ""
    if tuning == "qlora" and find_spec("bitsandbytes") is None:
        verdict, changes, reason = "unavailable", "", "bitsandbytes is not installed here"
    return TuningFit(
        tuning=tuning,
        verdict=verdict,
        memory_needed=found.memory_needed,
        memory_usable=here.usable,
        changes=changes,
        reason=reason,
    )


def _verdict(found: Preflight) -> tuple[TuningVerdict, str]:
    """Whether it fits, and with which smaller settings of the same tuning it would."""
    if found.verdict == "ok":
        return "fits", ""
    if found.verdict == "tight":
        return "tight", ""
    if found.proposal and "tuning" not in found.proposal:
        return "with_changes", proposal_words(found.proposal)
    return "impossible", ""
