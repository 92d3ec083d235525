"""Preference pairs made from votes: what was exported, from which votes, by which rules."""

import json
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, insert, select

from engine.core.json_object import JsonObject
from engine.core.rating import VoteDetails
from engine.store.json_columns import dumped, loaded
from engine.store.tables import assignment, pair_export, vote

JSON = ("rounds", "rules", "counts")
Rows = Literal["pairs", "ratings", "accepted"]


class PairExport(BaseModel):
    """`watermark` hashes all that was read, `content_sha256` the rows; same in, same out."""

    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    dataset_id: str
    rounds: tuple[str, ...]
    rules: JsonObject
    watermark: str
    content_sha256: str
    pairs: int  # how many of what `rows` names
    counts: dict[str, int]
    created_by: str
    created_at: float

    @property
    def rows(self) -> Rows:
        """What its rows are: pairs, single answers marked good or bad, or answers to learn."""
        return cast("Rows", self.rules.get("rows", "pairs"))


def add(conn: Connection, new: PairExport) -> None:
    """Store an export."""
    conn.execute(insert(pair_export).values(dumped(new.model_dump(mode="json"), *JSON)))


def get(conn: Connection, export_id: str) -> PairExport | None:
    """The export, or None."""
    query = select(pair_export).where(pair_export.c.id == export_id)
    row = conn.execute(query).mappings().one_or_none()
    return PairExport.model_validate(loaded(row, *JSON)) if row else None


def list_all(conn: Connection, project_id: str) -> list[PairExport]:
    """Newest first."""
    query = (
        select(pair_export)
        .where(pair_export.c.project_id == project_id)
        .order_by(pair_export.c.created_at.desc())
    )
    return [PairExport.model_validate(loaded(row, *JSON)) for row in conn.execute(query).mappings()]


def remarks(conn: Connection, round_ids: list[str]) -> dict[str, VoteDetails]:
    """As `vote_details`, of votes alone that improve an answer or say which are acceptable."""
    details = vote.c.details
    return _details(conn, round_ids, details.like('%"edit"%') | details.like('%"acceptable_%'))


def vote_details(conn: Connection, round_ids: list[str]) -> dict[str, VoteDetails]:
    """By vote of the rounds: strength, acceptable answers, an edit, all beside the choice."""
    return _details(conn, round_ids)


def _details(
    conn: Connection, round_ids: list[str], *wanted: ColumnElement[bool]
) -> dict[str, VoteDetails]:
    query = (
        select(vote.c.id, vote.c.details)
        .join(assignment, assignment.c.id == vote.c.assignment_id)
        .where(assignment.c.round_id.in_(round_ids), vote.c.action == "vote", *wanted)
    )
    return {row.id: json.loads(row.details) for row in conn.execute(query)}
