import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer, lcs_ind

from engine.metrics.rouge import Words, rouge_l
from engine.metrics.rouge_lsum import common, rouge_lsum
from tests.cpu import cpu_seconds_below
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS, UNICODE_PAIRS, paired

LINES = paired(
    [
        "the cat sat\non the mat",
        "on the mat\nthe cat sat\n",
        "\n\nthe the the\ncat",
        "the\ncat\nsat\non\nthe\nmat",
        "a dog\r\nbarks at night",
        "天气很好\n我很好",
    ]
)


@pytest.mark.parametrize("tokenizer", [None, Words()])
def test_each_score_equals_rouge_score(tokenizer):
    pairs = LATIN_PAIRS if tokenizer is None else LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS + LINES
    scorer = RougeScorer(["rougeLsum"], tokenizer=tokenizer)
    each = rouge_lsum(*zip(*pairs, strict=True)).each
    for (prediction, accepted), ours in zip(pairs, each, strict=True):
        theirs = scorer.score_multi(accepted, prediction)["rougeLsum"].fmeasure
        assert ours == pytest.approx(theirs, abs=1e-6)


@given(st.lists(st.sampled_from("abc"), max_size=25), st.lists(st.sampled_from("abc"), max_size=25))
def test_subsequence_is_the_one_rouge_score_chooses(a, b):
    assert common(a, b) == list(lcs_ind(a, b))


def test_order_of_lines_does_not_matter_as_it_does_in_rouge_l():
    rows = ["b b b\na a a"], [["a a a\nb b b"]]
    assert rouge_lsum(*rows).overall == 1
    assert rouge_l(*rows).overall == 0.5


def test_rouge_lsum_scores_three_thousand_lines_within_five_cpu_seconds():
    text = "\n".join(f"a {number}" for number in range(3000))
    with cpu_seconds_below(5):
        assert rouge_lsum([text], [[text]]).overall == 1
