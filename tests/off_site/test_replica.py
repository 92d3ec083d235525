"""Votes in a bucket: confirmed before they are said to be saved, replayed on an empty disk."""

import shutil
import sqlite3
import uuid
from contextlib import closing

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Unavailable, UserError
from engine.core.rating import VoteRequest
from engine.services import erasure
from engine.services.off_site import segments
from engine.services.off_site.bucket import FolderBucket
from engine.services.off_site.replica import Replica, restore
from engine.services.rating import flagged_comparisons, votes
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.faults.voting import votes_in

RATER = Actor(name="rater-one", role=Role.RATER)


class Slot(FolderBucket):
    """A folder that can be out of reach and counts what it takes."""

    away = False
    puts = 0

    def put(self, name, source):
        if self.away:
            raise Unavailable("The bucket can't be used.", "Try again.")
        self.puts += 1
        super().put(name, source)


def settings(home):
    return Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}")


@pytest.fixture
def bucket(tmp_path):
    return Slot(tmp_path / "bucket")


@pytest.fixture
def kept(tmp_path, bucket):
    """A workspace with an open round whose replica has swept once."""
    ws = open_workspace(settings(tmp_path / "home"))
    ws.round = helpers.open_round(ws, helpers.project(ws).id, tmp_path)
    ws.off_site = Replica(ws, bucket)
    ws.off_site.sweep()
    yield ws
    ws.close()


def cast(ws, number, actor=RATER, one=None):
    """So many votes; their keys in the order in which they were said to be saved."""
    one = one or ws.round
    saved, comes = [], votes.state(ws, actor, one.id)
    for _ in range(number):
        asked = VoteRequest(token=comes.pair.token, key=str(uuid.uuid4()), choice="left")
        comes = votes.vote(ws, actor, asked)
        saved.append(asked.key)
    return saved


