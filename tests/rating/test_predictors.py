"""The predictor of a blind round: fixed with the plan, further questions, the verdict with it."""

import random

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.rating import Candidate
from engine.core.recipe import read
from engine.services.data import datasets
from engine.services.rating import comparisons, predictors, report, round_verdict, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store import rounds as stored
from engine.store.connect import reading, writing
from tests import helpers
from tests.rating.rated import rate_all

RATED, FURTHER = 24, 60
EQUAL = 4  # every so many questions have the same answer from both


def answers(one):
    """Answers of one to nine words, and to some questions the same from both."""
    rng = random.Random(1)
    found = []
    for n in range(len(one.plan.rows)):
        texts = ["word " * rng.randint(1, 9) for _ in range(2)]
        texts = [texts[0]] * 2 if n % EQUAL == 0 else [f"{texts[0]}new", f"{texts[1]}old"]
        for seed, (arm, text) in enumerate(zip((one.arm_new, one.arm_base), texts, strict=True), 1):
            found.append(Candidate(**helpers.candidate(arm, n, text, seed).model_dump()))
    return tuple(found)


@pytest.fixture
def source(ws, tmp_path):
    """A project with enough held-out questions, and its two models."""
    place = helpers.project(ws, "Predicted")
    path = helpers.chat_file(tmp_path, 500)
    return datasets.add(ws, LOCAL, place.id, path, path.name, held_out=0.25), tmp_path, place


def begun(ws, source, **options):
    dataset, folder, place = source
    new, old = helpers.model(ws, folder, "new"), helpers.model(ws, folder, "old")
    values = {
        "purpose": "blind_eval", "model": new.id, "baseline": old.id, "dataset": dataset.id,
        "prompts": RATED, "predictor": "length", "further": FURTHER,
    }  # fmt: skip
    return rounds.start(ws, LOCAL, place.id, read(RoundRecipe, values | options))


def rated(ws, source, **options):
    one = begun(ws, source, **options)
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, answers(one))
    return rounds.get(ws, LOCAL, one.id)


def shorter(ws):
    """A rater who takes the shorter answer, but for one in six."""
    rng = random.Random(2)

    def choose(shown):
        left, right = shown.left, shown.right
        odd = rng.random() < 1 / 6
        return "left" if (len(left) < len(right)) != odd else "right"

    return choose


def test_predictor_and_further_questions_stand_in_the_plan(ws, source):
    one = begun(ws, source)
    plan = one.plan
    assert (plan.predictor, plan.further, plan.prompts) == ("length", FURTHER, RATED)
    assert len(set(plan.rows)) == RATED + FURTHER
    again = rounds.get(ws, LOCAL, one.id)
    assert (again.plan, again.plan_sha256) == (plan, one.plan_sha256)


def test_plan_without_a_predictor_has_neither_field(ws, source):
    plan = begun(ws, source, predictor="none", further=0).plan
    assert not {"predictor", "further"} & plan.model_dump().keys()


def test_further_questions_are_shown_to_nobody_and_asked_of_no_rater(ws, source):
    one = rated(ws, source)
    with reading(ws.db) as conn:
        kinds = [each.kind for each in stored.comparisons(conn, one.id)]
    assert kinds.count("further") == FURTHER
    assert kinds.count("normal") + kinds.count("identical") == RATED
    assert rate_all(ws, one, "a", shorter(ws)) == kinds.count("normal")
    assert rounds.tally(ws, LOCAL, rounds.close(ws, LOCAL, one.id).id).prompts == RATED


def test_verdict_of_the_round_has_the_predictor_and_the_votes_alone(ws, source):
    one = rated(ws, source)
    rate_all(ws, one, "a", shorter(ws))
    rounds.close(ws, LOCAL, one.id)
    found = rounds.verdict(ws, LOCAL, one.id)
    assert found.predictor.used
    assert found.predictor.correlation < -0.3  # the longer loses: the sign is free
    assert found.high - found.low < found.votes_only.high - found.votes_only.low
    assert found.n == RATED
    assert report.report(ws, LOCAL, one.id).sentence.startswith(found.sentence)


def test_votes_alone_are_the_verdict_without_the_predictor(ws, source):
    one = rated(ws, source)
    rate_all(ws, one, "a", shorter(ws))
    rounds.close(ws, LOCAL, one.id)
    found = rounds.verdict(ws, LOCAL, one.id)
    with reading(ws.db) as conn:
        plain = one.model_copy(update={"plan": one.plan.model_copy(update={"predictor": "none"})})
        alone = round_verdict.weighed(conn, plain)
    assert alone.predictor is None
    assert (found.votes_only.low, found.votes_only.high) == (alone.low, alone.high)


def test_predictor_of_a_round_that_was_looked_at_early_is_not_used(ws, source):
    one = rated(ws, source)
    rate_all(ws, one, "a", shorter(ws))
    rounds.break_glass(ws, LOCAL, one.id, "the customer asked for it today")
    rounds.close(ws, LOCAL, one.id)
    assert rounds.verdict(ws, LOCAL, one.id).predictor is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"purpose": "train_pairs"}, "Only a blind test with a fixed number of votes"),
        ({"decision": "sequential"}, "Only a blind test with a fixed number of votes"),
        ({"predictor": "none"}, "A predictor and further questions go together"),
        ({"further": 0}, "A predictor and further questions go together"),
        ({"prompts": 200}, "none beyond those to rate"),
    ],
)
def test_predictor_that_cannot_be_is_refused_in_one_sentence(ws, source, options, problem):
    with pytest.raises(UserError, match=problem):
        begun(ws, source, **options)


def test_overlap_needs_references(ws, source):
    _, folder, place = source
    path = folder / "asked.jsonl"
    path.write_text("".join(f'{{"prompt": "what is {n}?"}}\n' for n in range(400)))
    asked = datasets.add(ws, LOCAL, place.id, path, path.name, held_out=0.5)
    assert begun(ws, source, predictor="overlap").plan.predictor == "overlap"
    with pytest.raises(UserError, match="has no references"):
        begun(ws, (asked, folder, place), predictor="overlap")


def test_rules_read_the_answers_from_the_side_of_the_new_model():
    pair = predictors._Pair("a b c d", "a", ("a b",), 1.5)
    turned = predictors._Pair("a", "a b c d", ("a b",), -1.5)
    for rule in predictors.RULES.values():
        (one,), (other,) = rule([pair]), rule([turned])
        assert one == -other != 0
        assert rule([pair._replace(base=pair.new)]) == [0]
    assert predictors.RULES["length"]([pair]) == [(7 - 1) / 8]
    assert predictors.RULES["overlap"]([pair._replace(references=())]) == [0]
