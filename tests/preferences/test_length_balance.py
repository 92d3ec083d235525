"""With balanced lengths a pair for the longer answer stands beside one for the shorter."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.services.preferences import build
from engine.services.preferences.length_balance import balanced
from engine.services.preferences.rules import PreferencePair, Rules, Selection, with_weights
from tests import helpers
from tests.rating.votes_in_tables import WORDS, a_pair, a_round, arms, cast


def pair(chosen, rejected, place=0):
    prompt = (Message(role="user", content=f"q{place}"),)
    texts = ("c" * chosen, "r" * rejected)
    return PreferencePair(place, prompt, f"q{place}", *texts, (1, 0), frozenset({"r"}))


def signs(pairs):
    differences = [len(one.chosen) - len(one.rejected) for one in pairs]
    return sum(d > 0 for d in differences), sum(d < 0 for d in differences)


def test_each_pair_finds_the_one_with_the_most_alike_difference():
    longer = [pair(20, 10, 0), pair(40, 10, 1), pair(12, 10, 2)]
    shorter = [pair(10, 21, 3)]
    same = [pair(7, 7, 4)]
    kept = balanced([*longer, *shorter, *same])
    assert [one.item for one in kept] == [0, 3, 4]


def test_pairs_of_one_kind_alone_are_all_left_out():
    assert balanced([pair(20, 10, n) for n in range(5)]) == []
    assert balanced([]) == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_kept_pairs_have_as_many_longer_as_shorter_and_keep_their_order(sizes):
    pairs = [pair(*size, place) for place, size in enumerate(sizes)]
    kept = balanced(pairs)
    longer, shorter = signs(pairs)
    assert signs(kept) == (min(longer, shorter),) * 2
    assert [one.item for one in kept] == sorted(one.item for one in kept)
    assert balanced(pairs) == kept


def test_pairs_that_are_left_of_a_ranking_still_weigh_as_one_pair():
    ranking = [pair(*sizes, n)._replace(ranking="c") for n, sizes in enumerate(((9, 3), (9, 6)))]
    pairs = with_weights([*ranking, pair(3, 9, 2)])
    assert [one.weight for one in pairs] == [0.5, 0.5, 1]
    found = build._of_balanced_length(Selection(pairs, Counter(), [])).pairs
    assert [(one.ranking, one.weight) for one in found] == [("c", 1), (None, 1)]


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def rated(ws, project, folder, longer):
    """42 questions, on the first `longer` of which the longer answer wins; sides take turns."""
    one = a_round(ws, project.id, arms(ws, folder))
    for n, word in enumerate(WORDS):
        texts = (f"{word}, a long answer", f"{word}, no")
        better, worse = texts if n < longer else texts[::-1]
        made = a_pair(ws, one, word, better, worse)
        cast(ws, made, "r", ("left", "right")[n % 2], left_is=("a", "b")[n % 2])
    return one


def test_rule_leaves_out_what_nothing_balances_and_counts_it(ws, project, tmp_path):
    rated(ws, project, tmp_path, longer=30)
    made = build.make(ws, LOCAL, project.id, rules=Rules(balance_length=True))
    assert (made.pairs, made.counts["length"]) == (24, 18)
    about = build.about(ws, LOCAL, made.id)
    assert about["longer_chosen"] == 0.5
    assert build.make(ws, LOCAL, project.id).pairs == 42


def test_too_few_balanced_pairs_say_why(ws, project, tmp_path):
    rated(ws, project, tmp_path, longer=40)
    with pytest.raises(UserError, match="42 votes make 4 pairs") as refused:
        build.make(ws, LOCAL, project.id, rules=Rules(balance_length=True))
    assert "38 whose difference in length no other pair balances" in refused.value.problem
    assert refused.value.fix.startswith("Nearly always the same length won")


def test_lengths_are_balanced_in_pairs_alone(ws, project, tmp_path):
    rated(ws, project, tmp_path, longer=30)
    rules = Rules(balance_length=True)
    pairs = build.preview(ws, LOCAL, project.id, rules=rules)
    ratings = build.preview(ws, LOCAL, project.id, rules=rules, of="ratings")
    plain = build.preview(ws, LOCAL, project.id, of="ratings")
    assert (len(pairs.judged.pairs), len(ratings.judged.pairs)) == (24, 42)
    assert (ratings.examples, ratings.counts) == (plain.examples, plain.counts)
