"""The rules that make pairs of votes, one by one, on judgements written by hand."""

import random
from collections import Counter

import pytest

from engine.core.examples import Message
from engine.services.preferences import pair_rows
from engine.services.preferences.holdout import Finder, Holdout, families
from engine.services.preferences.judgements import Item, question
from engine.services.preferences.manifest import expected_wrong
from engine.services.preferences.rules import Rules, better_answer, select_pairs
from engine.services.rating.vote_reading import ImprovedAnswer, Judgement, judgement
from engine.stats.vote_noise import VoteNoise
from engine.store.votes import LiveVote

VOTES = {"a": ("a", False), "b": ("b", False), "tie": (None, False), "bad": (None, True)}


def asks(text):
    return (Message(role="user", content=text),)


def item(votes, number=0, prompt=None, raters=None, **changes):
    """An item with votes such as "a a tie" of raters a, b, c."""
    said = []
    for name, word in zip(raters or "abcdefgh", votes.split(), strict=False):
        better, both_bad = VOTES[word]
        said.append(Judgement(name, better, both_bad)._replace(**changes))
    text = prompt or f"question {number}"
    return Item(asks(text), f"first {number}", f"second {number}", (f"c{number}",), tuple(said))


def judged(items, **rules):
    each = {one.question: one.question for one in items}
    return select_pairs(items, each, Rules(**rules))


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("a", ("", "a")),
        ("b", ("", "b")),
        ("tie", ("tie", None)),
        ("bad", ("tie", None)),
        ("a a", ("", "a")),
        ("a b", ("contested", None)),
        ("a tie", ("", "a")),
        ("a bad", ("", "a")),
        ("a a b", ("", "a")),
        ("a b tie", ("contested", None)),
        ("a tie tie", ("", "a")),
        ("a a b b", ("contested", None)),
        ("a a a b", ("", "a")),
        ("a a b tie", ("contested", None)),
        ("a a a b b", ("contested", None)),
        ("b b b b a", ("", "b")),
    ],
)
def test_one_vote_decides_and_more_need_a_lead_of_a_third(votes, expected):
    assert better_answer(item(votes)) == expected


def test_vote_names_the_text_and_not_the_side_it_stood_on():
    for left_is, choice, better in [("a", "left", "a"), ("b", "left", "b"),
                                    ("a", "right", "b"), ("b", "right", "a")]:  # fmt: skip
        vote = LiveVote("c", "r", left_is, choice, 0.0, "v", 1)
        details = {"acceptable_left": True, "edit": {"side": "left", "text": "x"}, "strength": 2}
        found = judgement(vote, details)
        assert found.better == better
        assert found.liked == ((left_is, True),)
        assert found.edit == ImprovedAnswer(left_is, "x")
        assert found.clearly


def test_contested_items_are_listed():
    found = judged([item("a b", 0), item("a", 1)])
    assert [one.question for one in found.contested] == ["user: question 0"]
    assert found.counts["contested"] == 1


def test_pair_carries_the_newest_fitting_edit_of_its_better_answer():
    def improved(*edits, **rules):
        both = item("a", edit=edits[0])
        more = [both.judgements[0]._replace(rater=f"r{n}", edit=e) for n, e in enumerate(edits[1:])]
        both = both._replace(judgements=(*both.judgements, *more))
        return judged([both], edit_share=1.0, **rules).pairs[0].improved

    first, second = (ImprovedAnswer("a", f"first 0 and {word}") for word in ("more", "much more"))
    assert improved(first) == first.text
    assert improved(first, second) == second.text
    assert improved(first, ImprovedAnswer("b", "second 0 and more")) == first.text
    assert improved(ImprovedAnswer("b", "second 0 and more")) is None
    assert improved(ImprovedAnswer("a", "first 0 ")) is None  # changes nothing
    assert improved(first, edits=False) is None


def test_edit_beats_its_source_and_what_that_beat():
    better = item("a", edit=ImprovedAnswer("a", "first 0 and more"))
    found = judged([better], edit_share=1.0)
    assert [(p.chosen, p.rejected, p.source) for p in found.pairs] == [
        ("first 0", "second 0", "vote"),
        ("first 0 and more", "first 0", "edit"),
        ("first 0 and more", "second 0", "edit"),
    ]


def test_edit_of_the_worse_answer_beats_only_that():
    found = judged([item("a", edit=ImprovedAnswer("b", "second 0 and more"))], edit_share=1.0)
    assert [p.rejected for p in found.pairs if p.source == "edit"] == ["second 0"]


def test_edit_of_one_of_two_bad_answers_beats_both():
    found = judged([item("bad", edit=ImprovedAnswer("b", "second 0 and more"))], edit_share=1.0)
    assert sorted(p.rejected for p in found.pairs) == ["first 0", "second 0"]


@pytest.mark.parametrize("text", ["first  0", "FIRST 0", " ", "nothing like it at all, sorry"])
def test_edit_that_changes_nothing_or_everything_is_left_out(text):
    found = judged([item("a", edit=ImprovedAnswer("a", text))], edit_share=1.0)
    assert (len(found.pairs), found.counts["edit"]) == (1, 1)


def test_edits_are_at_most_three_tenths_of_the_pairs():
    items = [item("a", n, edit=ImprovedAnswer("b", f"second {n} and more")) for n in range(14)]
    found = judged(items)
    edits = sum(p.source == "edit" for p in found.pairs)
    assert (edits, len(found.pairs), found.counts["edit_share"]) == (6, 20, 8)
    assert edits <= 0.3 * len(found.pairs)


