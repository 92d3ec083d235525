"""Votes of people whom nobody knows are kept, marked, and in no number."""

import pytest
from sqlalchemy import select

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound
from engine.services import erasure
from engine.services.preferences import build
from engine.services.preferences.eligible_votes import gather
from engine.services.rating import flagged_comparisons, paused_raters, report, rounds, votes
from engine.store import tables as t
from engine.store.connect import reading
from tests.rating import screen
from tests.rating.rated import careful, keys, rate_all, started


def guest(name="guest-a"):
    return Actor(name=name, role=Role.GUEST)


def visit(ws, one, name="guest-a", choice="right"):
    """A guest votes on all that there is for them; how many pairs."""
    cast, shown = 0, screen.next_pair(ws, guest(name), one.id)
    while shown:
        shown = screen.vote(ws, guest(name), shown.token, next(keys), choice)
        cast += 1
    return cast


def numbers(ws, one):
    """All that is counted of an open round."""
    gathered = gather(ws, LOCAL, one.project_id, None)
    return (
        rounds.tally(ws, LOCAL, one.id).model_copy(update={"guests": 0}),
        paused_raters.raters(ws, LOCAL, one.id),
        gathered.watermark,
        gathered.counts,
        build.preview(ws, LOCAL, one.project_id).examples,
        {k: v for k, v in votes.progress(ws, LOCAL, one.id).items() if k.startswith("all")},
    )


def test_votes_of_guests_are_kept_with_a_mark_and_change_no_number(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.2, repeats=0.1, pairs=20, overlap=2)
    rate_all(ws, one, "ada")
    before = numbers(ws, one)
    cast = [visit(ws, one, f"guest-{n}") for n in range(4)]
    assert min(cast) >= 20
    with reading(ws.db) as conn:
        marked = conn.execute(select(t.assignment.c.id).where(t.assignment.c.guest)).all()
        assert len(marked) == sum(cast)
    assert numbers(ws, one) == before
    assert rounds.tally(ws, LOCAL, one.id).guests == sum(cast)


def test_guests_fill_no_assignment_and_change_no_side(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=10, overlap=1)
    for n in range(3):
        screen.next_pair(ws, guest(f"guest-{n}"), one.id)
        visit(ws, one, f"guest-{n}")
    assert rate_all(ws, one, "ada") == 10
    with reading(ws.db) as conn:
        query = select(t.assignment.c.left_is, t.comparison.c.left_first).where(
            t.assignment.c.rater == "ada", t.assignment.c.comparison_id == t.comparison.c.id
        )
        assert all(row[0] == row[1] for row in conn.execute(query))  # as the first rater sees it


def test_verdict_is_that_of_known_raters_alone(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", pairs=12)
    for n in range(5):
        shown = screen.next_pair(ws, guest(f"guest-{n}"), one.id)
        while shown:
            against = {"left": "right", "right": "left"}[careful(ws, guest_as_rater(n), shown)]
            shown = screen.vote(ws, guest(f"guest-{n}"), shown.token, next(keys), against)
    rate_all(ws, one, "ada")
    rounds.close(ws, LOCAL, one.id)
    told = report.report(ws, LOCAL, one.id)
    assert (told.verdict.decision, told.verdict.n, told.verdict.wins) == ("better", 12, 12)
    assert (told.tally.guests, told.agreement.raw, len(told.raters)) == (60, None, 1)
    assert "Votes of guests, kept apart and not counted: 60." in told.sentence


def guest_as_rater(n):
    """Only simulated raters may read plain texts."""
    return Actor(name=f"guest-{n}", role=Role.RATER)


def test_guest_takes_back_their_own_vote_and_may_not_flag(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    shown = screen.next_pair(ws, guest(), one.id)
    screen.vote(ws, guest(), shown.token, next(keys), "left")
    assert screen.undo(ws, guest(), one.id).token == shown.token
    with pytest.raises(Forbidden):
        flagged_comparisons.add(ws, guest(), shown.token, "left", "unsafe")
    with pytest.raises(NotFound):
        paused_raters.pause(ws, LOCAL, one.id, "guest-a")


def test_guest_votes_can_be_deleted(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=4)
    visit(ws, one)
    assert erasure.people(ws, LOCAL, one.project_id) == ["guest-a"]
    erasure.erase(ws, LOCAL, one.project_id, "guest-a")
    assert rounds.tally(ws, LOCAL, one.id).guests == 0
