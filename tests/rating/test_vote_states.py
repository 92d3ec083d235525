"""Whatever raters do in whatever order: places, leases and votes always add up."""

import random
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from engine.core.errors import UserError
from engine.core.rating import VoteRequest
from engine.services.rating import flagged_comparisons, votes
from engine.store import votes as vote_store
from engine.store.connect import reading
from engine.store.tables import assignment, comparison
from tests.rating import screen
from tests.rating.rated import keys, rater, started

OVERLAP = 1  # so that raters get in each other's way
names = st.sampled_from(["a", "b", "c"])
choices = st.sampled_from(["left", "right", "tie", "both_bad"])


class Desk(RuleBasedStateMachine):
    """Three raters at three pairs, one of them repeated, and one gold item."""

    ws = folder = clock = None

    def __init__(self):
        super().__init__()
        Desk.clock.now = 1e9
        self.one = started(
            Desk.ws, Desk.folder, "train_pairs", gold=0.3, repeats=0.3, pairs=3, overlap=OVERLAP
        )
        self.held = {name: [] for name in "abc"}  # tokens on their screens, however old
        self.cast = {}  # token -> choice of the votes that stand

    def shown(self, name, turn):
        self.held[name] = [each.token for each in (turn.pair, turn.ahead) if each]
        assert len(set(self.held[name])) == len(self.held[name])

    @rule(name=names)
    def claim(self, name):
        first = votes.state(Desk.ws, rater(name), self.one.id)
        assert votes.state(Desk.ws, rater(name), self.one.id) == first
        self.shown(name, first)

    @rule(name=names, choice=choices, place=st.integers(0, 1))
    def vote(self, name, choice, place):
        if len(self.held[name]) <= place:
            return
        token = self.held[name][place]
        ballot = VoteRequest(token=token, key=next(keys), choice=choice)
        try:
            turn = votes.vote(Desk.ws, rater(name), ballot)
        except UserError:
            assert self.state(token) != "leased"
            return
        assert votes.vote(Desk.ws, rater(name), ballot) == turn
        self.cast[token] = choice
        self.shown(name, turn)

    @rule(name=names)
    def undo(self, name):
        try:
            turn = votes.undo(Desk.ws, rater(name), self.one.id)
        except UserError:
            return
        self.cast.pop(turn.pair.token, None)
        self.shown(name, turn)

    @rule(name=names)
    def skip(self, name):
        if self.held[name]:
            self.shown(name, votes.skip(Desk.ws, rater(name), self.held[name][0]))

    @rule(name=names)
    def flag(self, name):
        if not self.held[name]:
            return
        try:
            turn = flagged_comparisons.add(
                Desk.ws, rater(name), self.held[name][0], "pair", "cannot_judge"
            )
        except UserError:
            return
        self.shown(name, turn)

    @rule(name=names)
    def beat(self, name):
        for token in self.held[name]:
            votes.renew_leases(Desk.ws, rater(name), token)

    @rule(name=names)
    def come_when_all_leases_have_run_out(self, name):
        Desk.clock.now += vote_store.COMPARISON_LEASE_S + 1
        self.claim(name)

    def step(self, chance):
        name, place = chance.choice("abc"), chance.randrange(2)
        acts = [self.claim, self.undo, self.skip, self.flag, self.beat]
        acts += [self.come_when_all_leases_have_run_out] * 2
        acts += [lambda name: self.vote(name, chance.choice(["left", "tie"]), place)] * 4
        chance.choice(acts)(name)

    def rows(self):
        query = (
            select(assignment, comparison.c.kind)
            .join(comparison, comparison.c.id == assignment.c.comparison_id)
            .where(assignment.c.round_id == self.one.id)
        )
        with reading(Desk.ws.db) as conn:
            return conn.execute(query).all()

    def state(self, token):
        return next(row.state for row in self.rows() if row.id == token)

    @invariant()
    def no_pair_has_more_raters_than_places(self):
        held = Counter(
            row.comparison_id for row in self.rows()
            if row.kind == "normal" and (row.state == "voted" or self.live(row))
        )  # fmt: skip
        assert all(n <= OVERLAP for n in held.values())

    @invariant()
    def nobody_holds_a_third_pair_or_a_pair_twice(self):
        rows = self.rows()
        assert all(n <= 2 for n in Counter(r.rater for r in rows if self.live(r)).values())
        assert len({(r.rater, r.comparison_id) for r in rows}) == len(rows)

    @invariant()
    def the_votes_that_stand_are_those_that_were_cast_and_not_taken_back(self):
        with reading(Desk.ws.db) as conn:
            standing = vote_store.live(conn, [self.one.id], extra=True)
        tokens = {(row.comparison_id, row.rater): row.id for row in self.rows()}
        found = {tokens[vote.comparison_id, vote.rater]: vote.choice for vote in standing}
        assert found == self.cast

    def live(self, row):
        return row.state == "leased" and row.lease_until > Desk.clock.now


