import pytest

from engine.core.errors import UserError
from engine.stats.rated_pairs import RatedPair, between, hash_order_score, prompt_means
from engine.stats.side_bias import position_bias, position_by_rater, position_of


def cast(rater, choices):
    return [RatedPair(str(n), rater, "new", "old", choice) for n, choice in enumerate(choices)]


@pytest.mark.parametrize(("n", "off"), [(20, 7), (30, 8), (50, 10), (100, 14)])
def test_side_is_flagged_from_the_known_thresholds_on(n, off):
    assert position_bias(n // 2 + off, n // 2 - off).biased
    assert position_bias(n // 2 - off, n // 2 + off).biased
    assert not position_bias(n // 2 + off - 1, n // 2 - off + 1).biased


def test_position_bias_without_votes_and_its_sentence():
    assert position_bias(0, 0).sentence == "No vote for either side yet."
    assert position_bias(64, 36).sentence.startswith(
        "Position bias: 64 of 100 votes went to the left"
    )
    with pytest.raises(UserError):
        position_bias(-1, 0)


def test_each_rater_has_a_line_and_the_most_surprising_comes_first():
    votes = cast("fair", ["left", "right"] * 10) + cast("lefty", ["left"] * 20)
    found = position_by_rater(votes)
    assert [(one.rater, one.left, one.right, one.biased) for one in found] == [
        ("lefty", 20, 0, True),
        ("fair", 10, 10, False),
    ]
    assert position_of(votes).left == 30


def test_ties_gold_items_and_repeats_say_nothing_about_sides():
    votes = cast("a", ["left", "tie", "both_bad"])
    votes += [votes[0], votes[0]._replace(prompt="g", expected="left")]
    found = position_of(votes)
    assert (found.left, found.right) == (1, 0)


def test_hash_order_is_that_of_the_models_not_of_the_sides():
    values = set()
    for n in range(50):
        vote = RatedPair(str(n), "a", "new", "old", "left")
        turned = vote._replace(left="old", right="new", choice="right")
        assert hash_order_score(vote) == hash_order_score(turned) in (-1, 1)
        assert hash_order_score(vote._replace(choice="tie")) == 0
        values.add(hash_order_score(vote))
    assert values == {-1, 1}


def test_prompt_means_count_ties_as_half():
    votes = [
        RatedPair("p", "a", "new", "old", "left"),
        RatedPair("p", "b", "old", "new", "tie"),
        RatedPair("q", "a", "old", "new", "left"),
    ]
    assert prompt_means(votes, "new") == {"p": 0.75, "q": 0.0}


def test_model_without_votes_is_an_error_that_names_the_others():
    with pytest.raises(UserError, match="about 'gpt'"):
        between(cast("a", ["left"]), "gpt")
    with pytest.raises(UserError, match="not in the pair new and old"):
        cast("a", ["left"])[0].score("gpt")


def test_model_against_itself_counts_for_sides_only():
    votes = cast("a", ["left", "right"])
    twin = RatedPair("twin", "a", "new", "new", "left")
    assert between([*votes, twin], "new") == votes
    assert position_of([*votes, twin]).left == 2
    with pytest.raises(UserError, match="about 'new'"):
        between([twin], "new")
