"""Bases that were downloaded: taken over from a job, removed again, and what a stop left behind."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, NotFound
from engine.core.job_outcome import NewBase
from engine.core.model import Model
from engine.services import access
from engine.store import jobs, models, promotions
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.workspace import Workspace

FOLDER = "bases"  # in the files of the workspace: whole bases; in its cache: those under way
KEPT_S = 14 * 24 * 3600.0  # what a broken download left can be gone on from for two weeks


def take_over(ws: Workspace, conn: Connection, new: NewBase, now: float) -> Model:
    """Move what a download left in the cache to the bases, and make it known to all projects."""
    path = f"{FOLDER}/{Path(new.folder).name}"
    bases = models.list_all(conn, None)
    for known in bases:
        if known.path == path:
            return known
    place = ws.files / path
    place.parent.mkdir(exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)  # of an attempt that ended before its base was known
    (ws.files / "cache" / new.folder).rename(place)
    base = Model(
        id=ids.new("model"),
        name=_free_name(new, bases),
        kind="base",
        source="hub",
        path=path,
        info=new.info,
        created_at=now,
    )
    models.add(conn, base)
    return base


def remove(ws: Workspace, actor: Actor, model_id: str) -> int:
    """Remove a base from every list; the bytes that are free again.

    Files that Tuneloop fetched are deleted, a person's own folder stays. Conflict while a model
    needs the base or a job uses it. Its name stays with the votes and answers of the past.
    """
    actor.require(Role.OWNER)
    with writing(ws.db) as conn:
        base = access.model(conn, actor, model_id)
        if base.kind != "base":
            raise NotFound(f"{base.name} is not a base model.", "Name a base from the list.")
        _check_unused(conn, base)
        models.remove_base(conn, base.id)
    folder = (ws.files / base.path).resolve()
    if ws.settings.home.resolve() not in folder.parents:
        return 0
    freed = _size(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def with_commit(conn: Connection, name: str, revision: str) -> Model | None:
    """The base that was added from this commit of the Hub; None where there is none."""
    return next(
        (
            one
            for one in models.list_all(conn, None)
            if (one.info.get("repository"), one.info.get("revision")) == (name, revision)
        ),
        None,
    )


def by_name(ws: Workspace, actor: Actor, wanted: str) -> Model:
    """The base of this id or name, the newest of equal names; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        known = [one for one in models.list_all(conn, None) if one.kind == "base"]
    for one in reversed(known):
        if wanted in (one.id, one.name):
            return one
    names = ", ".join(one.name for one in known) or "none yet"
    raise NotFound(f"There is no base {wanted!r}.", f"Known: {names}.")


def sweep(ws: Workspace, now: float) -> None:
    """Delete what downloads left behind that nobody went on with for two weeks."""
    for folder in (ws.files / "cache" / FOLDER).glob("*"):
        newest = max((path.stat().st_mtime for path in (folder, *folder.glob("*"))), default=now)
        if newest < now - KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _check_unused(conn: Connection, base: Model) -> None:
    needing = models.needing(conn, base.id)
    if needing:
        raise Conflict(
            f"{_named(needing)} {'need' if len(needing) > 1 else 'needs'} {base.name}: an adapter "
            "does not work without its base.",
            "Keep the base, or export those models as merged ones first.",
        )
    if promotions.ever(conn, base.id):
        raise Conflict(
            f"{base.name} is or was the champion of a project, which can go back to it.",
            "Keep the base.",
        )
    using = [job for job in jobs.unfinished(conn) if base.id in to_json(job.recipe)]
    if using:
        raise Conflict(
            f"{using[0].name} uses {base.name} and is not over.", "Wait for it, or stop it."
        )


def _named(models: Sequence[Model]) -> str:
    names = [one.name for one in models[:3]]
    more = len(models) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _free_name(new: NewBase, bases: Sequence[Model]) -> str:
    """The name on the Hub; with the commit where another commit of it is here already."""
    if all(one.name != new.name for one in bases):
        return new.name
    return f"{new.name}@{str(new.info.get('revision', time.time_ns()))[:7]}"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
