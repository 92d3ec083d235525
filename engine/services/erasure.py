"""Everything that one rater did is deleted, because they may ask for it.

Their votes, skips, notes, edits, flags, pauses, invitations and their name go; what was made of the
votes before stays and is marked (`preferences.build.gone`). A pair that they flagged still waits
for a person to look at it. The verdict of a closed round stays as it was decided, in sums that name
nobody. What stays on record is who deleted somebody's votes, when, and how many in each round.
"""

import time

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


def erase(ws: Workspace, actor: Actor, project_id: str | None, rater: str) -> ErasureReport:
    """Delete all that a rater did in a project, or with None in every one; nothing undoes it.

    NotFound where nobody was ever called that.
    """
    actor.require(Role.OWNER)
    with writing(ws.db) as conn:
        if project_id is None:
            chosen = [one.id for one in projects.list_all(conn)]
        else:
            chosen = [access.project(conn, actor, project_id).id]
        there = [one for one in chosen if rater in _named(conn, one)]
        if not there:
            raise NotFound(f"There is no rater {rater!r}.", "Choose one of the list.")
        done = [_erase(conn, actor, one, rater) for one in there]
    if ws.off_site:
        ws.off_site.renew()
    vote_ids = {vote for votes, _ in done for of_round in votes.values() for vote in of_round}
    used, taught = _made_of(ws, actor, there, vote_ids)
    places = sum(len(votes) for votes, _ in done)
    return ErasureReport(
        votes=len(vote_ids),
        rounds=places,
        invitations=sum(links for _, links in done),
        datasets=tuple(used),
        models=tuple(taught),
        sentence=_sentence(len(vote_ids), places, used, taught),
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
        *(invites.rater_of(one).name for one in invited),
    }


def _erase(
    conn: Connection, actor: Actor, project_id: str, rater: str
) -> tuple[dict[str, set[str]], int]:
    """The votes of each round that stood and are gone, and how many invitations are."""
    rater_reviews.hold(conn, project_id, rater)
    by_round = {
        one.id: {vote.vote_id for vote in votes.live(conn, [one.id], extra=True)
                 if vote.rater == rater}
        for one in rounds.list_all(conn, project_id)
    }  # fmt: skip
    by_round = {round_id: found for round_id, found in by_round.items() if found}
    links = [
        one.id
        for one in invite_store.list_all(conn, project_id)
        if invites.rater_of(one).name == rater
    ]
    new = Erasure(
        id=ids.new("forgotten"),
        project_id=project_id,
        rounds={
            round_id: {"votes": len(found), "verdict": _decided(conn, round_id, rater)}
            for round_id, found in by_round.items()
        },
        created_by=actor.name,
        created_at=time.time(),
    )
    rater_reviews.erase(conn, rater, links, new)
    return by_round, len(links)


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
        for one in made:
            if vote_ids & set(build.about(ws, actor, one.id).get("votes", ())):
                used[one.dataset_id] = datasets.get(ws, actor, one.dataset_id).label
        taught += [model.name for model in known if model.dataset_id in used]
    return list(used.values()), taught


def _sentence(votes: int, places: int, used: list[str], taught: list[str]) -> str:
    number = "1 vote" if votes == 1 else f"{votes} votes"
    where = "1 round" if places == 1 else f"{places} rounds"
    sentence = f"Deleted for good: a rater with {number} in {where}."
    if used:
        sentence += f" Made of the votes before, and marked now: {', '.join([*used, *taught])}."
    return sentence
