"""Kill the server of a vote again and again, and count what became of the votes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.workspace import Workspace
from tests import helpers
from tests.conftest import REPO
from tests.faults.voting import Crowd, votes_in
from tests.serving import free_port


class Told(NamedTuple):
    """What the crowd knows at the end, and what the database says."""

    kills: int
    acknowledged: int
    again: int  # votes that were sent more than once because no answer came
    lost: int  # acknowledged and not there, after any of the kills
    twice: int
    foreign: int  # in the database, and nobody sent them
    refused: list[str]
    seconds: float


@contextmanager
def forking_server(environment: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Its port, and a process that starts a server at that port for each line it is sent."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.vote_server", str(port)],
        cwd=REPO, env=os.environ | environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "imported\n"
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


def started(process: subprocess.Popen[str]) -> int:
    """The id of a new server that is about to listen."""
    process.stdin.write("serve\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def kill_often(ws: Workspace, folder: Path, kills: int, seed: int = 7) -> Told:
    """Four people vote meanwhile; after each kill every acknowledged vote is looked for."""
    began = time.monotonic()
    rng, lost = random.Random(seed), set()
    database = Path(ws.db.url.database)
    one = helpers.open_round(ws, helpers.project(ws).id, folder, pairs=40, overlap=100_000)
    ws.close()
    with forking_server(ws.settings.environment()) as (port, forking):
        server = started(forking)
        crowd = Crowd(port, one.id)
        for _ in range(kills):
            crowd.wait_for_answers(len(crowd.acknowledged) + rng.randint(1, 12))
            time.sleep(rng.uniform(0, 0.02))  # anywhere between two answers
            os.kill(server, signal.SIGKILL)
            assert forking.stdout.readline() == "gone\n"
            told = list(crowd.acknowledged)
            lost |= set(told) - set(votes_in(database))
            server = started(forking)
        crowd.stop()
        os.kill(server, signal.SIGKILL)
        assert forking.stdout.readline() == "gone\n"
    kept = votes_in(database)
    lost |= set(crowd.acknowledged) - set(kept)
    return Told(
        kills, len(crowd.acknowledged), crowd.again, len(lost), len(kept) - len(set(kept)),
        len(set(kept) - crowd.sent), crowd.refused, time.monotonic() - began,
    )  # fmt: skip
