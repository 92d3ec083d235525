"""An import of votes is taken out of a project again, such as one read with a wrong mapping.

Votes are append-only, so nothing is deleted: the rounds that the file became are marked removed,
and no list, count or verdict reads them any more. Only votes that came with a file can go, and only
until something was made of them. The audit log keeps who removed them.
"""

import time

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, Forbidden
from engine.core.rating import Round
from engine.services import access
from engine.services.rating.audit import DESCRIPTIONS
from engine.store import audit, datasets, models, pair_exports, projects, promotions, rounds, votes
from engine.store.audit import Entry
from engine.store.connect import writing
from engine.workspace import Workspace


class RemovedImport(BaseModel):
    """What is gone from the project: the names of its rounds, and the votes in them."""

    model_config = ConfigDict(frozen=True)

    file: str
    rounds: tuple[str, ...]
    votes: int
    sentence: str


def may_remove(actor: Actor, rating_round: Round) -> bool:
    """Whether the round came with a file, and this person imported it or owns the project."""
    return rating_round.imported and (
        actor.role >= Role.OWNER or actor.name == rating_round.created_by
    )


def remove(ws: Workspace, actor: Actor, round_id: str) -> RemovedImport:
    """Take the import that the round belongs to out of its project, with all of its rounds.

    Forbidden for anybody but its importer and an owner; Conflict for votes that people gave here,
    and for votes that something was made of.
    """
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        rating_round = access.rating_round(conn, actor, round_id)
        origin = rating_round.plan.origin
        if origin is None or not rating_round.imported:
            raise Conflict(
                f"{rating_round.name} holds votes that people gave here, which are never removed.",
                "Only votes that were imported from a file can be removed.",
            )
        if not may_remove(actor, rating_round):
            raise Forbidden(
                f"{rating_round.name} was imported by {rating_round.created_by[:60]}.",
                "Ask them or an owner to remove it.",
            )
        projects.lock(conn, rating_round.project_id)
        every = [
            other
            for other in rounds.list_all(conn, rating_round.project_id)
            if other.imported and other.plan.origin and other.plan.origin.sha256 == origin.sha256
        ]
        _refuse_used(conn, every)
        there = votes.live(conn, [each.id for each in every], extra=True)
        for each in every:
            rounds.change(conn, each.id, status="removed")
            audit.add(conn, _entry(actor, each))
    return RemovedImport(
        file=origin.file,
        rounds=tuple(each.name for each in every),
        votes=len(there),
        sentence=f"{len(there):,} imported votes of {origin.file} are removed from the project.",
    )


def _refuse_used(conn: Connection, every: list[Round]) -> None:
    """Conflict where pairs were made of the votes, or a model was promoted on their verdict."""
    project_id = every[0].project_id
    of_import = {each.id for each in every}
    for export in pair_exports.list_all(conn, project_id):
        if of_import & set(export.rounds):
            made = datasets.get(conn, export.dataset_id)
            label = made.label if made else "A dataset"
            raise Conflict(
                f"{label} was made of these votes.",
                "They stay as its record; import the file again with the right mapping beside it.",
            )
    tested = {each.arm_new: each.created_at for each in every if each.blind}
    for decided in promotions.list_all(conn, project_id):
        since = tested.get(decided.model_id)
        if since is not None and decided.created_at >= since:
            model = models.get(conn, decided.model_id)
            raise Conflict(
                f"{model.name if model else 'A model'} became champion after their verdict.",
                "They stay as the record of that decision.",
            )


def _entry(actor: Actor, rating_round: Round) -> Entry:
    return Entry(
        id=ids.new("audit"),
        project_id=rating_round.project_id,
        round_id=rating_round.id,
        comparison_id=None,
        kind="import_removed",
        who=actor.name,
        role=actor.role.name.lower(),
        said=DESCRIPTIONS["import_removed"],
        times=1,
        created_at=time.time(),
    )
