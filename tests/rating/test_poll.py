"""The Rating page's poll: it reads counters while nothing changes, and misses no change."""

import pytest
from gradio.utils import deep_hash
from sqlalchemy import event

from engine.core.actor import LOCAL, Actor, Role
from engine.services import erasure
from engine.services.preferences import build
from engine.services.rating import flagged_comparisons, paused_raters, progress, rounds, votes
from engine.store.connect import reading
from engine.store.votes import counts
from tests.rating import screen
from tests.rating.rated import keys, rate_all, rater, started
from tests.ui import seed
from ui.pages.rating import tab
from ui.pages.rating.refresh import RatingView


def revision(ws, one):
    return progress.revision(ws, LOCAL, one.project_id)


@pytest.fixture
def one(ws, tmp_path):
    """An open round of 24 pairs with all votes of ada and one of ben, and one that ben holds."""
    made = started(ws, tmp_path, "train_pairs", pairs=24, overlap=2)
    rate_all(ws, made, "ada")
    screen.vote(ws, rater("ben"), screen.next_pair(ws, rater("ben"), made.id).token,
                next(keys), "left")  # fmt: skip
    return made


def vote(ws, one):
    shown = screen.next_pair(ws, rater("ben"), one.id)
    screen.vote(ws, rater("ben"), shown.token, next(keys), "tie")


def take_back_and_vote_again(ws, one):
    shown = screen.undo(ws, rater("ben"), one.id)
    screen.vote(ws, rater("ben"), shown.token, next(keys), "right")


def flag(ws, one):
    flagged_comparisons.add(
        ws, rater("ben"), screen.next_pair(ws, rater("ben"), one.id).token, "pair", "unsafe"
    )


def guest_votes(ws, one):
    who = Actor(name="guest-x", role=Role.GUEST)
    screen.vote(ws, who, screen.next_pair(ws, who, one.id).token, next(keys), "left")


CHANGES = {
    "vote": vote,
    "another vote on the same pair": take_back_and_vote_again,
    "flag": flag,
    "vote of a guest": guest_votes,
    "rater paused": lambda ws, one: paused_raters.pause(ws, LOCAL, one.id, "ada"),
    "rater erased": lambda ws, one: erasure.erase(ws, LOCAL, one.project_id, "ada"),
    "pairs made": lambda ws, one: build.make(ws, LOCAL, one.project_id),
    "round closed": lambda ws, one: rounds.close(ws, LOCAL, one.id),
}


@pytest.mark.parametrize("what", CHANGES)
def test_revision_changes_with(ws, one, what):
    before = revision(ws, one)
    assert revision(ws, one) == before
    CHANGES[what](ws, one)
    assert revision(ws, one) != before


def test_revision_of_a_project_without_rounds_is_told_from_others(ws, one, tmp_path):
    other = started(ws, tmp_path, "train_pairs", project="Other", answer=False)
    assert revision(ws, other) != revision(ws, one)


def test_progress_is_that_of_each_round_alone(ws, one, tmp_path):
    other = seed.open_round(ws, tmp_path, project=one.project_id, pairs=4)
    vote(ws, other)
    far = progress.of_project(ws, LOCAL, one.project_id, {one.id: 2, other.id: 1})
    for each in (one, other):
        with reading(ws.db) as conn:
            _, shown, cast = counts(conn, each.id, "")
        assert far[each.id] == (cast, shown * each.plan.overlap)
    assert votes.progress(ws, LOCAL, one.id)["all_done"] == far[one.id].votes == 25


def test_poll_that_finds_no_change_reads_counters_only(ws, one):
    view, *_ = tab.drawn(RatingView(), tab.read(ws, one.project_id, one.id), revision(ws, one))
    statements = []
    event.listen(ws.db, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    kept, *updates = tab.poll(ws, view, one.project_id)
    assert all("_skip" in str(each) or each == {"__type__": "update"} for each in [kept, *updates])
    assert sum("SELECT" in each for each in statements) == 4
    vote(ws, one)
    changed, *_ = tab.poll(ws, view, one.project_id)
    assert changed.revision == revision(ws, one) != view.revision


def test_poll_of_a_round_that_waits_for_its_answers_always_looks(ws, tmp_path):
    waiting = started(ws, tmp_path, "train_pairs", answer=False)
    view, *_ = tab.poll(ws, RatingView(), waiting.project_id)
    assert view.waits
    again, *_ = tab.poll(ws, view, waiting.project_id)
    assert again == view


def test_view_can_be_followed_by_gradio(ws, one):
    view, *_ = tab.poll(ws, RatingView(), one.project_id)
    assert view.marks
    again, *_ = tab.drawn(view, tab.read(ws, one.project_id, one.id), view.revision)
    assert deep_hash(again) == deep_hash(view) != deep_hash(RatingView())
