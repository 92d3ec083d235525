"""Votes while the server is killed, the database is locked, the disk is full, a copy is made."""

import resource
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden
from engine.services import backups
from engine.store import connect
from engine.store import votes as vote_store
from engine.store.connect import reading, writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.faults.kills import kill_often
from tests.faults.voting import votes_in
from tests.rating import screen
from ui.pages.rating import routes


class Rater:
    """A browser of its own over the real routes."""

    def __init__(self, ws, one, cookie=None):
        app = FastAPI()
        app.include_router(routes.router(ws))
        self.client, self.one = TestClient(app, cookies=cookie), one

    def pair(self):
        answer = self.client.get(f"/api/rate/{self.one.id}/next")
        assert answer.status_code == 200, answer.text
        return answer.json()["comparison"]

    def vote(self, shown, key, choice="left"):
        ballot = {"token": shown["token"], "key": key, "choice": choice}
        return self.client.post("/api/rate/vote", json=ballot)


def opened(space, folder, pairs=24, overlap=1):
    return helpers.open_round(
        space, helpers.project(space).id, folder, pairs=pairs, overlap=overlap
    )


def database(ws):
    return Path(ws.db.url.database)


def test_acknowledged_votes_survive_5_kills_of_the_server(space, tmp_path):
    told = kill_often(space, tmp_path, kills=5)
    assert (told.lost, told.twice, told.foreign, told.refused) == (0, 0, 0, [])
    assert told.acknowledged >= 5  # each kill waits for one


@pytest.mark.proof
def test_acknowledged_votes_survive_25_kills_of_the_server(space, tmp_path):
    told = kill_often(space, tmp_path, kills=25)
    print(told)
    assert (told.lost, told.twice, told.foreign, told.refused) == (0, 0, 0, [])
    assert told.acknowledged > 100
    assert told.again > 0  # else no kill ever met a vote


@pytest.fixture
def impatient(space, monkeypatch):
    """The same workspace, which waits a short time for its turn."""
    monkeypatch.setattr(connect, "BUSY_S", 0.4)
    ws = open_workspace(space.settings)
    yield ws
    ws.close()


@contextmanager
def locked(ws):
    """Another program holds the database; `release` lets go."""
    with closing(sqlite3.connect(database(ws), isolation_level=None, check_same_thread=False)) as c:
        c.execute("BEGIN IMMEDIATE")
        yield lambda: c.execute("ROLLBACK")


def test_vote_waits_for_a_database_that_is_locked_for_a_moment(space, tmp_path):
    rater = Rater(space, opened(space, tmp_path))
    shown = rater.pair()
    with locked(space) as release:
        threading.Timer(0.1, release).start()
        assert rater.vote(shown, "key-00000001").status_code == 200
    assert votes_in(database(space)) == ["key-00000001"]


def test_vote_on_a_locked_database_is_not_acknowledged_and_can_be_sent_again(impatient, tmp_path):
    rater = Rater(impatient, opened(impatient, tmp_path))
    shown = rater.pair()
    with locked(impatient):
        refused = rater.vote(shown, "key-00000001")
        assert refused.status_code == 503
        assert "busy" in refused.json()["problem"]
    assert votes_in(database(impatient)) == []
    assert rater.vote(shown, "key-00000001").status_code == 200
    assert votes_in(database(impatient)) == ["key-00000001"]


