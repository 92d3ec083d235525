"""A copy of the database for safe keeping, taken while people vote."""

from pathlib import Path

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.store.connect import copy_to
from engine.workspace import Workspace


def make(ws: Workspace, actor: Actor, target: Path) -> Path:
    """The copy; it holds every vote that was answered before. Conflict where a file is there."""
    actor.require(Role.OWNER)
    if target.exists():
        raise Conflict(f"{target} is there already.", "Name a new file.")
    copy_to(ws.db, target)
    return target
