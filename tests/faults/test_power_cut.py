"""No acknowledged vote is lost when the power goes, on a disk that does what it is told.

Two arms show that the test can fail: settings that are known to lose the last commits must lose
votes here. A kill -9 could not tell them apart, as the system keeps what a dead process wrote.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.conftest import REPO
from tests.faults.power_cut import TRACED, Disk, read_trace

VOTES = int(os.environ.get("TUNELOOP_POWER_CUTS", "80")) // 2
ARMS = {
    "as shipped": "",
    "WAL, FULL": "journal_mode=WAL;synchronous=FULL",
    "DELETE, EXTRA": "journal_mode=DELETE;synchronous=EXTRA",
    "WAL, NORMAL": "journal_mode=WAL;synchronous=NORMAL",
    "DELETE, FULL": "journal_mode=DELETE;synchronous=FULL",
}


class Cuts(NamedTuple):
    """Of one arm: the cuts, those that lost something, the most votes lost by one, the damaged."""

    cuts: int
    losing: int
    most: int
    damaged: int


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """What the cuts did under each arm's settings; one traced process writes all of them."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here: install Debian's package strace")
    base = tmp_path_factory.mktemp("power")
    made, trace = ready(base), base / "trace"
    folders = {name: base / f"arm-{n}" for n, name in enumerate(ARMS)}
    for folder in folders.values():
        shutil.copytree(made, folder)
    disks = {name: Disk(folder) for name, folder in folders.items()}
    command = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={TRACED}",
               "--seccomp-bpf", "-o", str(trace), sys.executable, "-m",
               "tests.faults.vote_writer", str(VOTES)]  # fmt: skip
    command += [f"{folders[name]}={pragmas}" for name, pragmas in ARMS.items()]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=600)
    if "ptrace" in done.stderr:
        pytest.skip(f"this machine lets nobody trace: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return {name: cut_often(trace, folder, disks[name], base) for name, folder in folders.items()}


def ready(base: Path) -> Path:
    """A folder with a database that holds a round to vote in."""
    home = base / "made"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    helpers.open_round(ws, helpers.project(ws).id, base, pairs=2, overlap=VOTES)
    ws.close()
    shutil.rmtree(home / "files")
    return home


def cut_often(trace: Path, folder: Path, disk: Disk, base: Path) -> Cuts:
    """Cut the power at each acknowledgement, once with all and once with half that was pending."""
    chance, acknowledged, found = random.Random(7), set(), []
    for op in read_trace(trace, str(folder)):
        if Path(op.path).name != "acks":
            disk.play(op)
        elif op.call == "write":
            acknowledged.add(op.data.decode().strip())
            found += [after(disk.after_a_cut(how), acknowledged, base) for how in (None, chance)]
    assert len(found) == 2 * VOTES
    lost = [each for each in found if each is not None]
    return Cuts(len(found), sum(each > 0 for each in lost), max(lost), found.count(None))


def after(files: dict[str, bytes], acknowledged: set[str], base: Path) -> int | None:
    """How many acknowledged votes SQLite does not find in these files; None where it is damaged."""
    place = base / "found"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path, content in files.items():
        (place / Path(path).name).write_bytes(content)
    with closing(sqlite3.connect(place / "tuneloop.db")) as conn:
        try:
            sound = conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = {key for (key,) in conn.execute("SELECT id FROM vote")}
        except sqlite3.DatabaseError:
            return None
    return len(acknowledged - kept) if sound else None


@pytest.mark.parametrize("arm", ["as shipped", "WAL, FULL", "DELETE, EXTRA"])
def test_acknowledged_vote_survives_a_power_cut(arms, arm):
    print(arm, arms[arm])
    assert arms[arm] == Cuts(cuts=2 * VOTES, losing=0, most=0, damaged=0)


@pytest.mark.parametrize("arm", ["WAL, NORMAL", "DELETE, FULL"])
def test_weaker_sqlite_settings_lose_votes_in_the_same_power_cuts(arms, arm):
    print(arm, arms[arm])
    assert arms[arm].losing > VOTES / 2
    assert arms[arm].damaged == 0
