"""The strength dial: what it measures is what the models say, and what it recommends follows."""

import pytest

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.recipe import read
from engine.core.strength import Kept, Strength, recommended
from engine.jobs import comparison_selection, dial, strength
from engine.jobs.comparison_selection import AnswerPair
from engine.methods import dpo
from engine.models.answer import Answerer
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs

QUESTIONS, VOTES = "questions", "votes"


class TwoDatasets(MemoryContext):
    """Questions, and preference pairs of which `held_out` are held out."""

    held_out = 24

    def rows(self, dataset_id, split=None):
        if dataset_id != QUESTIONS:
            return super().rows(dataset_id, split)
        return [Row(index=i, split="train", example=one) for i, one in enumerate(chats(12))]


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """A context with a model "taught" that DPO made of the base."""
    folder = tmp_path_factory.mktemp("dial")
    ctx = TwoDatasets(folder, tiny_model, pairs(24), pairs(48)[24:])
    settings = {"num_train_epochs": 3, "learning_rate": 5e-3, "samples": 0, "num_evals": 1}
    made = dpo.run(dpo.Recipe(model=BASE, dataset=VOTES, **settings), ctx)
    ctx.keep("taught", made.model)
    return ctx


def asked(**values):
    given = {
        "model": "taught", "start": BASE, "dataset": QUESTIONS, "rows": range(12), "pairs": VOTES,
        "max_new_tokens": 8, "strengths": (0, 0.5, 1, 1.25), **values,
    }  # fmt: skip
    return dial.Recipe(**given)


def found_by(ctx, **values):
    return dial.run(asked(**values), ctx).result


@pytest.mark.train
def test_dial_measures_each_strength_and_leaves_no_adapter_behind(trained):
    before = {path.name for path in trained.folder.iterdir()}
    found = found_by(trained)
    assert [one.strength for one in found.stops] == [0, 0.5, 1, 1.25]
    assert {path.name for path in trained.folder.iterdir()} - before <= {"cache"}
    assert (found.questions, found.pairs, found.pairs_held_out) == (12, 24, True)
    margins = [one.margin for one in found.stops]
    assert margins[0] == 0
    assert margins == sorted(margins)
    assert margins[1] > 0
    assert all(one.perplexity > 1 for one in found.stops)
    assert found.stops[0].kept
    assert [one.recommended for one in found.stops].count(True) == 1
    labels = [e.data["label"] for e in trained.events if e.kind == "progress"]
    assert labels[-1] == "strength 1.25"


@pytest.mark.train
def test_margin_at_strength_1_is_that_of_the_trained_model(trained, tiny_model):
    found = found_by(trained, beta=0.3)
    held_out = [row.example for row in trained.rows(VOTES, "held_out")]
    both = [
        AnswerPair(n, each.prompt, each.chosen, each.rejected) for n, each in enumerate(held_out)
    ]
    margins = comparison_selection.margins(
        trained, Answerer(tiny_model), trained.model("taught"), both
    )
    mean = sum(margins.values()) / len(margins)
    assert found.stops[2].margin == pytest.approx(mean * 0.3 / comparison_selection.BETA, abs=1e-3)


@pytest.mark.train
def test_dial_asks_only_the_rows_of_its_recipe(trained, monkeypatch):
    seen = []
    answers = dial.CachedAnswerer.answers

    def noted(self, files, prompts, *rest):
        seen.extend(prompt[-1].content for prompt in prompts)
        return answers(self, files, prompts, *rest)

    monkeypatch.setattr(dial.CachedAnswerer, "answers", noted)
    found_by(trained, rows=(1, 5), strengths=(0, 1))
    assert set(seen) == {"Say 1", "Say 5"}


