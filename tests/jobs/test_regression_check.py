"""What a further training broke is flagged; what it left alone, or only chance moved, is not."""

import random

import pytest

from engine.core.evaluation import Output, RegressionAnswer, RegressionCheck
from engine.core.model import Model
from engine.jobs import regression_check
from engine.metrics.score import score_rows

ROWS = 60
METRICS = ("exact_match", "bleu", "rougeL")
REFERENCES = [(f"the answer to question {n} is number {n * 7} on the list",) for n in range(ROWS)]


def side(name, texts, nats=20.0):
    outputs = [
        Output(text=t, tokens=len(t.split()), nats=nats + n % 5, reference_tokens=10)
        for n, t in enumerate(texts)
    ]
    return regression_check.Side(
        name, outputs, {m: score_rows(m, texts, REFERENCES) for m in METRICS}
    )


def answers(right=0.8, seed=0):
    rng = random.Random(seed)
    return [
        r[0] if rng.random() < right else f"no idea about {n}" for n, r in enumerate(REFERENCES)
    ]


def fallen(before, after):
    return {one.id for one in regression_check.compare(before, after, REFERENCES) if one.regressed}


def test_regression_check_passes_an_unchanged_model():
    found = regression_check.compare(side("a", answers()), side("b", answers()), REFERENCES)
    assert not any(one.regressed for one in found)
    assert {one.id for one in found} == {
        *METRICS, "fresh", "answered", "willing", "length", "perplexity",
    }  # fmt: skip
    assert {(one.model, one.compared_with) for one in found} == {("b", "a")}


def test_model_that_differs_by_chance_alone_is_seldom_flagged():
    pairs = [(side("a", answers(seed=n)), side("b", answers(seed=n + 100))) for n in range(12)]
    assert sum(bool(fallen(a, b)) for a, b in pairs) <= 1


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (answers(right=0.3), {"exact_match", "bleu", "rougeL"}),
        ([t if n % 3 else "" for n, t in enumerate(answers(1.0))], {"answered"}),
        ([t if n % 3 else "I\u2019m sorry, but I can't help." for n, t in enumerate(answers(1.0))],
         {"willing"}),
        ([t if n % 2 else "very good very " * 12 for n, t in enumerate(answers(1.0))],
         {"fresh", "length"}),
    ],
    ids=["worse", "silent", "refusing", "repeating"],
)  # fmt: skip
def test_regression_check_flags_a_planted_regression(broken, expected):
    assert expected <= fallen(side("a", answers(1.0)), side("b", broken))


def test_references_that_became_unlikely_are_flagged():
    assert fallen(side("a", answers()), side("b", answers(), nats=26.0)) == {"perplexity"}


def test_rows_that_only_one_model_answered_are_left_out():
    before, after = side("a", answers()), side("b", answers())
    gone = [o.model_copy(update={"failed": "too long", "text": ""}) for o in after.outputs]
    assert regression_check.compare(before, after._replace(outputs=gone), REFERENCES) == []


def test_regression_check_lets_a_first_training_change_the_model():
    def model(parent, method):
        return Model(
            id="m", name="m", kind="adapter", source="trained", path="p", base_id="base",
            parent_id=parent, info={"method": method}, created_at=0,
        )  # fmt: skip

    assert regression_check.started_from(model(None, "sft"), ("base", "m")) is None
    assert regression_check.started_from(model(None, "dpo"), ("base", "m")) == "base"
    assert regression_check.started_from(model("sft", "dpo"), ("base", "sft", "m")) == "sft"
    assert regression_check.started_from(model("sft", "dpo"), ("base", "m")) is None


def answer(**numbers):
    shown = {
        "id": "exact_match", "model": "b", "compared_with": "a", "regressed": False, "before": 0.53,
        "after": 0.37, "low": -0.34, "high": 0.02, "ratio": False,
        "message": "Exact match: 0.53 to 0.37: no regression shown.",
    }  # fmt: skip
    return RegressionCheck.model_validate({**shown, **numbers})


def test_check_without_evidence_says_how_much_may_have_been_lost():
    assert answer().answer is RegressionAnswer.NOT_SHOWN
    assert answer().sentence == (
        "Exact match: 0.53 to 0.37: no loss shown, but it may have lost as much as 0.34."
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"low": -0.05}, RegressionAnswer.HELD),
        ({"low": -0.051}, RegressionAnswer.NOT_SHOWN),
        ({"regressed": True}, RegressionAnswer.REGRESSED),
        ({"id": "length", "ratio": True, "low": 0.61, "high": 1.59}, RegressionAnswer.HELD),
        ({"id": "length", "ratio": True, "low": 0.59, "high": 1.1}, RegressionAnswer.NOT_SHOWN),
        ({"id": "length", "ratio": True, "low": 0.9, "high": 1.61}, RegressionAnswer.NOT_SHOWN),
        ({"id": "perplexity", "ratio": True, "low": 0.5, "high": 1.25}, RegressionAnswer.HELD),
        ({"id": "perplexity", "ratio": True, "low": 1, "high": 1.3}, RegressionAnswer.NOT_SHOWN),
    ],
)
def test_check_holds_only_where_a_loss_above_the_margin_is_ruled_out(numbers, expected):
    found = answer(**numbers)
    assert found.answer is expected
    assert ("holds, " in found.sentence) is (expected is RegressionAnswer.HELD)


def test_check_of_49_rows_that_fell_by_a_sixth_does_not_hold():
    """The case of the report: 26 of 49 right before, 18 after."""
    right = [n < 26 for n in range(49)]
    after = [(n < 13 or 26 <= n < 31) for n in range(49)]
    texts = [
        [REFERENCES[n][0] if ok else f"no idea about {n}" for n, ok in enumerate(kept)]
        for kept in (right, after)
    ]
    sides = []
    for name, each in zip("ab", texts, strict=True):
        outputs = [Output(text=t, tokens=len(t.split())) for t in each]
        scored = {"exact_match": score_rows("exact_match", each, REFERENCES[:49])}
        sides.append(regression_check.Side(name, outputs, scored))
    first = regression_check.compare(*sides, REFERENCES[:49])[0]
    assert (round(first.before, 3), round(first.after, 3)) == (0.531, 0.367)
    assert first.answer is not RegressionAnswer.HELD
    assert "0.53 to 0.37" in first.sentence