def test_pair_that_was_clearly_better_counts_twice_only_when_asked():
    found = judged([item("a a", 0, clearly=True), item("a", 1)])
    assert len(pair_rows.preferences(found.pairs, Rules())) == 2
    made = pair_rows.preferences(found.pairs, Rules(strength=True))
    assert [row.source_row for row in made] == [1, 2, 3]  # what is said of a row names it


def test_soft_labels_are_a_row_for_each_vote_in_its_own_direction():
    found = judged([item("a a a b")])
    made = Counter(r.chosen for r in pair_rows.preferences(found.pairs, Rules(soft=True)))
    assert made == {"first 0": 3, "second 0": 1}


def test_prompt_gives_at_most_four_pairs():
    found = judged([item("a", n, prompt="the same question") for n in range(7)])
    assert (len(found.pairs), found.counts["crowded"]) == (4, 3)


def test_family_of_prompts_gives_at_most_a_tenth_of_the_pairs():
    items = [item("a", n) for n in range(100)]
    known = {one.question: "close" if n < 30 else one.question for n, one in enumerate(items)}
    found = select_pairs(items, known, Rules())
    close = sum(p.family == "close" for p in found.pairs)
    assert (close, len(found.pairs), found.counts["crowded"]) == (7, 77, 23)


def test_preference_pairs_of_one_rater_are_at_most_a_quarter():
    names = ["a"] * 60 + [*"bcdef"] * 8
    items = [item("a", n, raters=[name]) for n, name in enumerate(names)]
    found = judged(items)
    by_a = sum("a" in p.raters for p in found.pairs)
    assert (by_a, len(found.pairs), found.counts["one_rater"]) == (13, 53, 47)
    few = [item("a", n, raters=[name]) for n, name in enumerate(["a"] * 60 + [*"bcd"] * 8)]
    assert len(judged(few).pairs) == len(few)


def test_preference_pairs_of_two_agreeing_raters_pass_the_rater_limit():
    items = [item("a a", n, raters="az") for n in range(40)]
    items += [item("a", 40 + n, raters=[name]) for n, name in enumerate("bcde" * 2)]
    assert len(judged(items).pairs) == 48


def answers(items):
    counts = Counter()
    found = pair_rows.ratings(items, {one.question: one.question for one in items}, counts)
    return [(r.completion, r.label) for r in found], counts


def test_single_ratings_of_a_choice_are_good_for_the_better_and_bad_for_the_worse():
    assert answers([item("b")])[0] == [("first 0", False), ("second 0", True)]


def test_single_ratings_of_a_tie_are_good_only_where_both_are_acceptable():
    both = (("a", True), ("b", True))
    assert answers([item("tie", liked=both)])[0] == [("first 0", True), ("second 0", True)]
    assert answers([item("tie")])[0] == []


def test_single_ratings_of_both_bad_are_bad():
    assert answers([item("bad bad")])[0] == [("first 0", False), ("second 0", False)]


def test_single_rating_of_an_acceptable_loser_is_good():
    assert ("second 0", True) in answers([item("a", liked=(("b", True),))])[0]


def test_answer_that_two_items_judge_differently_is_left_out():
    one, other = item("a"), item("b")
    other = other._replace(answer_b="third 0")
    found, counts = answers([one, other])
    assert found == [("second 0", False), ("third 0", True)]
    assert counts["contested"] == 1


def test_questions_that_say_nearly_the_same_as_one_kept_back_are_blocked():
    secret = "When will the new branch of the town library in the old harbour open its doors"
    kept = Holdout({secret.casefold(): asks(secret)}, frozenset())
    close = f"{secret}, please?"
    other = "How many books may a child borrow at a time during the summer holidays"
    spelled = f"  {secret.upper()} "
    known, blocked = families([asks(close), asks(other), asks(spelled)], kept)
    assert known[question(asks(close))] in blocked
    assert known[question(asks(spelled))] in blocked
    assert known[question(asks(other))] not in blocked


def test_long_text_of_a_test_is_found_inside_another_and_a_short_one_is_not():
    secret = "we are open from nine to seven on weekdays"
    finder = Finder([secret])
    assert finder.holds(f"Hello! {secret.upper()} and so on")
    assert not finder.holds("we are open from nine to seven on Sundays")
    assert not finder.holds("")


def test_expected_share_of_wrong_pairs_is_what_a_simulation_finds():
    rng = random.Random(1)
    noise, right = 0.2, 0
    items = []
    for n in range(4000):
        words = ["b" if rng.random() < noise else "a" for _ in range(rng.choice((1, 2, 3)))]
        items.append(item(" ".join(words), n))
    pairs = judged(items, one_rater=1.0).pairs
    right = sum(p.chosen.startswith("first") for p in pairs)
    alike = VoteNoise(least=noise, likely=noise, most=noise, shape=None)
    assert expected_wrong(pairs, alike) == pytest.approx(1 - right / len(pairs), abs=0.015)


@pytest.mark.parametrize(
    ("rows", "share", "held_out"),
    [(194, 0.1, 0.0), (200, 0.1, 0.1), (28, 0.8, 0.8), (24, 0.8, 0.0), (5000, 0.0, 0.0)],
)
def test_pairs_are_held_out_where_there_would_be_20_or_more(rows, share, held_out):
    assert Rules(held_out=share).held_out_share(rows) == held_out
