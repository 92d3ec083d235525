"""The audit log: what it says of each refusal, that nobody can change or flood it, early looks."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.services.erasure import erase
from engine.services.preferences import build
from engine.services.rating import audit, flagged_comparisons, invites, report, rounds, votes
from engine.store import tables as t
from engine.store.connect import reading, writing
from tests import helpers
from tests.rating import screen
from tests.rating.rated import keys, rate_all, rater, started

OLGA = Actor(name="olga", role=Role.OWNER)
TOM = Actor(name="tom", role=Role.TRAINER)
WHY = "an answer may be unsafe"


def log(ws, one, **of):
    return audit.entries(ws, TOM, one.project_id, **of)


def kinds(ws, one):
    return [line.kind for line in log(ws, one)]


def stored(ws):
    with reading(ws.db) as conn:
        return [dict(row) for row in conn.execute(select(t.audit)).mappings()]


def side(ws, shown, wanted):
    (left, _), _ = votes.texts(ws, rater("ada"), shown.token)
    return "left" if wanted in left else "right"


@pytest.fixture
def one(ws, tmp_path):
    return started(ws, tmp_path, "blind_eval", pairs=12)


def test_each_refused_vote_is_on_record_with_who_what_and_where(ws, one):
    ada, ben = rater("ada"), rater("ben")
    token = screen.next_pair(ws, ada, one.id).token
    with pytest.raises(NotFound):
        screen.vote(ws, ben, "forged", next(keys), "left")
    with pytest.raises(NotFound):
        screen.vote(ws, ben, token, next(keys), "left")
    for choice in ("banana", "good"):  # no choice at all, and one of another kind of round
        with pytest.raises(UserError, match="not a vote"):
            screen.vote(ws, ada, token, next(keys), choice)
    rounds.close(ws, LOCAL, one.id)
    with pytest.raises(Conflict):
        screen.vote(ws, ada, token, next(keys), "left")
    found = {line.kind: line for line in log(ws, one)}
    assert set(found) == {"forged_token", "others_token", "not_a_vote", "closed_round"}
    assert found["forged_token"].round_id is None
    assert found["others_token"].sentence == (
        "ben (rater) sent a vote on another rater's comparison; it was refused"
    )
    assert found["not_a_vote"].sentence.endswith("refused, 2 times")
    for kind in ("others_token", "not_a_vote", "closed_round"):
        assert found[kind].round_id == one.id
        assert found[kind].comparison_id.startswith("pair-")
    assert token not in str(stored(ws))


def test_skip_and_a_flag_with_the_token_of_another_are_on_record_too(ws, one):
    token = screen.next_pair(ws, rater("ada"), one.id).token
    with pytest.raises(NotFound):
        screen.skip(ws, rater("ben"), token)
    with pytest.raises(NotFound):
        flagged_comparisons.add(ws, rater("ben"), token, "left", "unsafe")
    (line,) = log(ws, one)
    assert (line.kind, line.who, line.times) == ("others_token", "ben", 2)


def test_second_vote_on_a_pair_is_refused_and_nothing_to_record(ws, one):
    token = screen.next_pair(ws, rater("ada"), one.id).token
    screen.vote(ws, rater("ada"), token, next(keys), "left")
    with pytest.raises(Conflict):
        screen.vote(ws, rater("ada"), token, next(keys), "right")
    assert stored(ws) == []


@pytest.mark.parametrize("who", [rater("ada"), TOM, OLGA], ids=lambda who: who.role.name)
def test_refused_look_at_an_open_blind_round_is_on_record_whoever_asks(ws, one, who):
    asked = [
        lambda: rounds.tally(ws, who, one.id),
        lambda: rounds.verdict(ws, who, one.id),
        lambda: report.report(ws, who, one.id),
        lambda: build.make(ws, who, one.project_id, [one.id]),
    ]
    for ask in asked:
        with pytest.raises(UserError):
            ask()
    (line,) = log(ws, one, round_id=one.id)
    assert (line.kind, line.who, line.times) == ("early_look", who.name, 4)


def test_report_of_an_open_round_that_is_not_blind_is_refused_and_no_early_look(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs")
    with pytest.raises(Conflict):
        report.report(ws, TOM, one.id)
    assert stored(ws) == []


def test_audit_entry_of_another_minute_is_separate(ws, one, monkeypatch):
    now = time.time() // 60 * 60
    for at in (now, now + 30, now + 61):
        monkeypatch.setattr(audit.time, "time", lambda at=at: at)
        audit.refused(ws, rater("ada"), "not_a_vote", round_id=one.id)
    assert sorted(line.times for line in log(ws, one)) == [1, 2]


def test_flood_under_ever_new_names_ends_in_one_entry_that_counts_on(ws, one, monkeypatch):
    monkeypatch.setattr(audit, "MOST", 5)
    monkeypatch.setattr(audit, "MOST_TIMES", 20)
    for n in range(50):
        audit.refused(ws, rater(f"rater-{n}"), "forged_token")
    audit.refused(ws, rater("ada"), "others_token", round_id=one.id)
    found = [line for line in log(ws, one) if line.kind == "forged_token"]
    assert len(found) == 6
    rest = next(line for line in found if line.who == audit.OTHERS)
    assert rest.times == 20
    assert rest.sentence.startswith("more people sent a vote with an unknown token")
    assert rest.sentence.endswith("20 times or more")
    assert "others_token" in kinds(ws, one)


def test_flood_of_one_name_is_one_entry_a_minute(ws, one, monkeypatch):
    monkeypatch.setattr(audit.time, "time", lambda: 1_800_000_000.0)
    for _ in range(30):
        audit.refused(ws, rater("ada"), "forged_token")
    assert [line.times for line in log(ws, one)] == [30]


def test_audit_entry_counts_concurrent_attempts(ws, one, monkeypatch):
    monkeypatch.setattr(audit.time, "time", lambda: 1_800_000_000.0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: audit.refused(ws, rater("ada"), "forged_token"), range(40)))
    assert [line.times for line in log(ws, one)] == [40]


def test_audit_holds_no_byte_of_a_deleted_name(ws, one):
    if ws.db.dialect.name != "sqlite":
        pytest.skip("the server of PostgreSQL keeps its own files")
    screen.next_pair(ws, rater("Wilhelmina Quist"), one.id)
    audit.refused(ws, rater("Wilhelmina Quist"), "forged_token")
    path = Path(ws.db.url.database)
    left = []
    for _ in range(2):
        ws.close()
        files = path.parent.glob(f"{path.name}*")
        left.append(b"Wilhelmina" in b"".join(each.read_bytes() for each in files))
        if len(left) == 1:
            erase(ws, OLGA, one.project_id, "Wilhelmina Quist")
    assert left == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit",
        "UPDATE audit SET said = 'nothing'",
        "UPDATE audit SET kind = 'not_a_vote'",
        "UPDATE audit SET created_at = 0",
        "UPDATE audit SET round_id = NULL",
        "UPDATE audit SET who = 'mallory'",
        "UPDATE audit SET who = 'deleted x'",
        "UPDATE audit SET times = 1",
        "UPDATE audit SET times = 9",
    ],
)
def test_audit_entry_is_protected_by_the_database(ws, one, change):
    for _ in range(2):
        audit.refused(ws, rater("ada"), "not_a_vote", round_id=one.id)
    before = stored(ws)
    with pytest.raises(DBAPIError, match="append-only"), writing(ws.db) as conn:
        conn.execute(text(change))
    assert stored(ws) == before


@pytest.mark.parametrize("role", [Role.GUEST, Role.RATER])
def test_audit_is_read_by_trainers_only(ws, one, role):
    with pytest.raises(Forbidden):
        audit.entries(ws, Actor(name="ada", role=role), one.project_id)


def test_audit_lists_entries_of_its_project_only(ws, one, tmp_path):
    audit.refused(ws, rater("ada"), "not_a_vote", round_id=one.id)
    other = helpers.project(ws, "Other")
    assert audit.entries(ws, TOM, other.id) == []


def test_audit_keeps_the_attempts_of_a_deleted_rater_without_the_name(ws, one):
    who = invites.rater_of(invites.accept(ws, invites.make(ws, LOCAL, one.project_id, "Ada")))
    audit.refused(ws, who, "not_a_vote", round_id=one.id)
    audit.refused(ws, who, "forged_token")
    audit.refused(ws, rater("ben"), "forged_token")
    erase(ws, OLGA, one.project_id, who.name)
    found = log(ws, one)
    assert who.name not in str(found)
    assert sum(line.who.startswith("deleted ") for line in found) == 2
    assert "ben" in {line.who for line in found}
    assert found[0].sentence == "olga (owner) deleted all that one rater did"


def test_early_look_needs_an_owner_a_reason_and_an_open_blind_round(ws, one, tmp_path):
    for who in (rater("ada"), TOM):
        with pytest.raises(Forbidden):
            rounds.break_glass(ws, who, one.id, WHY)
    for reason in ("", " \n ", "\u200b", "x" * 501):
        with pytest.raises(UserError, match="reason"):
            rounds.break_glass(ws, OLGA, one.id, reason)
    with pytest.raises(Conflict, match="not blind"):
        rounds.break_glass(ws, OLGA, started(ws, tmp_path, "train_pairs").id, WHY)
    waiting = started(ws, tmp_path, "blind_eval", answer=False)
    with pytest.raises(Conflict, match="preparing"):
        rounds.break_glass(ws, OLGA, waiting.id, WHY)
    rounds.close(ws, LOCAL, one.id)
    with pytest.raises(Conflict, match="closed"):
        rounds.break_glass(ws, OLGA, one.id, WHY)
    assert "break_glass" not in {entry["kind"] for entry in stored(ws)}


def test_owner_who_looked_may_read_the_tally_and_nobody_else(ws, one):
    rate_all(ws, one, "ada")
    assert rounds.break_glass(ws, OLGA, one.id, WHY).wins == 12
    assert rounds.tally(ws, OLGA, one.id).wins == 12
    same_name = Actor(name="olga", role=Role.TRAINER)
    for who in (rater("ada"), TOM, LOCAL, same_name):
        with pytest.raises(Forbidden):
            rounds.tally(ws, who, one.id)
    line = next(line for line in log(ws, one, round_id=one.id) if line.kind == "break_glass")
    assert line.sentence == (
        "olga (owner) looked at the interim result of the blind round. Their reason: " + WHY
    )


def test_audit_of_a_blind_round_reveals_neither_models_nor_tally(ws, tmp_path):
    said = []
    for wanted in ("new", "old"):
        one = started(ws, tmp_path, "blind_eval", pairs=12, project=wanted)
        rate_all(ws, one, "ada", lambda shown, wanted=wanted: side(ws, shown, wanted))
        with pytest.raises(Forbidden):
            rounds.tally(ws, TOM, one.id)
        wins = rounds.break_glass(ws, OLGA, one.id, WHY).wins
        assert wins == (12 if wanted == "new" else 0)
        mine = [row for row in stored(ws) if row["round_id"] == one.id]
        said.append([(row["kind"], row["who"], row["said"], row["comparison_id"]) for row in mine])
        assert not [word for word in ("secret", one.arm_new, one.arm_base) if word in str(mine)]
    assert said[0] == said[1]


@pytest.mark.parametrize("early", [False, True])
def test_fixed_size_test_is_invalid_after_an_early_look(ws, one, early):
    for _ in range(8):  # of 8 votes 8 wins: p = 0.008, and evidence of less than 20
        shown = screen.next_pair(ws, rater("ada"), one.id)
        screen.vote(ws, rater("ada"), shown.token, next(keys), side(ws, shown, "new"))
    if early:
        rounds.break_glass(ws, OLGA, one.id, WHY)
    rounds.close(ws, LOCAL, one.id)
    found = rounds.verdict(ws, TOM, one.id)
    assert found.wins == 8
    assert found.decision == ("no difference shown" if early else "better")
    assert (found.p > 0.05) == (found.low < 0.5) == early
    said = report.report(ws, TOM, one.id).sentence
    assert ("looked at early, by olga" in said) == early
    assert ("fixed-size test is not valid after an early look" in said) == early


def test_sequential_test_survives_an_early_look_and_names_who_looked(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", decision="sequential", pairs=40)
    rate_all(ws, one, "ada")
    rounds.break_glass(ws, OLGA, one.id, WHY)
    rounds.break_glass(ws, LOCAL, one.id, "to see the same")
    rounds.close(ws, LOCAL, one.id)
    found = rounds.verdict(ws, TOM, one.id)
    assert (found.decision, found.wins) == ("better", 40)
    assert "by olga and local" in found.sentence
    assert "fixed-size" not in found.sentence


def test_early_look_ignores_incomplete_prompts(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=30, overlap=2)
    rate_all(ws, one, "ada")
    rounds.break_glass(ws, OLGA, one.id, WHY)
    half = rounds.verdict(ws, OLGA, one.id)
    assert (half.wins, half.decision, half.p) == (30, "no difference shown", 1.0)
    rate_all(ws, one, "ben")
    assert rounds.verdict(ws, OLGA, one.id).decision == "better"


def test_aa_round_says_who_looked_early(ws, tmp_path):
    one = started(ws, tmp_path, "aa_control", pairs=8)
    rate_all(ws, one, "ada", lambda _: "left")
    rounds.break_glass(ws, OLGA, one.id, WHY)
    rounds.close(ws, LOCAL, one.id)
    assert "looked at early, by olga" in report.report(ws, TOM, one.id).sentence


def test_deleting_votes_later_changes_neither_the_verdict_nor_who_looked(ws, one):
    rate_all(ws, one, "ada")
    rounds.break_glass(ws, OLGA, one.id, WHY)
    rounds.close(ws, LOCAL, one.id)
    before = rounds.verdict(ws, TOM, one.id)
    erase(ws, OLGA, one.project_id, "ada")
    after = rounds.verdict(ws, TOM, one.id)
    assert (after.decision, after.p) == (before.decision, before.p)
    assert after.sentence.startswith(before.sentence)