def contents(folder):
    """The bytes of each file by its place."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def begun_anew(tmp_path, bucket, name="anew"):
    """The keys of the votes on an empty disk after a restore, and its settings."""
    home = tmp_path / name
    restore(settings(home), bucket)
    return set(votes_in(home / "tuneloop.db")), settings(home)


def test_votes_are_segments_and_come_back_on_an_empty_disk(kept, bucket, tmp_path):
    saved = cast(kept, 5)
    assert len(bucket.names(segments.FOLDER)) == 5
    found, there = begun_anew(tmp_path, bucket)
    assert found == set(saved)
    again = open_workspace(there)
    try:
        mine = votes.progress(again, RATER, kept.round.id)
        assert mine["done"] == 5
        assert votes.state(again, RATER, kept.round.id).pair.can_undo
    finally:
        again.close()
    files = [path for path in (tmp_path / "anew" / "files").rglob("*") if path.is_file()]
    assert files
    assert all(
        path.read_bytes()
        == (kept.files / path.relative_to(tmp_path / "anew" / "files")).read_bytes()
        for path in files
    )


def test_vote_is_not_said_to_be_saved_while_the_bucket_is_away(kept, bucket, tmp_path):
    shown = votes.state(kept, RATER, kept.round.id).pair
    asked = VoteRequest(token=shown.token, key=str(uuid.uuid4()), choice="left")
    bucket.away = True
    with pytest.raises(Unavailable):
        votes.vote(kept, RATER, asked)
    assert begun_anew(tmp_path, bucket, "early")[0] == set()
    bucket.away = False
    votes.vote(kept, RATER, asked)  # as the page does: the same vote with the same key
    assert begun_anew(tmp_path, bucket)[0] == {asked.key}


def test_undo_and_flag_are_kept_as_votes_are(kept, bucket, tmp_path):
    cast(kept, 2)
    votes.undo(kept, RATER, kept.round.id)
    shown = votes.state(kept, RATER, kept.round.id).pair
    flagged_comparisons.add(kept, RATER, shown.token, "pair", "broken_render", "cut off")
    _, there = begun_anew(tmp_path, bucket)
    again = open_workspace(there)
    try:
        assert votes.progress(again, RATER, kept.round.id)["done"] == 1
        assert [
            each.note for each in flagged_comparisons.list_all(again, LOCAL, kept.round.id)
        ] == ["cut off"]
    finally:
        again.close()


def test_replay_twice_brings_every_vote_once(kept, bucket, tmp_path):
    saved = cast(kept, 3)
    home = tmp_path / "anew"
    assert restore(settings(home), bucket) == 3
    assert restore(settings(home), bucket) == 0
    assert sorted(votes_in(home / "tuneloop.db")) == sorted(saved)


def test_new_copy_replaces_the_segments_that_it_holds(kept, bucket, tmp_path):
    saved = cast(kept, 2)
    kept.off_site.sweep()
    assert bucket.names(segments.FOLDER) == []
    assert len(bucket.names("database/")) == 1
    saved += cast(kept, 2)
    assert len(bucket.names(segments.FOLDER)) == 2
    assert begun_anew(tmp_path, bucket)[0] == set(saved)


def test_sweep_of_what_did_not_change_uploads_nothing(kept, bucket):
    kept.off_site.sweep()
    before = bucket.puts
    kept.off_site.sweep()
    assert bucket.puts == before


def test_first_vote_of_a_round_that_the_bucket_does_not_know_brings_the_round(
    kept, bucket, tmp_path
):
    other = tmp_path / "other"
    other.mkdir()
    one = helpers.open_round(kept, helpers.project(kept, "Other").id, other)
    saved = cast(kept, 2, one=one)
    assert begun_anew(tmp_path, bucket)[0] == set(saved)


def test_replica_that_starts_again_goes_on_behind_the_segments_it_finds(kept, bucket, tmp_path):
    saved = cast(kept, 2)
    _, there = begun_anew(tmp_path, bucket)
    again = open_workspace(there)
    again.round = kept.round
    try:
        again.off_site = Replica(again, bucket)
        before = bucket.puts
        again.off_site.sweep()
        assert bucket.puts == before + 1  # a copy of the database; the files came from there
        saved += cast(again, 2)
    finally:
        again.close()
    assert begun_anew(tmp_path, bucket, "third")[0] == set(saved)


def test_votes_that_somebody_had_deleted_do_not_come_back(kept, bucket, tmp_path):
    cast(kept, 3)
    stays = cast(kept, 2, Actor(name="rater-two", role=Role.RATER))
    erasure.erase(kept, LOCAL, None, RATER.name)
    assert begun_anew(tmp_path, bucket)[0] == set(stays)
    left = b"".join(path.read_bytes() for path in bucket.folder.rglob("*") if path.is_file())
    assert RATER.name.encode() not in left


def test_damaged_segment_is_named_and_refused(kept, bucket, tmp_path):
    cast(kept, 2)
    broken = bucket.names(segments.FOLDER)[0]
    path = bucket.folder / broken
    path.write_bytes(path.read_bytes().replace(b"left", b"righ"))
    with pytest.raises(UserError, match="damaged") as refused:
        begun_anew(tmp_path, bucket)
    assert broken in refused.value.problem


def test_damaged_copy_gives_way_to_the_one_before_it(kept, bucket, tmp_path):
    saved = cast(kept, 2)
    whole = bucket.folder / bucket.names("database/")[0]
    damaged = whole.with_name(f"{999999999999}-{'0' * 32}.db")
    shutil.copyfile(whole, damaged)
    assert begun_anew(tmp_path, bucket)[0] == set(saved)


def test_bucket_of_another_database_is_refused(kept, bucket, tmp_path):
    other = settings(tmp_path / "other")
    open_workspace(other).close()
    with pytest.raises(Conflict, match="another database"):
        restore(other, bucket)


def test_empty_bucket_leaves_an_empty_home(bucket, tmp_path):
    assert restore(settings(tmp_path / "anew"), bucket) is None
    assert not (tmp_path / "anew").exists()


def test_raters_who_vote_at_once_share_segments(kept, bucket):
    """What waited for its turn finds that another upload has taken it along."""
    shown = votes.state(kept, RATER, kept.round.id).pair
    replica, kept.off_site = kept.off_site, None
    votes.vote(kept, RATER, VoteRequest(token=shown.token, key=str(uuid.uuid4()), choice="left"))
    cast(kept, 3, Actor(name="rater-two", role=Role.RATER))
    before = bucket.puts
    for _ in range(4):
        replica.confirm()
    assert bucket.puts == before + 1


def test_copy_in_the_bucket_opens_nothing_that_was_signed_in(kept, bucket, tmp_path):
    _, there = begun_anew(tmp_path, bucket)
    with closing(sqlite3.connect(there.home / "tuneloop.db")) as conn:
        assert conn.execute("SELECT count(*) FROM signed_in").fetchone() == (0,)
