"""A large file of votes is read in another process, with the same outcome as a small one."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, UserError
from engine.formats import isolated
from engine.services.rating import rounds, vote_import, vote_process
from engine.services.rating.vote_import import VoteImport
from tests import helpers
from tests.rating.test_vote_import import file_of, whole

ROOT = Path(__file__).parents[2]
FEW, MANY = 2_000, 12_000
SHARE = 8 * 1024  # kilobytes that more rows may take of whoever asks
DRIVE = """
import resource, sys
from pathlib import Path
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.rating import vote_import
from engine.services.rating.vote_import import VoteImport
from engine.workspace import open_workspace

ws, path = open_workspace(), Path(sys.argv[1])
project = projects.create(ws, LOCAL, "Bench").id
vote_import.columns_of(ws, LOCAL, project, path, path.name)
seen = vote_import.preview(ws, LOCAL, project, path, path.name, VoteImport())
vote_import.add(ws, LOCAL, project, path, path.name, VoteImport())
print(seen.votes)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture
def apart(monkeypatch):
    """Every file is taken for a large one."""
    monkeypatch.setattr(isolated, "SMALL", 0)


def test_large_file_gives_what_a_small_one_gives(ws, tmp_path, monkeypatch):
    path, project = file_of(tmp_path, whole()), helpers.project(ws).id
    other = helpers.project(ws, "Other").id
    how = VoteImport(name="Spring", new="gpt")
    here = (
        vote_import.columns_of(ws, LOCAL, project, path, "v.csv"),
        vote_import.preview(ws, LOCAL, project, path, "v.csv", how),
        vote_import.add(ws, LOCAL, project, path, "v.csv", how),
    )
    monkeypatch.setattr(isolated, "SMALL", 0)
    assert vote_process.is_wanted(path)
    there = (
        vote_import.columns_of(ws, LOCAL, other, path, "v.csv"),
        vote_import.preview(ws, LOCAL, other, path, "v.csv", how),
        vote_import.add(ws, LOCAL, other, path, "v.csv", how),
    )
    assert there[:2] == here[:2]
    assert there[2].seen == here[2].seen
    stored = [each.model_copy(update={"id": ""}) for each in there[2].rounds]
    assert stored == [each.model_copy(update={"id": ""}) for each in here[2].rounds]
    assert [each.name for each in rounds.list_all(ws, LOCAL, other)] == [stored[0].name]


def test_refusal_of_the_process_is_that_of_the_service(ws, tmp_path, apart):
    path, project = file_of(tmp_path, whole()), helpers.project(ws).id
    rater = Actor(name="ada", role=Role.RATER)
    with pytest.raises(Forbidden):
        vote_import.preview(ws, rater, project, path, "v.csv", VoteImport())
    with pytest.raises(UserError, match="No vote is about 'nobody'"):
        vote_import.preview(ws, LOCAL, project, path, "v.csv", VoteImport(new="nobody"))
    vote_import.add(ws, LOCAL, project, path, "v.csv", VoteImport())
    with pytest.raises(Conflict, match="in the project already"):
        vote_import.add(ws, LOCAL, project, path, "v.csv", VoteImport())


def test_memory_of_whoever_asks_does_not_grow_with_the_votes(tmp_path):
    peaks = []
    for number in (FEW, MANY):
        path = tmp_path / f"{number}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["prompt", "rater", "answer_left", "answer_right", "winner"])
            for n in range(number):
                winner = ("left", "right")[n % 2]
                writer.writerow([f"Where is {n}?", "ada", f"street {n} " * 9, f"{n} " * 9, winner])
        home = {"TUNELOOP_HOME": str(tmp_path / f"home-{number}")}
        done = subprocess.run(
            [sys.executable, "-c", DRIVE, str(path)],
            cwd=ROOT,
            env={**os.environ, **home, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        counted, peak = done.stdout.strip().split("\n")
        assert int(counted) == number
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] < SHARE
