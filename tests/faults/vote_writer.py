"""Votes on one database after another, to be traced: `vote_writer.py VOTES FOLDER=PRAGMAS ...`.

Each folder holds tuneloop.db with one open round. The pragmas come after the product's own; none
means the database as shipped. The key of a vote is written to `acks` once its service answered.
"""

import os
import sys
from pathlib import Path

from sqlalchemy import event

from engine.core.actor import LOCAL, Actor, Role
from engine.services import projects
from engine.services.rating import rounds
from engine.workspace import Settings, open_workspace
from tests.rating import screen


def write(folder: Path, pragmas: list[str], count: int) -> None:
    ws = open_workspace(Settings(home=folder, database_url=f"sqlite:///{folder / 'tuneloop.db'}"))
    if pragmas:

        @event.listens_for(ws.db, "connect")
        def change(raw: object, _record: object) -> None:
            for pragma in pragmas:
                raw.execute(f"PRAGMA {pragma}")

        ws.db.dispose()
    project = projects.list_all(ws, LOCAL)[0]
    one = rounds.list_all(ws, LOCAL, project.id)[0]
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(count):
        rater = Actor(name=f"rater-{number}", role=Role.RATER)
        shown = screen.next_pair(ws, rater, one.id)
        key = f"vote-{number:08}"
        screen.vote(ws, rater, shown.token, key, "left")
        os.write(acks, f"{key}\n".encode())
    os.close(acks)


if __name__ == "__main__":
    for arm in sys.argv[2:]:
        where, _, wanted = arm.partition("=")
        write(Path(where), wanted.split(";") if wanted else [], int(sys.argv[1]))
