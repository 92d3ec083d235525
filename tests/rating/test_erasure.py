"""Everything of one rater is deleted: all of it, nothing else, only by an owner, for good."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound
from engine.core.model import Model
from engine.services.erasure import erase, people
from engine.services.model_card import model_card
from engine.services.preferences import build, eligible_votes, lineage
from engine.services.rating import flagged_comparisons, invites, paused_raters, report, rounds
from engine.store import models, rater_reviews
from engine.store import tables as t
from engine.store.connect import reading, writing
from tests import helpers
from tests.rating import screen
from tests.rating.rated import keys, rate_all, rater, started
from tests.rating.votes_in_tables import arms, cast, filled, shown

SAID_BY = (t.vote, t.assignment, t.flag, t.rater_review, t.invite)


def kept(ws, but=""):
    """Every row that raters left, without those of assignments of `but`."""
    with reading(ws.db) as conn:
        tokens = conn.execute(select(t.assignment.c.id).where(t.assignment.c.rater == but))
        gone = set(tokens.scalars())
        return {
            table.name: sorted(
                tuple(row)
                for row in conn.execute(select(table))
                if row._mapping.get("assignment_id", row.id) not in gone
                and row._mapping.get("rater") != but
            )
            for table in SAID_BY
        }


def stored(ws):
    """All bytes of the database, once it is closed."""
    ws.close()
    path = Path(ws.db.url.database)
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def test_erasure_deletes_all_of_a_rater_and_changes_no_other_byte(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=10, overlap=3)
    who = invites.rater_of(invites.accept(ws, invites.make(ws, LOCAL, one.project_id, "Ada")))
    invites.make(ws, LOCAL, one.project_id, "Ada Byron")
    for name in ("ben", who.name, "cleo"):
        first = screen.next_pair(ws, rater(name), one.id)
        flagged_comparisons.add(
            ws, rater(name), first.token, "left", "cannot_judge", f"note of {name}"
        )
        screen.undo(ws, rater(name), one.id)
        screen.skip(ws, rater(name), screen.next_pair(ws, rater(name), one.id).token)
        rate_all(ws, one, name)
        screen.undo(ws, rater(name), one.id)
        paused_raters.pause(ws, LOCAL, one.id, name, f"talk to {name}")
        paused_raters.resume(ws, LOCAL, one.id, name)
    others = kept(ws, but=who.name)
    others["invite"] = [row for row in others["invite"] if row[2] != "Ada"]
    gone = erase(ws, LOCAL, one.project_id, who.name)
    assert kept(ws) == others
    assert (gone.votes, gone.rounds, gone.invitations) == (8, 1, 1)
    assert who.name not in people(ws, LOCAL, one.project_id)


def test_erasure_leaves_no_byte_of_the_name_or_texts(ws, tmp_path):
    if ws.db.dialect.name != "sqlite":
        pytest.skip("the server of PostgreSQL keeps its own files")
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    who = rater("Wilhelmina Quist")
    pair = screen.next_pair(ws, who, one.id)
    edit = {"side": "left", "text": "zebras wear pyjamas"}
    screen.vote(ws, who, pair.token, next(keys), "left", edit=edit, rationale="because of zeugma")
    assert b"zebras wear pyjamas" in stored(ws)
    erase(ws, LOCAL, one.project_id, who.name)
    left = stored(ws)
    for words in (b"Wilhelmina", b"zebras", b"zeugma"):
        assert words not in left


@pytest.mark.parametrize("role", [Role.RATER, Role.TRAINER])
def test_erasure_needs_an_owner_and_an_existing_rater(ws, tmp_path, role):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    rate_all(ws, one, "ada")
    before = kept(ws)
    with pytest.raises(Forbidden):
        erase(ws, Actor(name="ada", role=role), one.project_id, "ada")
    for name in ("Ada", "", "ad%"):
        with pytest.raises(NotFound):
            erase(ws, LOCAL, one.project_id, name)
    assert kept(ws) == before


def test_erasure_record_names_who_deleted_and_not_whom(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    rate_all(ws, one, "wilma")
    began = time.time()
    erase(ws, Actor(name="olga", role=Role.OWNER), one.project_id, "wilma")
    with reading(ws.db) as conn:
        (record,) = rater_reviews.list_erasures(conn, one.project_id)
        assert conn.execute(select(t.forgotten.c.rater)).scalars().all() == [None]
    assert (record.created_by, record.rounds) == ("olga", {one.id: {"votes": 4, "verdict": None}})
    assert began <= record.created_at <= time.time()
    assert "wilma" not in str(record)


def test_erasure_is_final_and_late_votes_are_refused(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    who, held = rater("ada"), screen.next_pair(ws, rater("ada"), one.id)
    screen.vote(ws, who, held.token, "key-of-the-first", "left")
    erase(ws, LOCAL, one.project_id, "ada")
    with pytest.raises(Conflict, match="No vote of the last 15 minutes"):
        screen.undo(ws, who, one.id)
    with pytest.raises(NotFound):
        screen.vote(ws, who, held.token, "key-of-the-first", "left")
    with pytest.raises(NotFound):
        erase(ws, LOCAL, one.project_id, "ada")


def test_erasure_covers_one_project_or_all(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    other = started(ws, tmp_path, "train_pairs", pairs=4, project="Other")
    for each in (one, other):
        rate_all(ws, each, "ada")
    assert erase(ws, LOCAL, one.project_id, "ada").votes == 4
    assert people(ws, LOCAL, other.project_id) == ["ada"]
    assert erase(ws, LOCAL, None, "ada").rounds == 1
    assert people(ws, LOCAL, other.project_id) == []


def test_erasure_frees_assignments_and_keeps_the_sides_of_others(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=10, overlap=2)
    rate_all(ws, one, "ada")
    seen = screen.next_pair(ws, rater("ben"), one.id)
    erase(ws, LOCAL, one.project_id, "ada")
    assert screen.next_pair(ws, rater("ben"), one.id) == seen
    assert rate_all(ws, one, "ben") == rate_all(ws, one, "cleo") == 10
    with reading(ws.db) as conn:
        sides = {}
        for row in conn.execute(select(t.assignment)):
            sides.setdefault(row.comparison_id, set()).add(row.left_is)
    assert all(both == {"lo", "hi"} for both in sides.values())


def test_erasure_keeps_a_flag_without_its_author(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    pair = screen.next_pair(ws, rater("wilma"), one.id)
    flagged_comparisons.add(ws, rater("wilma"), pair.token, "left", "pii", "it is my own address")
    erase(ws, LOCAL, one.project_id, "wilma")
    (waiting,) = flagged_comparisons.list_all(ws, LOCAL, one.id)
    assert (waiting.kind, waiting.note) == ("pii", "")
    assert "wilma" not in waiting.rater
    assert eligible_votes.gather(ws, LOCAL, one.project_id, None).counts["votes"] == 0
    flagged_comparisons.settle(ws, LOCAL, waiting.id)
    assert flagged_comparisons.list_all(ws, LOCAL, one.id) == []


def test_erasure_leaves_a_closed_verdict_as_decided_and_says_so(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=12, overlap=2)
    rate_all(ws, one, "ada")
    rate_all(ws, one, "ben", lambda _: "tie")
    rounds.close(ws, LOCAL, one.id)
    before = rounds.verdict(ws, LOCAL, one.id)
    erase(ws, LOCAL, one.project_id, "ada")
    after = rounds.verdict(ws, LOCAL, one.id)
    assert before.decision == "better"
    assert after.model_copy(update={"sentence": before.sentence}) == before
    assert "decided with votes that have been deleted since: 12." in after.sentence
    erase(ws, LOCAL, one.project_id, "ben")
    told = report.report(ws, LOCAL, one.id)
    assert (told.verdict.wins, told.tally.deleted, told.tally.wins) == (12, 24, 0)
    assert "Votes deleted with their rater: 24." in told.sentence


def test_erasure_leaves_an_open_blind_round_to_the_other_votes(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=12, overlap=2)
    rate_all(ws, one, "ada")
    rate_all(ws, one, "ben", lambda _: "tie")
    erase(ws, LOCAL, one.project_id, "ada")
    rounds.close(ws, LOCAL, one.id)
    found = rounds.verdict(ws, LOCAL, one.id)
    assert (found.decision, found.wins, found.ties) == ("no difference shown", 0, 12)


def test_erasure_marks_datasets_and_models_made_of_the_votes(ws, tmp_path):
    one = filled(ws, helpers.project(ws).id, arms(ws, tmp_path), raters="ab")
    cast(ws, shown(ws, one)[0], "c", "left")
    made = build.make(ws, LOCAL, one.project_id)
    learned = Model(
        id="model-1", project_id=one.project_id, name="DPO 1", kind="adapter", source="trained",
        path="jobs/1/adapter", base_id=one.arm_new, dataset_id=made.dataset_id, created_at=1.0,
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, learned)
    assert lineage.stale(ws, LOCAL, made.dataset_id) == ""
    gone = erase(ws, LOCAL, one.project_id, "a")
    assert (gone.datasets, gone.models) == (("pairs@1",), ("DPO 1",))
    assert lineage.stale(ws, LOCAL, made.dataset_id).startswith("Stale: 24 votes")
    assert lineage.stale_model(ws, LOCAL, "model-1") in model_card(ws, LOCAL, "model-1")
    again = build.make(ws, LOCAL, one.project_id)
    assert again.dataset_id == made.dataset_id  # the same rows, now by the votes of the others
    assert lineage.stale_model(ws, LOCAL, "model-1") == ""


def executed(ws, *statements):
    with writing(ws.db) as conn:
        for statement in statements:
            conn.execute(text(statement))


OPENED = "INSERT INTO forgotten (id, project_id, rater, rounds, created_by, created_at) VALUES "


def test_erasure_bypasses_the_trigger_for_one_rater_in_one_transaction(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4, overlap=2)
    rate_all(ws, one, "ada")
    rate_all(ws, one, "ben")
    opened = f"{OPENED} ('x', '{one.project_id}', 'ada', '{{}}', 'local', 1)"
    shut = f"{OPENED} ('y', '{one.project_id}', NULL, '{{}}', 'local', 1)"
    before = kept(ws)
    with pytest.raises(DBAPIError, match="append-only"):  # ben's votes are among them
        executed(ws, opened, "DELETE FROM vote")
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):  # it cannot stay open
        executed(ws, opened)
    with pytest.raises(DBAPIError, match="append-only"):
        executed(ws, shut, "DELETE FROM vote")
    assert kept(ws) == before


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM forgotten",
        "UPDATE forgotten SET created_by = 'nobody'",
        "UPDATE forgotten SET rounds = '{}'",
        "UPDATE forgotten SET rater = 'ben'",
    ],
)
def test_erasure_record_is_immutable(ws, tmp_path, change):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    rate_all(ws, one, "ada")
    erase(ws, LOCAL, one.project_id, "ada")
    with pytest.raises(DBAPIError, match="stays on record"), writing(ws.db) as conn:
        conn.execute(text(change))
