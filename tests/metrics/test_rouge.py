import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

from engine.metrics.rouge import Words, rouge_1, rouge_2, rouge_l
from engine.metrics.scripts import words
from tests.metrics.pairs import LATIN, LATIN_PAIRS, OTHER_PAIRS

METRICS = {"rouge1": rouge_1, "rouge2": rouge_2, "rougeL": rouge_l}
every_metric = pytest.mark.parametrize("name", METRICS)


@every_metric
@pytest.mark.parametrize(
    ("pairs", "tokenizer"), [(LATIN_PAIRS, None), (LATIN_PAIRS + OTHER_PAIRS, Words())]
)
def test_each_score_equals_rouge_score(name, pairs, tokenizer):
    scorer = RougeScorer([name], use_stemmer=False, tokenizer=tokenizer)
    each = METRICS[name](*zip(*pairs, strict=True)).each
    for (prediction, accepted), ours in zip(pairs, each, strict=True):
        theirs = scorer.score_multi(accepted, prediction)[name].fmeasure
        assert ours == pytest.approx(theirs, abs=1e-6)


@given(st.text(st.characters(max_codepoint=0x36F)))
def test_latin_text_gets_the_tokens_of_rouge_score(text):
    assert words(text) == tokenize(text, None)


@pytest.mark.parametrize("text", LATIN)
def test_awkward_latin_text_gets_the_tokens_of_rouge_score(text):
    assert words(text) == tokenize(text, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Быстрая лиса, да!", ["быстрая", "лиса", "да"]),
        ("GPT模型 v2", ["gpt", "模", "型", "v2"]),
        ("तेज भूरी", ["तेज", "भूरी"]),
        ("빠른 여우", ["빠른", "여우"]),
        ("狐が", ["狐", "が"]),
        ("ａｂｃ ﬁne Ⅻ", ["ne"]),
    ],
)
def test_words_of_other_writings(text, expected):
    assert words(text) == expected


@every_metric
def test_other_writings_are_not_zero(name):
    assert METRICS[name](["天气很好"], [["天气很好"]]).overall == 1
    assert 0 < METRICS[name](["天气很好"], [["天气不好"]]).overall < 1


def test_values_worked_by_hand():
    prediction, reference = ["the cat the dog"], [["the dog the cat"]]
    assert rouge_1(prediction, reference).overall == 1
    assert rouge_2(prediction, reference).overall == pytest.approx(2 / 3)
    assert rouge_l(prediction, reference).overall == pytest.approx(0.5)


@given(
    st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30)
)
def test_subsequence_by_bits_is_that_of_the_table(a, b):
    theirs = RougeScorer(["rougeL"]).score(" ".join(a), " ".join(b))["rougeL"].fmeasure
    assert rouge_l([" ".join(b)], [[" ".join(a)]]).overall == pytest.approx(theirs, abs=1e-9)
