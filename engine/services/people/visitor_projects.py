"""Projects of visitors who did not come back are removed, sooner where the disk is nearly full.

Their files go, and all rows that no vote and no audit entry needs (store/removed_projects.py).
"""

import os
import shutil
from pathlib import Path

from engine.core.errors import UserError
from engine.services.people import visitors
from engine.store import projects, removed_projects
from engine.store.connect import reading, writing
from engine.workspace import Workspace

VARIABLE = "TUNELOOP_VISITOR_DAYS"
USUAL_DAYS, MOST_DAYS = 30, 365
DAY_S = 24 * 3600.0  # a project of somebody who was here within it is never removed


def kept_days() -> int:
    """For how many days without a visit a project is kept; UserError where none can be read."""
    asked = os.environ.get(VARIABLE, "").strip() or str(USUAL_DAYS)
    if not asked.isdecimal() or not 1 <= int(asked) <= MOST_DAYS:
        raise UserError(
            f"{VARIABLE} is {asked[:20]!r}, which is no number of days.",
            f"Set it from 1 to {MOST_DAYS}.",
        )
    return int(asked)


def sentence() -> str:
    """What a visitor is told of it."""
    days = kept_days()
    when = "for a day" if days == 1 else f"for {days} days"
    return (
        f"Projects here belong to this browser alone and are removed once it stays away {when}, "
        "or after one day where the disk is nearly full."
    )


def sweep(ws: Workspace, now: float) -> int:
    """Remove the projects that nobody came back to; how many."""
    with reading(ws.db) as conn:
        old = projects.unseen(conn, visitors.PREFIX, now - kept_days() * DAY_S)
        left = removed_projects.waiting(conn)  # of a sweep that was cut off
    for project_id in left:
        _empty(ws, project_id)
    removed = sum(_remove(ws, one, now, now - kept_days() * DAY_S) for one in old)
    if not _is_full(ws.files):
        return removed
    with reading(ws.db) as conn:
        away = projects.unseen(conn, visitors.PREFIX, now - DAY_S)
    for project_id in away:
        if not _is_full(ws.files):
            break
        removed += _remove(ws, project_id, now, now - DAY_S)
    return removed


def _remove(ws: Workspace, project_id: str, now: float, before: float) -> bool:
    """Whether it was removed: not where its maker has come, or a job of it is not over."""
    with writing(ws.db) as conn:
        projects.lock(conn, project_id)
        away = project_id in projects.unseen(conn, visitors.PREFIX, before)
        if not away or not removed_projects.mark(conn, project_id, now):
            return False
    _empty(ws, project_id)
    return True


def _empty(ws: Workspace, project_id: str) -> None:
    """Files first: rows that are there still say which are to go when this is cut off."""
    with reading(ws.db) as conn:
        files = removed_projects.files(conn, project_id)
    for name in files:
        path = ws.files / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with writing(ws.db) as conn:
        removed_projects.empty(conn, project_id)


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < visitors.LEAST_FREE
