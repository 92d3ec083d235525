"""Everything that one rater did is deleted, because they may ask for it.

Their votes, skips, notes, edits, flags, pauses, invitations and their name go; what was made of the
votes before stays and is marked (`preferences.build.gone`). A pair that they flagged still waits
for a person to look at it. The verdict of a closed round stays as it was decided, in sums that name
nobody. What stays on record is who deleted somebody's votes, when, and how many in each round.
"""

import time
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import NotFound
from engine.core.json_object import JsonObject
from engine.services import access
from engine.services.data import datasets
from engine.services.preferences import build
from engine.services.rating import invites, round_verdict, vote_counts
from engine.store import invites as invite_store
from engine.store import models, pair_exports, projects, rater_reviews, rounds, votes
from engine.store.connect import reading, writing
from engine.store.rater_reviews import Erasure
from engine.workspace import Workspace


class ErasureReport(BaseModel):
    """What was deleted, and the `datasets` and `models` made of it that are there still."""

    model_config = ConfigDict(frozen=True)

    votes: int
    rounds: int
    invitations: int
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    sentence: str


class _Erased(NamedTuple):
    """Of one project: the ids of a rater's votes that stood, by round, and how many invitations."""

    by_round: dict[str, set[str]]
    invitations: int


def erase(ws: Workspace, actor: Actor, project_id: str | None, rater: str) -> ErasureReport:
    """Delete all that a rater did in a project, or with None in every one; nothing undoes it.

    NotFound where nobody was ever called that.
    """
    actor.require(Role.OWNER)
    with writing(ws.db) as conn:
        if project_id is None:
            chosen = [project.id for project in projects.list_all(conn)]
        else:
            chosen = [access.project(conn, actor, project_id).id]
        rated_in = [each for each in chosen if rater in _named(conn, each)]
        if not rated_in:
            raise NotFound(f"There is no rater {rater!r}.", "Choose one of the list.")
        erased = [_erase(conn, actor, each, rater) for each in rated_in]
    if ws.off_site:
        ws.off_site.renew()
    by_round = [
        votes_of_round for project in erased for votes_of_round in project.by_round.values()
    ]
    vote_ids = {vote_id for votes_of_round in by_round for vote_id in votes_of_round}
    used, taught = _made_of(ws, actor, rated_in, vote_ids)
    return ErasureReport(
        votes=len(vote_ids),
        rounds=len(by_round),
        invitations=sum(project.invitations for project in erased),
        datasets=tuple(used),
        models=tuple(taught),
        sentence=_sentence(len(vote_ids), len(by_round), used, taught),
    )


def people(ws: Workspace, actor: Actor, project_id: str) -> list[str]:
    """The names of all who ever rated in a project or are invited to, sorted."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return sorted(_named(conn, project_id))


def _named(conn: Connection, project_id: str) -> set[str]:
    invited = invite_store.list_all(conn, project_id)
    return {
        *rater_reviews.known(conn, project_id),
        *(invites.rater_of(invite).name for invite in invited),
    }


def _erase(conn: Connection, actor: Actor, project_id: str, rater: str) -> _Erased:
    rater_reviews.hold(conn, project_id, rater)
    by_round = {
        each.id: {vote.vote_id for vote in votes.live(conn, [each.id], extra=True)
                  if vote.rater == rater}
        for each in rounds.list_all(conn, project_id)
    }  # fmt: skip
    by_round = {round_id: vote_ids for round_id, vote_ids in by_round.items() if vote_ids}
    invite_ids = [
        invite.id
        for invite in invite_store.list_all(conn, project_id)
        if invites.rater_of(invite).name == rater
    ]
    new = Erasure(
        id=ids.new("forgotten"),
        project_id=project_id,
        rounds={
            round_id: {"votes": len(vote_ids), "verdict": _decided(conn, round_id, rater)}
            for round_id, vote_ids in by_round.items()
        },
        created_by=actor.name,
        created_at=time.time(),
    )
    rater_reviews.erase(conn, rater, invite_ids, new)
    return _Erased(by_round, len(invite_ids))


def _decided(conn: Connection, round_id: str, rater: str) -> JsonObject | None:
    """The verdict of a closed round that votes of this rater are in; None where there is none."""
    rounds.lock(conn, round_id)
    rating_round = access.rating_round(conn, LOCAL, round_id)
    if rating_round.status != "closed" or not rating_round.blind:
        return None
    if rater not in {vote.rater for vote in vote_counts.counted(conn, rating_round).votes}:
        return None
    return round_verdict.weighed(conn, rating_round).model_dump(mode="json")


def _made_of(
    ws: Workspace, actor: Actor, project_ids: list[str], vote_ids: set[str]
) -> tuple[list[str], list[str]]:
    """The datasets that these votes are in, and the models that learned from those."""
    used: dict[str, str] = {}
    taught = []
    for project_id in project_ids:
        with reading(ws.db) as conn:
            made = pair_exports.list_all(conn, project_id)
            known = models.list_all(conn, project_id)
        for export in made:
            if vote_ids & set(build.about(ws, actor, export.id).get("votes", ())):
                used[export.dataset_id] = datasets.get(ws, actor, export.dataset_id).label
        taught += [model.name for model in known if model.dataset_id in used]
    return list(used.values()), taught


def _sentence(num_votes: int, num_rounds: int, used: list[str], taught: list[str]) -> str:
    in_votes = "1 vote" if num_votes == 1 else f"{num_votes} votes"
    in_rounds = "1 round" if num_rounds == 1 else f"{num_rounds} rounds"
    sentence = f"Deleted for good: a rater with {in_votes} in {in_rounds}."
    if used:
        sentence += f" Made of the votes before, and marked now: {', '.join([*used, *taught])}."
    return sentence
