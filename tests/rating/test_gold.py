"""Gold pairs, practice and repeats: when they come, what they say of a rater, what they hide."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Forbidden, NotFound, UserError
from engine.services.rating import gold, paused_raters, rounds, votes
from engine.store import rounds as round_store
from engine.store import votes as vote_store
from engine.store.connect import reading
from tests.rating import screen
from tests.rating.rated import careful, keys, rate_all, rater, started

OTHER = {"left": "right", "right": "left"}


def kinds(ws, one):
    with reading(ws.db) as conn:
        return {pair.id: pair for pair in round_store.comparisons(conn, one.id)}


def given(ws, one, name):
    with reading(ws.db) as conn:
        return vote_store.given(conn, one.id, name)


def is_gold(shown):
    return "answer" in shown.left + shown.right


def wrong_on_gold(ws, who):
    def choose(shown):
        choice = careful(ws, who, shown)
        return OTHER[choice] if is_gold(shown) else choice

    return choose


def test_practice_comes_first_and_says_after_the_vote_what_was_right(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", practice=3)
    who = rater("a")
    for n in range(3):
        shown = votes.state(ws, who, one.id).pair
        good = careful(ws, who, shown)
        choice = good if n else OTHER[good]
        ballot = votes.VoteRequest(token=shown.token, key=next(keys), choice=choice)
        told = votes.vote(ws, who, ballot).feedback
        assert (told.right, told.expected) == (n > 0, good)
        assert told.reason.startswith("One answer")
    assert [each.kind for each in given(ws, one, "a")][:3] == ["calibration"] * 3
    shown = votes.state(ws, who, one.id).pair
    ballot = votes.VoteRequest(token=shown.token, key=next(keys), choice="left")
    assert votes.vote(ws, who, ballot).feedback is None


def test_feedback_is_the_same_when_the_vote_is_sent_again(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", practice=1)
    shown = votes.state(ws, rater("a"), one.id).pair
    ballot = votes.VoteRequest(token=shown.token, key=next(keys), choice="tie")
    first = votes.vote(ws, rater("a"), ballot)
    assert votes.vote(ws, rater("a"), ballot) == first


def test_every_rater_gets_a_share_of_gold_that_fits_what_they_rated(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.2, pairs=30, overlap=1)
    who = rater("a")
    for _ in range(13):
        shown = screen.next_pair(ws, who, one.id)
        screen.vote(ws, who, shown.token, next(keys), careful(ws, who, shown))
    rate_all(ws, one, "b")
    for name in ("a", "b"):
        seen = [each.kind for each in given(ws, one, name)]
        assert abs(seen.count("gold") - 0.2 * seen.count("normal")) <= 1
    assert rounds.tally(ws, LOCAL, one.id).prompts in (29, 30)  # the first rater may hold one


def test_gold_comes_at_moments_that_differ_between_raters(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.2, pairs=20, overlap=3)
    places = set()
    for name in ("a", "b", "c"):
        rate_all(ws, one, name)
        seen = given(ws, one, name)
        places.add(tuple(n for n, each in enumerate(seen) if each.kind == "gold"))
    assert len(places) == 3


def test_repeat_shows_a_pair_of_the_same_rater_on_swapped_sides_later_on(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", repeats=0.3, pairs=20)
    shown, sides = screen.next_pair(ws, rater("a"), one.id), {}
    order = []
    while shown:
        order.append(shown.prompt)
        sides.setdefault(shown.prompt, []).append((shown.left, shown.right))
        shown = screen.vote(ws, rater("a"), shown.token, next(keys), "tie")
    again = {prompt: both for prompt, both in sides.items() if len(both) == 2}
    assert len(again) == 6
    assert all(first == second[::-1] for first, second in again.values())
    assert order.index(next(iter(again))) != len(order) - 1
    assert rounds.tally(ws, LOCAL, one.id).ties == 20


def test_repeats_come_from_the_raters_own_votes(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", repeats=0.3, pairs=10)
    rate_all(ws, one, "a")
    assert rate_all(ws, one, "b") == 0


def test_gold_items_and_repeats_look_like_other_comparisons(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", gold=0.3, repeats=0.3, practice=2, pairs=10)
    shown, fields, said = votes.state(ws, rater("a"), one.id), set(), ""
    while shown.pair:
        fields.add((tuple(shown.pair.model_dump()), shown.pair.total))
        said += shown.model_copy(update={"feedback": None}).model_dump_json()
        ballot = votes.VoteRequest(token=shown.pair.token, key=next(keys), choice="left")
        shown = votes.vote(ws, rater("a"), ballot)
    assert len(fields) == 1
    for secret in ("gold", "repeat", "calibration", "practice", "kind", "lo", 'answer"'):
        assert f'"{secret}' not in said
    for secret in (one.arm_new, one.arm_base, one.plan_sha256, "model-", "pair-"):
        assert secret not in said


def test_rater_who_fails_gold_is_paused_with_a_sentence_and_their_votes_wait(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.3, pairs=40)
    who = rater("a")
    cast = rate_all(ws, one, "a", wrong_on_gold(ws, who))
    assert cast < 52
    assert "paused" in votes.state(ws, who, one.id).pause
    seen = rounds.tally(ws, LOCAL, one.id)
    assert (seen.wins, seen.paused) == (0, cast - 5)
    [found] = paused_raters.raters(ws, LOCAL, one.id)
    assert found.paused
    assert "0 of 5 gold items right" in found.quality.reasons[0]


def test_rater_resumed_by_a_person_has_all_votes_counted(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.3, pairs=40)
    cast = rate_all(ws, one, "a", wrong_on_gold(ws, rater("a")))
    with pytest.raises(Forbidden):
        paused_raters.resume(ws, rater("a"), one.id, "a")
    paused_raters.resume(ws, LOCAL, one.id, "a", "misread the guide")
    seen = rounds.tally(ws, LOCAL, one.id)
    assert (seen.wins, seen.paused) == (cast - 5, 0)
    assert rate_all(ws, one, "a") > 20
    assert not paused_raters.raters(ws, LOCAL, one.id)[0].paused
    assert "misread the guide" in paused_raters.raters(ws, LOCAL, one.id)[0].decided


def test_rater_is_paused_by_a_person_only_if_known(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs")
    shown = screen.next_pair(ws, rater("a"), one.id)
    paused_raters.pause(ws, LOCAL, one.id, "a", "asks friends")
    assert votes.state(ws, rater("a"), one.id).pair is None
    assert screen.vote(ws, rater("a"), shown.token, next(keys), "tie") is None  # not lost
    with pytest.raises(NotFound):
        paused_raters.pause(ws, LOCAL, one.id, "nobody")


def test_gold_answer_cannot_be_changed_by_undo(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.3, pairs=20)
    who = rater("a")
    shown = screen.next_pair(ws, who, one.id)
    while not is_gold(shown):
        shown = screen.vote(ws, who, shown.token, next(keys), "tie")
    right = careful(ws, who, shown)
    screen.vote(ws, who, shown.token, next(keys), OTHER[right])
    screen.undo(ws, who, one.id)
    screen.vote(ws, who, shown.token, next(keys), right)
    assert votes.own_progress(ws, who, one.id)["agreement_with_gold"] == {"right": 0, "of": 1}


def test_rater_who_does_not_repeat_themselves_is_reported(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", repeats=0.3, pairs=40)
    rate_all(ws, one, "a", lambda _: "left")
    [found] = paused_raters.raters(ws, LOCAL, one.id)
    assert (found.quality.repeats.same, found.quality.repeats.of) == (0, 12)


def test_daily_limit_ends_with_a_sentence_and_undo_returns_a_vote(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", per_rater=3)
    assert rate_all(ws, one, "a") == 3
    assert "the limit of this round" in votes.state(ws, rater("a"), one.id).pause
    assert votes.own_progress(ws, rater("a"), one.id)["left_today"] == 0
    assert screen.undo(ws, rater("a"), one.id).done == 2
    assert votes.own_progress(ws, rater("a"), one.id)["left_today"] == 1


def test_gold_items_come_from_a_file_where_one_is_given(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text('{"prompt": "2+2?", "chosen": "4", "rejected": "a fish"}\n')
    [pair] = gold.from_file(path, path.name)
    assert (pair.right, pair.wrong) == ("4", "a fish")


def test_gold_file_without_pairs_is_refused(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text('{"prompt": "2+2?", "completion": "4"}\n')
    with pytest.raises(UserError, match="no pair of a better"):
        gold.from_file(path, path.name)


def test_wrong_answer_of_a_gold_item_is_no_variant_of_the_right_one(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs", gold=0.3, pairs=20)
    found = [pair for pair in kinds(ws, one).values() if pair.kind == "gold"]
    assert len(found) == 6
    for pair in found:
        right = pair.answer_a if pair.details["answer"] == "a" else pair.answer_b
        assert right in pair.references
        assert pair.answer_a != pair.answer_b


def test_file_of_gold_items_is_bounded_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.truncate(gold.MOST_BYTES + 1)
    monkeypatch.setattr(gold, "read_file", None)  # nobody reads it
    with pytest.raises(UserError, match="larger than 4 MB"):
        gold.from_file(path, path.name)
