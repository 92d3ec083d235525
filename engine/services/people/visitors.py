"""Visitors of an open Space: whoever comes has projects of their own and sees no other.

A browser holds 256 random bits that this server gave out (`visitor_cookies`), and nothing is stored
of it: a hash of them is the visitor's name, which stands as the maker in each of their projects. So
a name that is read somewhere opens nothing. Whoever holds no such bits sees no project at all.
"""

import re
import shutil
import time
from collections import OrderedDict
from pathlib import Path

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, SignedOut
from engine.core.job import Job, State
from engine.files import bytes_in, drop_oldest
from engine.services.people import visitor_cookies
from engine.store import datasets, jobs, projects
from engine.store.connect import alone, reading, writing
from engine.workspace import Workspace

NAME = re.compile(r"visitor-[0-9a-f]{32}")
PREFIX = "visitor-"
ONE_WRITER = 7286149  # of what counts towards limits of visitors; see connect.alone
NOTED_S = 3600.0  # a visit is noted once within it
MOST_PROJECTS = 5
MOST_JOBS = 4  # that wait or run; those that a loop starts for itself are not counted
MOST_BYTES = 500 * 2**20
MOST_UPLOADED = 2 * 2**30  # of all visitors' files that wait to be read
UPLOAD_S = 600.0  # a file that nobody wrote for so long may leave to make room
MOST_WAITING = 40  # jobs of all visitors together
MOST_OF_NETWORK = 20  # of them, by visitors who came from one network
MOST_KNOWN = 10_000  # visitors whose network is remembered, those that came last
LEAST_FREE = 4 * 2**30  # of the disk: less is for what runs already
LONGEST_JOB_S, LONGEST_LOOP_S = 3600.0, 3 * 3600.0
NOBODY = (
    "This browser keeps no cookie of this page, so no project can be yours here.",
    "Open the page in a tab of its own, or allow cookies, and reload it.",
)
TOO_MANY = (
    "Many new visitors came from your network within the hour.",
    "Try again in some minutes, or run Tuneloop yourself.",
)
COPY = "Remove what you no longer need, or run Tuneloop yourself."

_networks: OrderedDict[str, str] = OrderedDict()  # a keyed hash, by visitor
_new_visitors = visitor_cookies.NewVisitors()


def is_visitor(name: str) -> bool:
    """Whether an actor of this name is a visitor."""
    return NAME.fullmatch(name) is not None


def actor(ws: Workspace, token: str) -> Actor | None:
    """The visitor that what a browser holds stands for; None where it can't stand for anybody."""
    held = visitor_cookies.read(ws, token)
    if held is None or not held.is_ours:
        return None
    name = _name(held.secret)
    _remember(name, held.network)
    with reading(ws.db) as conn:
        own = projects.sights(conn, name)
    now = time.time()
    if any(now - seen > NOTED_S for seen in own.values()):
        with writing(ws.db) as conn:
            projects.see(conn, name, now)
    return Actor(name=name, role=Role.TRAINER, projects=frozenset(own))


def admit(ws: Workspace, token: str, address: str) -> str | None:
    """What a browser that opens the page holds from now on; None where too many came already.

    One that was here before keeps what it holds: by our mark, or, where the key was lost or an
    older version gave it out, by a project of its own.
    """
    held = visitor_cookies.read(ws, token)
    if held is not None and held.is_ours:
        return token
    if held is not None:
        with reading(ws.db) as conn:
            if projects.made_by(conn, _name(held.secret)):
                return visitor_cookies.sign(ws, held.secret, address)
    if not _new_visitors.take(address, time.monotonic()):
        return None
    return visitor_cookies.sign(ws, visitor_cookies.new_secret(), address)


def require(ws: Workspace, token: str) -> Actor:
    """The same; SignedOut where there is nobody."""
    found = actor(ws, token)
    if found is None:
        raise SignedOut(*NOBODY)
    return found


def check_project(ws: Workspace, conn: Connection, who: Actor) -> None:
    """Conflict where a visitor may make no further project."""
    if not is_visitor(who.name):
        return
    alone(conn, ONE_WRITER)
    if len(projects.made_by(conn, who.name)) >= MOST_PROJECTS:
        raise Conflict(f"A visitor has {MOST_PROJECTS} projects at most.", "Go on in one of them.")
    check_room(ws, conn, who)


def check_job(ws: Workspace, conn: Connection, who: Actor) -> None:
    """Conflict where a visitor may queue no further job. A loop's own jobs come one by one."""
    if who.for_job or not is_visitor(who.name):
        return
    alone(conn, ONE_WRITER)
    going = [job for job in jobs.unfinished(conn) if is_visitor(job.owner)]
    if sum(job.owner == who.name for job in going) >= MOST_JOBS:
        raise Conflict(
            f"A visitor has {MOST_JOBS} jobs waiting or running at most.",
            "Wait until one is done, or stop one.",
        )
    here = _networks.get(who.name)
    near = [job for job in going if here and _networks.get(job.owner) == here]
    if len(near) >= MOST_OF_NETWORK:
        raise Conflict(
            f"Visitors of your network have {MOST_OF_NETWORK} jobs waiting or running at most.",
            "Try again when one of them is done.",
        )
    if len(going) >= MOST_WAITING:
        raise Conflict("Too many jobs of visitors wait already.", "Try again later.")
    check_room(ws, conn, who)


def check_room(ws: Workspace, conn: Connection, who: Actor) -> None:
    """Conflict where a visitor's files take all that is theirs, or the disk is nearly full."""
    if not is_visitor(who.name):
        return
    own = projects.made_by(conn, who.name)
    if _bytes(ws, conn, own) > MOST_BYTES:
        limit = MOST_BYTES // 2**20
        raise Conflict(f"The files of your projects take more than {limit} MB.", COPY)
    if shutil.disk_usage(ws.files).free < LEAST_FREE:
        raise Conflict("The disk is nearly full.", "Try again later.")


def uploads_full(folder: Path, now: float) -> bool:
    """Whether the files that wait in `folder` to be read leave no room for another.

    Old ones make room: they are read as they come, and an upload that was cut off never is.
    """
    if bytes_in(folder) > MOST_UPLOADED:
        drop_oldest(folder, now - UPLOAD_S, MOST_UPLOADED)
    return bytes_in(folder) > MOST_UPLOADED


def sweep(ws: Workspace, now: float) -> None:
    """Ask jobs of visitors to end that run for too long."""
    with reading(ws.db) as conn:
        late = [job for job in jobs.unfinished(conn) if is_visitor(job.owner) and _late(job, now)]
    for job in late:
        with writing(ws.db) as conn:
            jobs.ask_to_cancel(conn, job.id)


def _name(secret: str) -> str:
    return PREFIX + ids.sha256(secret)[:32]


def _remember(name: str, network: str) -> None:
    if not network:
        return
    _networks[name] = network
    _networks.move_to_end(name)
    if len(_networks) > MOST_KNOWN:
        _networks.popitem(last=False)


def _late(job: Job, now: float) -> bool:
    longest = LONGEST_LOOP_S if job.lane == "loop" else LONGEST_JOB_S
    begun = job.started_at or now
    return job.state is State.RUNNING and not job.cancel_requested and now - begun > longest


def _bytes(ws: Workspace, conn: Connection, project_ids: list[str]) -> int:
    folders: list[Path] = []
    for project_id in project_ids:
        folders += [ws.files / one.file for one in datasets.list_all(conn, project_id)]
        folders += [ws.files / "jobs" / job.id for job in jobs.list_all(conn, project_id)]
    return sum(bytes_in(folder) for folder in folders)
