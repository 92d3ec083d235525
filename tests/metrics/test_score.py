import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.metrics.evaluate_module import as_evaluate
from engine.metrics.score import gain, score_all, score_rows
from engine.stats.multiple_testing import adjusted
from tests.metrics.pairs import right

NAMES = plugins.names("metrics")
REFERENCES = [["the cat sat on the mat"], ["a dog barks at night", "dogs bark"], ["yes"], ["no"]]
ANSWERS = ["the cat sat on a mat", "dogs bark", None, ""]


@pytest.mark.parametrize("name", NAMES)
def test_failed_answer_is_counted_and_left_out(name):
    mean = score_all([name], ANSWERS, REFERENCES)[name]
    kept = [0, 1, 3]
    alone = score_all([name], [ANSWERS[k] for k in kept], [REFERENCES[k] for k in kept])[name]
    assert (mean.n, mean.failed) == (3, 1)
    assert mean.model_copy(update={"failed": 0}) == alone
    assert 0 <= mean.low <= mean.score <= mean.high <= 1
    assert mean.signature


@pytest.mark.parametrize("name", NAMES)
def test_rows_keep_their_places(name):
    scored = score_rows(name, ANSWERS, REFERENCES)
    assert [score is None for score in scored.each] == [False, False, True, False]
    assert scored.each[3] == 0


@pytest.mark.parametrize("name", NAMES)
def test_score_of_failed_answers_alone_is_unknown(name):
    mean = score_all([name], [None, None], [["a"], ["b"]])[name]
    assert (mean.score, mean.low, mean.high, mean.n, mean.failed) == (0, 0, 1, 0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_score_refuses_bad_rows(name):
    with pytest.raises(UserError, match="1 predictions but 2 rows"):
        score_all([name], ["a"], [["a"], ["b"]])
    with pytest.raises(UserError, match="Row 2 has no list of references"):
        score_all([name], ["a", None], [["a"], []])
    with pytest.raises(UserError, match="no prediction"):
        score_all([name], [], [])


@pytest.mark.parametrize("name", NAMES)
def test_gain_uses_the_rows_both_answered(name):
    text = right(name)
    base = score_rows(name, [""] * 20 + ["x", None], [[text]] * 22)
    new = score_rows(name, [text] * 20 + [None, "x"], [[text]] * 22)
    better = gain(name, base, new)
    assert better.n == 20
    assert better.diff > 0.9
    assert better.sentence.startswith("Better: +")
    assert gain(name, base, base).sentence.startswith("No difference shown")
    nothing = score_rows(name, [None] * 22, [["a"]] * 22)
    assert gain(name, base, nothing).n == 0
    with pytest.raises(UserError):
        gain(name, base, score_rows(name, ["a"], [["a"]]))


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_a_module_of_the_evaluate_library(name):
    references = ["the cat sat on the mat", "dogs bark loudly at the moon"]
    predictions = ["the cat sat on a mat", "dogs bark"]
    ours = plugins.load("metrics", name)(predictions, [[text] for text in references]).overall
    module = as_evaluate(name)
    assert module.compute(predictions=predictions, references=references) == {name: ours}
    lists = [[text] for text in references]
    assert as_evaluate(name).compute(predictions=predictions, references=lists) == {name: ours}


def test_evaluate_modules_combine():
    import evaluate

    both = evaluate.combine([as_evaluate("exact_match"), as_evaluate("rouge1")])
    assert both.compute(predictions=["a b"], references=["a b"]) == {"exact_match": 1, "rouge1": 1}


def test_gains_allow_for_the_number_of_metrics():
    right = [["a b c d e f"]] * 40
    base = ["a b c d e f"] * 34 + ["x"] * 6
    names = ["exact_match", "bleu", "rouge1", "rougeL", "chrf"]
    ours, theirs = (
        {name: score_rows(name, texts, right) for name in names}
        for texts in (base, ["a b c d e f"] * 40)
    )
    assert gain("exact_match", ours["exact_match"], theirs["exact_match"]).sentence.startswith("Be")
    found = adjusted({name: gain(name, ours[name], theirs[name]) for name in names})
    assert 0.1 < found["exact_match"].p < 0.2  # alone 2 / 64, the rarest of 64 patterns of signs
    assert found["exact_match"].sentence.startswith("No difference shown: +0.15")
    assert "among 5 comparisons" in found["exact_match"].sentence