class Clock:
    now = 1e9

    def time(self):
        self.now += 0.01  # no two things happen at once
        return self.now


def test_round_survives_any_order_of_events(ws, tmp_path, monkeypatch):
    Desk.ws, Desk.folder, Desk.clock = ws, tmp_path, Clock()
    monkeypatch.setattr(time, "time", Desk.clock.time)
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_round_survives_a_long_walk_of_three_raters(ws, tmp_path, monkeypatch):
    Desk.ws, Desk.folder, Desk.clock = ws, tmp_path, Clock()
    monkeypatch.setattr(time, "time", Desk.clock.time)
    chance = random.Random(7)
    for _ in range(2):
        desk = Desk()
        for _ in range(30):
            desk.step(chance)
            desk.no_pair_has_more_raters_than_places()
            desk.nobody_holds_a_third_pair_or_a_pair_twice()
            desk.the_votes_that_stand_are_those_that_were_cast_and_not_taken_back()


@pytest.mark.parametrize("late", ["vote", "undo"])
def test_late_vote_on_a_pair_that_others_filled_is_kept_but_not_counted(
    ws, tmp_path, monkeypatch, late
):
    one = started(ws, tmp_path, "train_pairs", pairs=1)
    clock = Clock()
    clock.now = time.time()
    monkeypatch.setattr(time, "time", clock.time)
    shown = screen.next_pair(ws, rater("a"), one.id)
    clock.now += vote_store.COMPARISON_LEASE_S + 1
    theirs = screen.next_pair(ws, rater("b"), one.id)
    screen.vote(ws, rater("b"), theirs.token, next(keys), "left")
    assert screen.vote(ws, rater("a"), shown.token, next(keys), "right") is None
    with reading(ws.db) as conn:
        assert [v.rater for v in vote_store.live(conn, [one.id])] == ["b"]
        assert [v.rater for v in vote_store.live(conn, [one.id], extra=True)] == ["b", "a"]
    if late == "undo":
        with pytest.raises(UserError, match="Another rater"):
            screen.undo(ws, rater("a"), one.id)


def test_undo_shows_the_comparison_it_took_back_before_an_older_open_one(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", pairs=3)
    first = votes.state(ws, rater("a"), one.id)
    ballot = VoteRequest(token=first.ahead.token, key=next(keys), choice="left")
    votes.vote(ws, rater("a"), ballot)  # it arrives before the vote on the first
    again = votes.undo(ws, rater("a"), one.id)
    assert [again.pair.token, again.ahead.token] == [first.ahead.token, first.pair.token]
    assert votes.state(ws, rater("a"), one.id) == again


def test_late_vote_counts_where_the_place_is_still_free(ws, tmp_path, monkeypatch):
    one = started(ws, tmp_path, "train_pairs", pairs=1)
    shown = screen.next_pair(ws, rater("a"), one.id)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + vote_store.COMPARISON_LEASE_S + 1)
    screen.vote(ws, rater("a"), shown.token, next(keys), "right")
    with reading(ws.db) as conn:
        assert len(vote_store.live(conn, [one.id])) == 1


def test_heartbeat_keeps_both_pairs_of_a_rater(ws, tmp_path, monkeypatch):
    one = started(ws, tmp_path, "train_pairs", pairs=2)
    first = votes.state(ws, rater("a"), one.id)
    now = time.time()
    for minutes in range(9, 40, 9):
        monkeypatch.setattr(time, "time", lambda late=minutes: now + 60 * late)
        votes.renew_leases(ws, rater("a"), first.pair.token)
    assert votes.state(ws, rater("b"), one.id).pair is None
    again = votes.state(ws, rater("a"), one.id)
    assert (again.pair.token, again.ahead.token) == (first.pair.token, first.ahead.token)