@contextmanager
def no_file_may_grow(ws):
    """The system refuses what a full disk would refuse; SQLite calls it a failed write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database(ws).stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def on_every_connection(ws, pragma):
    def change(raw, _record):
        raw.execute(pragma)

    ws.db.dispose()
    event.listen(ws.db, "connect", change)
    yield
    event.remove(ws.db, "connect", change)
    ws.db.dispose()


@contextmanager
def no_page_is_left(ws):
    """SQLite itself says that the disk is full."""
    with on_every_connection(ws, "PRAGMA max_page_count = 1"):  # as many as there are now
        yield


@pytest.mark.parametrize(
    ("full", "words"), [(no_file_may_grow, "can't be written"), (no_page_is_left, "is full")]
)
def test_vote_on_a_full_disk_is_refused_and_acknowledged_ones_stay(space, tmp_path, full, words):
    one = opened(space, tmp_path, pairs=8, overlap=1000)
    acknowledged = []
    with full(space):
        for number in range(1000):
            if number % 8 == 0:  # the one before has seen all pairs
                rater = Rater(space, one)
            asked = rater.client.get(f"/api/rate/{one.id}/next")
            if asked.status_code != 200:
                refused = asked
                break
            shown, key = asked.json()["comparison"], f"key-{number:08}"
            refused = rater.vote(shown, key)
            if refused.status_code != 200:
                break
            acknowledged.append(key)
    assert refused.status_code == 507
    assert words in refused.json()["problem"]
    assert votes_in(database(space)) == acknowledged
    late = Rater(space, one)
    assert late.vote(late.pair(), "key-with-room").status_code == 200


def test_vote_on_a_read_only_database_is_refused_in_a_sentence(space, tmp_path):
    rater = Rater(space, opened(space, tmp_path))
    shown = rater.pair()
    with on_every_connection(space, "PRAGMA query_only = 1"):
        refused = rater.vote(shown, "key-00000001")
    assert refused.status_code == 503
    assert "only be read" in refused.json()["problem"]
    assert votes_in(database(space)) == []


def test_vote_sent_fifty_times_at_once_is_one_row_with_one_answer(space, tmp_path):
    rater = Rater(space, opened(space, tmp_path))
    shown = rater.pair()
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: rater.vote(shown, "key-00000001"), range(50)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert votes_in(database(space)) == ["key-00000001"]


def test_first_vote_stays_in_two_windows_of_one_rater(space, tmp_path):
    one = opened(space, tmp_path)
    cookie = {"tl_rater": "A" * 22}
    windows = [Rater(space, one, cookie), Rater(space, one, cookie)]
    first, second = (window.pair() for window in windows)
    assert first["token"] == second["token"]
    assert windows[0].vote(first, "key-00000001", "left").status_code == 200
    assert windows[1].vote(second, "key-00000002", "right").status_code == 409
    with reading(space.db) as conn:
        assert [vote.choice for vote in vote_store.live(conn, [one.id])] == ["left"]


def test_last_places_go_to_one_of_twenty_raters_and_a_late_vote_is_kept_aside(space, tmp_path):
    one = opened(space, tmp_path, pairs=2)  # one on the screen and the one after it
    raters = [Rater(space, one) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        shown = list(pool.map(lambda rater: rater.pair(), raters))
    holders = [number for number, pair in enumerate(shown) if pair]
    assert len(holders) == 1
    slow = holders[0]
    with writing(space.db) as conn:
        vote_store.release(conn, shown[slow]["token"])  # as if its ten minutes were over
    quick = raters[slow - 1]
    assert quick.vote(quick.pair(), "key-of-the-quick").status_code == 200
    assert raters[slow].vote(shown[slow], "key-of-the-slow").status_code == 200
    with reading(space.db) as conn:
        counted = vote_store.live(conn, [one.id])
        kept = vote_store.live(conn, [one.id], extra=True)
    assert [vote.vote_id for vote in counted] == ["key-of-the-quick"]
    assert {vote.vote_id for vote in kept} == {"key-of-the-quick", "key-of-the-slow"}


def test_backup_made_while_people_vote_holds_every_acknowledged_vote(space, tmp_path):
    one = opened(space, tmp_path, pairs=40, overlap=1000)
    acknowledged, over = [], threading.Event()

    def votes_on(name):
        rater = Actor(name=name, role=Role.RATER)
        shown = screen.next_pair(space, rater, one.id)
        while shown and not over.is_set():
            key = f"key-{name}-{shown.done:04}"
            shown = screen.vote(space, rater, shown.token, key, "tie")
            acknowledged.append(key)

    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(votes_on, f"rater{n}") for n in range(3)]
        for number in range(4):
            while len(acknowledged) < 5 * (number + 1):
                over.wait(0.002)
            before = set(acknowledged)
            copy = backups.make(space, LOCAL, tmp_path / f"copy-{number}.db")
            assert before <= set(votes_in(copy))
        over.set()
    assert [each.exception() for each in done] == [None] * 3
    home = tmp_path / "restored"
    settings = Settings(home=home, database_url=f"sqlite:///{home}/tuneloop.db")
    told = backups.restore(settings, LOCAL, copy)
    assert votes_in(told.database) == votes_in(copy)
    assert told.votes == len(votes_in(copy)) >= len(before)
    restored = open_workspace(settings)
    later = Actor(name="later", role=Role.RATER)
    shown = screen.next_pair(restored, later, one.id)
    screen.vote(restored, later, shown.token, "key-after-all", "tie")
    assert before | {"key-after-all"} <= set(votes_in(home / "tuneloop.db"))
    restored.close()


def test_backup_replaces_no_file_and_needs_the_owner(space, tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(Conflict, match="there already"):
        backups.make(space, LOCAL, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    with pytest.raises(Forbidden):
        backups.make(space, Actor(name="r", role=Role.RATER), tmp_path / "new")
