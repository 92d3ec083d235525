"""Votes as rows that another database can take: for segments in a bucket, and their way back."""

from sqlalchemy import Connection, Table, insert, select, update
from typing_extensions import TypedDict  # pydantic reads this one before Python 3.12

from engine.core.json_object import JsonObject
from engine.store.tables import assignment, comparison, flag, vote

AT_ONCE = 500  # ids in one question to the database


class VoteRows(TypedDict):
    """Rows of three tables by the names of their columns; assignments stand as they are now."""

    assignment: list[JsonObject]
    vote: list[JsonObject]
    flag: list[JsonObject]


def ids(conn: Connection) -> set[str]:
    """What is kept: each vote or retraction, and each flag with what became of it."""
    votes = set(conn.execute(select(vote.c.id)).scalars())
    return votes | {f"{name} {kind}" for name, kind in conn.execute(select(flag.c.id, flag.c.kind))}


def comparison_ids(conn: Connection) -> set[str]:
    """The comparisons that the database knows."""
    return set(conn.execute(select(comparison.c.id)).scalars())


def read(conn: Connection, wanted: set[str]) -> VoteRows:
    """The rows of these ids, and the assignments that they belong to."""
    votes = _rows(conn, vote, "id", {each for each in wanted if " " not in each})
    flags = _rows(conn, flag, "id", {each.split(" ")[0] for each in wanted if " " in each})
    places = {str(row["assignment_id"]) for row in [*votes, *flags]}
    return {"assignment": _rows(conn, assignment, "id", places), "vote": votes, "flag": flags}


def replay(conn: Connection, rows: VoteRows) -> int:
    """Bring the rows in, and how many votes were new; what is there already is left as it is."""
    known = comparison_ids(conn)
    seats = {row["id"]: row for row in rows["assignment"] if row["comparison_id"] in known}
    for row in seats.values():
        _put(conn, assignment, row, ("state", "leased_at", "lease_until"))
    for row in rows["flag"]:
        if row["assignment_id"] in seats:
            _put(conn, flag, row, ("kind",))
    there = ids(conn)
    new = [row for row in rows["vote"] if row["assignment_id"] in seats and row["id"] not in there]
    for row in sorted(new, key=_in_order):
        conn.execute(insert(vote).values(row))
    return len(new)


def _in_order(row: JsonObject) -> tuple[str, int]:
    return str(row["assignment_id"]), int(str(row["seq"]))


def _rows(conn: Connection, table: Table, column: str, values: set[str]) -> list[JsonObject]:
    found: list[JsonObject] = []
    wanted = sorted(values)
    for first in range(0, len(wanted), AT_ONCE):
        query = select(table).where(table.c[column].in_(wanted[first : first + AT_ONCE]))
        found += [dict(row) for row in conn.execute(query).mappings()]
    return found


def _put(conn: Connection, table: Table, row: JsonObject, moving: tuple[str, ...]) -> None:
    """Insert the row, or give the one with its id the columns that may change."""
    moved = update(table).where(table.c.id == row["id"])
    if conn.execute(moved.values({name: row[name] for name in moving})).rowcount == 0:
        conn.execute(insert(table).values(row))