@pytest.mark.train
def test_dial_of_few_held_out_pairs_measures_those_that_were_learned(trained, tmp_path, tiny_model):
    ctx = TwoDatasets(tmp_path, tiny_model, pairs(30), pairs(49)[30:])
    ctx._models["taught"] = trained.model("taught")
    found = found_by(ctx, strengths=(0, 1))
    assert (found.pairs, found.pairs_held_out) == (30, False)
    assert any("30 training preference pairs" in text for text in ctx.said())
    alone = found_by(ctx, strengths=(0, 1), pairs=None)
    assert (alone.pairs, alone.stops[1].margin) == (0, None)


@pytest.mark.train
def test_dial_without_references_is_refused(trained, monkeypatch):
    monkeypatch.setattr(trained, "rows", lambda *_: [])
    with pytest.raises(UserError, match="None of these questions has a reference"):
        dial.run(asked(), trained)


@pytest.mark.train
def test_loss_of_more_than_five_points_is_a_reason(trained):
    """The metric counts by itself: few questions show no regression that is more than chance."""
    start, low = (measured(n) for n in (6, 5))
    lost = dial._lost("exact_match", questions(), start.side, low.side)
    assert lost == ["Exact match: 0.50 to 0.42, more than 5 points lost."]
    assert dial._lost("exact_match", questions(), start.side, measured(6).side) == []


def questions():
    return dial.Asked(chats(12), [("yes, sir",)] * 12, [], False)


def measured(right):
    """Answers of which so many are right."""
    from engine.core.evaluation import Output
    from engine.jobs.regression_check import SCORES, Side
    from engine.metrics.score import score_rows

    texts = ["yes, sir" if n < right else "yes, man" for n in range(12)]
    references = [("yes, sir",)] * 12
    scored = {name: score_rows(name, texts, references) for name in SCORES}
    outputs = [Output(text=text, tokens=2, seconds=0.0) for text in texts]
    return dial.StopAnswers(Side("m", outputs, scored), [])


def test_recommended_strength_is_the_largest_up_to_which_all_are_kept():
    def of(*kept):
        return recommended([Kept(0.25 * n, each) for n, each in enumerate(kept)])

    assert of(True, True, True) == 0.5
    assert of(True, True, False) == 0.25
    assert of(True, False, True) == 0  # kept by chance
    assert of(True) == 0


def test_metric_is_the_first_that_the_start_reaches():
    one = asked(metrics=("exact_match", "rougeL"))
    assert dial._metric(one, measured(6)) == "exact_match"
    assert dial._metric(one, measured(0)) == "rougeL"


@pytest.mark.parametrize("given", [(0.5, 1), (0, 1.6), (0, 0.5, 0.5), (0, 1, 0.5), (0,)])
def test_strengths_that_do_not_rise_from_0_are_refused(given):
    with pytest.raises(UserError):
        read(dial.Recipe, asked().model_dump() | {"strengths": given})


@pytest.mark.train
def test_model_at_a_strength_says_between_which_it_lies(trained, tiny_model, tmp_path):
    other = TwoDatasets(tmp_path, tiny_model, [])
    other._models["taught"] = trained.model("taught")
    made = strength.run(strength.Recipe(model="taught", start=BASE, strength=0.5), other).model
    model = other.keep("half", made).model
    trained._models["half"] = other.model("half")
    assert Strength.of(model) == Strength(strength=0.5, start=BASE, trained="taught")
    assert Strength.of(trained.model("taught").model) is None
    assert (made.base_id, made.parent_id, made.info["method"]) == (BASE, None, "dpo")
    found = found_by(trained, strengths=(0, 0.5, 1))
    alone = found_by(trained, model="half", strengths=(0, 1))
    assert alone.stops[1].margin == pytest.approx(found.stops[1].margin, abs=1e-3)
    assert alone.stops[1].length == found.stops[1].length


def test_strength_1_makes_no_second_model():
    with pytest.raises(UserError, match="strength 1 is the trained model itself"):
        read(strength.Recipe, {"model": "a", "start": "b", "strength": 1})
