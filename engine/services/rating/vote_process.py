"""A large file of votes, read in a process of its own: the web process never holds its rows.

Run as `python -m engine.services.rating.vote_process` with the call as JSON on its input. It opens
the same workspace, does what `vote_import` does, and answers with a preview or with what it stored.
The parser of the file runs in a further process, which knows no workspace.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.core.actor import Actor, Role
from engine.core.json_object import JsonObject
from engine.formats import isolated
from engine.services import access
from engine.services.data import row_process
from engine.store.connect import reading
from engine.workspace import Settings, Workspace, open_workspace

LARGEST = 2**50  # bytes of a file that it writes: the database
MODULE = "engine.services.rating.vote_process"
_here = False  # this is that process


def is_wanted(path: Path) -> bool:
    """Whether the file is so large that the process that asks must not read it."""
    return not _here and path.is_file() and not isolated.is_small(path)


def columns_of(
    ws: Workspace, actor: Actor, project_id: str, path: Path, name: str
) -> tuple[str, ...]:
    """As `vote_import.columns_of`."""
    return tuple(json.loads(_ask("columns_of", ws, actor, project_id, path, name)))


def preview(
    ws: Workspace, actor: Actor, project_id: str, path: Path, name: str, how: BaseModel
) -> str:
    """As `vote_import.preview`, in JSON."""
    return _ask("preview", ws, actor, project_id, path, name, how)


def add(ws: Workspace, actor: Actor, project_id: str, path: Path, name: str, how: BaseModel) -> str:
    """As `vote_import.add`, in JSON."""
    return _ask("add", ws, actor, project_id, path, name, how)


def _ask(
    call: str,
    ws: Workspace,
    actor: Actor,
    project_id: str,
    path: Path,
    name: str,
    how: BaseModel | None = None,
) -> str:
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
    question: JsonObject = {
        "call": call,
        "settings": ws.settings.model_dump(mode="json"),
        "actor": actor.model_dump(mode="json"),
        "project": project_id,
        "path": str(path.resolve()),
        "name": name,
        "how": how.model_dump(mode="json") if how else None,
        "output": LARGEST,
    }
    return row_process.ask(MODULE, question, name)


def _done(asked: Any) -> str:
    service = importlib.import_module("engine.services.rating.vote_import")
    ws = open_workspace(Settings.model_validate(asked["settings"]))
    actor, path = Actor.model_validate(asked["actor"]), Path(asked["path"])
    given = [ws, actor, asked["project"], path, asked["name"]]
    if asked["how"] is not None:
        given.append(service.VoteImport.model_validate(asked["how"]))
    try:
        answer = getattr(service, asked["call"])(*given)
    finally:
        ws.close()
    return answer.model_dump_json() if isinstance(answer, BaseModel) else json.dumps(answer)


def main() -> None:
    """Do the call that is asked for, within the limits of this process."""
    own: Any = importlib.import_module(MODULE)  # `vote_import` asks this one, not __main__
    own._here = True
    row_process.answer(_done)


if __name__ == "__main__":
    main()
