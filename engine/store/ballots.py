"""What stands beside the choices of votes."""

import json
from typing import Any

from sqlalchemy import Connection, select

from engine.store.tables import assignment, vote


def details(conn: Connection, round_ids: list[str]) -> dict[str, dict[str, Any]]:
    """By vote: strength, acceptable answers, an edit, whatever was said beside the choice."""
    query = (
        select(vote.c.id, vote.c.details)
        .join(assignment, assignment.c.id == vote.c.assignment_id)
        .where(assignment.c.round_id.in_(round_ids), vote.c.action == "vote")
    )
    return {row.id: json.loads(row.details) for row in conn.execute(query)}
