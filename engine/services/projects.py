"""Projects: make one, list them, see where its loop stands (removal: people/visitor_projects)."""

import time

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.names import without_nul
from engine.core.project import Project
from engine.services import access
from engine.services.people import accounts, visitors
from engine.store import accounts as store_accounts
from engine.store import fingerprints, projects
from engine.store.connect import alone, reading, writing
from engine.workspace import Workspace

NAME_LENGTH = 80
FIRST = "My project"  # its name where nobody gives one
ONE_WRITER = 7286150  # of a first project; see connect.alone


def create(ws: Workspace, actor: Actor, name: str) -> Project:
    """A new, empty project, which whoever made it belongs to."""
    actor.require(Role.TRAINER)
    name = _cleaned(name)
    with writing(ws.db) as conn:
        return _add(ws, conn, actor, name)


def find_or_create(ws: Workspace, actor: Actor, name: str | None = None) -> Project:
    """The newest project by name or id, of all where none is named; a new one where there is none.

    Whoever asks at the same time gets the same project.
    """
    actor.require(Role.TRAINER)
    new = _cleaned(FIRST if name is None else name)
    with writing(ws.db) as conn:
        alone(conn, ONE_WRITER)
        for one in projects.list_all(conn):
            if actor.sees(one.id) and (name in (None, one.id) or new == one.name):
                return one
        return _add(ws, conn, actor, new)


def list_all(ws: Workspace, actor: Actor) -> list[Project]:
    """Those that the actor may see, newest first."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        return [one for one in projects.list_all(conn) if actor.sees(one.id)]


def get(ws: Workspace, actor: Actor, project_id: str) -> Project:
    """The project; NotFound otherwise."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        return access.project(conn, actor, project_id)


def revision(ws: Workspace, actor: Actor, project_id: str) -> str:
    """A fingerprint of all that is stored about the project: equal means that nothing changed.

    It tells nothing else, and costs a few counts: pages ask for it before they read a history.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return fingerprints.of_project(conn, project_id)


def _cleaned(name: str) -> str:
    """The name with single spaces; UserError where it can't be one."""
    name = " ".join(without_nul(name, "The name").split())
    if not name or len(name) > NAME_LENGTH:
        raise UserError("A project needs a name of 1 to 80 characters.", "Type one.")
    return name


def _add(ws: Workspace, conn: Connection, actor: Actor, name: str) -> Project:
    new = Project(id=ids.new("project"), name=name, created_by=actor.name, created_at=time.time())
    visitors.check_project(ws, conn, actor)
    projects.add(conn, new)
    maker = store_accounts.find_by_name(conn, accounts.key(actor.name))
    if maker and actor.projects is not None:
        store_accounts.join(conn, maker.id, new.id)
    return new
