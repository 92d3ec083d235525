"""Whom a job or a key acts for: the person who made it, as they are at this moment."""

from sqlalchemy import Connection

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden
from engine.services.people import accounts, visitors
from engine.store import accounts as store_accounts
from engine.store import jobs, projects
from engine.store.connect import reading
from engine.workspace import Workspace

GONE = "Somebody who works in the project can start it again."


def owner_of(ws: Workspace, job_id: str) -> Actor:
    """The owner of a job with their role of this moment, in the project of the job alone.

    Forbidden where their account is closed or they left the project. Jobs of a server without
    accounts, and of the command line, act as its owner, in that one project too.
    """
    with reading(ws.db) as conn:
        job = jobs.get(conn, job_id)
        if job is None:
            raise Forbidden("The job no longer exists.", "Start it again.")
        found = as_now(conn, job.owner, job.project_id)
        return found.model_copy(update={"for_job": True})


def as_now(conn: Connection, name: str, project_id: str) -> Actor:
    """The person `name` with their role of this moment, in one project; Forbidden as above."""
    here = frozenset({project_id})
    if name == LOCAL.name:
        return LOCAL.model_copy(update={"projects": here})
    if visitors.is_visitor(name):
        if project_id not in projects.made_by(conn, name):
            raise Forbidden("This project belongs to somebody else.", "Make one of your own.")
        return Actor(name=name, role=Role.TRAINER, projects=here)
    person = store_accounts.find_by_name(conn, accounts.key(name))
    joined = store_accounts.projects_of(conn, person.id) if person else frozenset()
    if person is None or person.status != "active":
        raise Forbidden(f"The account of {name} is closed.", GONE)
    role = accounts.ROLES[person.role]
    if role < Role.OWNER and project_id not in joined:
        raise Forbidden(f"{person.name} left this project.", GONE)
    return Actor(name=person.name, role=role, projects=here)
