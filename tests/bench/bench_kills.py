"""A hundred kills of the server of the votes, three of the whole server: what was lost."""

import os
import random
import signal
from pathlib import Path

import pytest

from tests.bench import bench_tools
from tests.faults.kills import kill_often
from tests.faults.voting import Crowd, votes_in
from tests.serving import free_port, serving

KILLS = 100


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_hundred_kills(ws, tmp_path):
    under = bench_tools.conditions(ws)
    told = kill_often(ws, tmp_path, KILLS)
    print(f"\n{told.kills} kill -9, {told.acknowledged} votes acknowledged, {told.lost} lost, "
          f"{told.twice} twice, {told.again} sent again, {told.seconds:.0f} s")  # fmt: skip
    print(under)
    assert (told.lost, told.twice, told.foreign, told.refused) == (0, 0, 0, [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_three_kills_of_the_whole_server(ws, tmp_path):
    one = bench_tools.rated_round(ws, tmp_path, pairs=40, overlap=100_000)
    under, rng, port = bench_tools.conditions(ws), random.Random(7), free_port()
    crowd, database = Crowd(port, one.id, pause_s=0.05), Path(ws.db.url.database)
    lost: set[str] = set()
    try:
        for _ in range(3):
            with serving(ws.settings.environment(), tmp_path / "log", port=port) as server:
                crowd.wait_for_answers(len(crowd.acknowledged) + rng.randint(5, 40))
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait(10)
            told = list(crowd.acknowledged)
            lost |= set(told) - set(votes_in(database))
        with serving(ws.settings.environment(), tmp_path / "log", port=port):
            crowd.stop()
    finally:
        crowd.over.set()
    kept = votes_in(database)
    lost |= set(crowd.acknowledged) - set(kept)
    print(f"\n3 kill -9 of tuneloop serve, {len(crowd.acknowledged)} votes acknowledged, "
          f"{len(lost)} lost, {crowd.again} sent again\n{under}")  # fmt: skip
    assert not lost
    assert len(kept) == len(set(kept)) == len(crowd.acknowledged)
