"""Blind votes: leases, idempotency, undo, balance, what a rater may learn."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound
from engine.services.jobs import lifecycle
from engine.services.rating import comparisons, rounds, votes
from engine.services.rating.plans import RoundRecipe
from engine.store import votes as vote_store
from engine.store.connect import reading, writing
from tests import helpers
from tests.rating import screen

keys = (f"key-{n:08d}" for n in count())


def rater(name):
    return Actor(name=name, role=Role.RATER)


@pytest.fixture
def one(ws, tmp_path):
    return helpers.open_round(ws, helpers.project(ws).id, tmp_path)


def vote_all(ws, one, who, choose):
    shown = screen.next_pair(ws, who, one.id)
    cast = 0
    while shown:
        shown = screen.vote(ws, who, shown.token, next(keys), choose(shown))
        cast += 1
    return cast


def test_reload_shows_the_same_pair_on_the_same_sides(ws, one):
    assert screen.next_pair(ws, LOCAL, one.id) == screen.next_pair(ws, LOCAL, one.id)


def test_same_key_is_one_vote_however_often_it_is_sent(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    key = next(keys)
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(lambda _: screen.vote(ws, LOCAL, shown.token, key, "left"), range(5))
        )
    assert {a.token for a in answers if a} == {answers[0].token}
    with reading(ws.db) as conn:
        assert len(vote_store.live(conn, [one.id])) == 1


def test_second_key_on_a_voted_pair_is_refused_and_the_first_vote_stays(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    screen.vote(ws, LOCAL, shown.token, next(keys), "left")
    with pytest.raises(Conflict):
        screen.vote(ws, LOCAL, shown.token, next(keys), "right")
    with reading(ws.db) as conn:
        assert [v.choice for v in vote_store.live(conn, [one.id])] == ["left"]


def test_token_of_another_rater_is_not_found(ws, one):
    shown = screen.next_pair(ws, rater("a"), one.id)
    with pytest.raises(NotFound):
        screen.vote(ws, rater("b"), shown.token, next(keys), "left")


def test_undo_shows_the_same_pair_with_the_same_sides_and_the_vote_is_gone(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    screen.vote(ws, LOCAL, shown.token, next(keys), "left")
    again = screen.undo(ws, LOCAL, one.id)
    assert (again.token, again.left) == (shown.token, shown.left)
    with reading(ws.db) as conn:
        assert vote_store.live(conn, [one.id]) == []
    screen.vote(ws, LOCAL, again.token, next(keys), "right")
    with reading(ws.db) as conn:
        assert [v.choice for v in vote_store.live(conn, [one.id])] == ["right"]


def test_undo_after_the_round_is_closed_is_refused(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    screen.vote(ws, LOCAL, shown.token, next(keys), "left")
    rounds.close(ws, LOCAL, one.id)
    with pytest.raises(Conflict):
        screen.undo(ws, LOCAL, one.id)


def test_overlap_is_met_exactly_with_concurrent_raters(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, pairs=20, overlap=3)
    with ThreadPoolExecutor(6) as pool:
        cast = pool.map(lambda n: vote_all(ws, one, rater(f"r{n}"), lambda _: "tie"), range(6))
    assert sum(cast) == 60
    with reading(ws.db) as conn:
        live = vote_store.live(conn, [one.id])
    per_pair = {v.comparison_id: 0 for v in live}
    for vote in live:
        per_pair[vote.comparison_id] += 1
    assert set(per_pair.values()) == {3}
    assert len({(v.comparison_id, v.rater) for v in live}) == 60


def test_new_model_is_left_in_half_of_the_comparisons_of_each_rater(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, pairs=24, overlap=2)
    for name in ("first", "second"):
        seen = []
        vote_all(ws, one, rater(name), lambda s, seen=seen: seen.append(s.left) or "tie")
        assert sum("new" in left for left in seen) == 12


def test_sides_differ_between_the_first_two_raters(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, overlap=2)
    first = screen.next_pair(ws, rater("a"), one.id)
    second = screen.next_pair(ws, rater("b"), one.id)
    assert first.prompt == second.prompt
    assert (first.left, first.right) == (second.right, second.left)


def test_expired_lease_frees_the_pair_for_others(ws, one, monkeypatch):
    screen.next_pair(ws, rater("a"), one.id)
    now = votes.time.time()
    monkeypatch.setattr(votes.time, "time", lambda: now + vote_store.COMPARISON_LEASE_S + 1)
    first_of_b = screen.next_pair(ws, rater("b"), one.id)
    assert "prompt 0" in first_of_b.prompt


def test_skipped_pair_goes_to_another_rater_and_not_back(ws, one):
    shown = screen.next_pair(ws, rater("a"), one.id)
    following = screen.skip(ws, rater("a"), shown.token)
    assert following.prompt != shown.prompt
    assert screen.next_pair(ws, rater("b"), one.id).prompt == shown.prompt


def test_skip_can_be_taken_back(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    following = screen.skip(ws, LOCAL, shown.token)
    assert following.can_undo
    again = screen.undo(ws, LOCAL, one.id)
    assert (again.token, again.left) == (shown.token, shown.left)
    assert screen.vote(ws, LOCAL, again.token, next(keys), "left").token == following.token


def test_skip_that_another_rater_took_up_stays(ws, one):
    shown = screen.next_pair(ws, rater("a"), one.id)
    screen.skip(ws, rater("a"), shown.token)
    assert screen.next_pair(ws, rater("b"), one.id).prompt == shown.prompt
    with pytest.raises(Conflict):
        screen.undo(ws, rater("a"), one.id)


def test_comparison_taken_by_others_after_the_lease_is_not_shown_again(ws, one, monkeypatch):
    shown = screen.next_pair(ws, rater("a"), one.id)
    now = votes.time.time()
    monkeypatch.setattr(votes.time, "time", lambda: now + vote_store.COMPARISON_LEASE_S + 1)
    theirs = screen.next_pair(ws, rater("b"), one.id)
    assert theirs.prompt == shown.prompt
    back = screen.next_pair(ws, rater("a"), one.id)
    assert back.prompt != shown.prompt
    assert not back.can_undo


def test_expired_lease_that_nobody_took_is_shown_again(ws, one, monkeypatch):
    shown = screen.next_pair(ws, rater("a"), one.id)
    now = votes.time.time()
    monkeypatch.setattr(votes.time, "time", lambda: now + vote_store.COMPARISON_LEASE_S + 1)
    assert screen.next_pair(ws, rater("a"), one.id).token == shown.token


def test_comparison_shown_to_a_rater_holds_no_model_and_no_round(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    text = shown.model_dump_json()
    for secret in (one.id, one.arm_new, one.arm_base, "secret-new", "secret-old", "model-"):
        assert secret not in text


def test_tally_of_an_open_blind_round_is_refused_to_everybody(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, purpose="blind_eval")
    with pytest.raises(Forbidden):
        rounds.tally(ws, LOCAL, one.id)


def test_votes_for_the_new_model_count_as_wins_whatever_the_side(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, purpose="blind_eval", overlap=2)
    prefer_new = lambda s: "left" if "new" in s.left else "right"  # noqa: E731
    for name in ("a", "b"):
        vote_all(ws, one, rater(name), prefer_new)
    rounds.close(ws, LOCAL, one.id)
    seen = rounds.tally(ws, LOCAL, one.id)
    assert (seen.wins, seen.losses, seen.raters) == (48, 0, 2)
    verdict = rounds.verdict(ws, LOCAL, one.id)
    assert verdict.decision == "better"
    assert verdict.win_rate == 1.0


def test_always_left_is_no_preference_for_a_model(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, purpose="blind_eval")
    vote_all(ws, one, LOCAL, lambda _: "left")
    rounds.close(ws, LOCAL, one.id)
    assert rounds.verdict(ws, LOCAL, one.id).decision == "no difference shown"


def test_round_whose_answers_were_called_off_is_not_left_in_preparation(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    recipe = RoundRecipe(model=base.id, dataset=source.id, prompts=9)
    one = rounds.start(ws, LOCAL, project.id, recipe)
    lifecycle.cancel(ws, LOCAL, one.job_id)
    assert rounds.get(ws, LOCAL, one.id).status == "failed"


def test_answer_that_names_its_model_is_not_shown(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path, "SmolLM2-135M")
    source = helpers.dataset(ws, project.id, tmp_path)
    recipe = RoundRecipe(model=base.id, dataset=source.id, prompts=2)
    one = rounds.start(ws, LOCAL, project.id, recipe)
    texts = [("I am SmolLM, hello", "hello"), ("a", "b")]
    answers = [
        helpers.candidate(base.id, n, text, seed)
        for n, both in enumerate(texts)
        for seed, text in enumerate(both)
    ]
    with writing(ws.db) as conn:
        left_out = comparisons.open_with(conn, one.id, tuple(answers))
    assert left_out["identity"] == 1
    assert votes.progress(ws, LOCAL, one.id)["total"] == 1
