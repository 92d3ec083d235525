"""A reward model on the tiny model: it learns to prefer, and judges as it learned."""

import pytest

from engine.core.errors import UserError
from engine.methods import sft
from engine.methods.rewarded import reward
from engine.models.reward_model import RewardModel
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs

pytestmark = pytest.mark.train


def recipe(**values):
    return reward.Recipe(
        **{"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, **values}
    )


@pytest.fixture(scope="module", params=["lora", "full"])
def trained(request, tiny_model, tmp_path_factory):
    """Its context, its outcome and the files of the model."""
    folder = tmp_path_factory.mktemp("reward")
    ctx = MemoryContext(folder, tiny_model, pairs(16), pairs(22)[16:])
    outcome = reward.run(recipe(max_steps=5, tuning=request.param), ctx)
    return ctx, outcome, ctx.keep("judge-1", outcome.model)


def test_loss_falls_and_the_held_out_pairs_are_told_apart(trained):
    ctx, outcome, _ = trained
    assert ctx.metrics("loss")[-1] < ctx.metrics("loss")[0] - 0.1
    assert outcome.result.held_out_accuracy == 1
    assert outcome.result.held_out_margin > outcome.result.first_held_out_margin
    assert outcome.model.kind == "reward"


def test_reward_model_gives_the_margin_that_its_training_measured(trained):
    _, outcome, files = trained
    held_out = pairs(22)[16:]
    judge = RewardModel(files)
    prompts = [pair.prompt for pair in held_out]
    good = judge.scores(prompts, [pair.chosen for pair in held_out])
    bad = judge.scores(prompts, [pair.rejected for pair in held_out])
    margin = sum(a - b for a, b in zip(good, bad, strict=True)) / len(good)
    assert margin == pytest.approx(outcome.result.held_out_margin, abs=2e-3)


def test_score_does_not_depend_on_the_batch(trained):
    judge = RewardModel(trained[2])
    prompts = [pair.prompt for pair in pairs(5)]
    answers = ["yes", "no way, you there", "", "ok " * 20, "yes, sir"]
    alone = [judge.scores([p], [a])[0] for p, a in zip(prompts, answers, strict=True)]
    assert judge.scores(prompts, answers) == pytest.approx(alone, abs=1e-4)


def test_reward_model_and_writing_adapter_are_not_trained_into_each_other(trained, tiny_model):
    ctx, _, _ = trained
    with pytest.raises(UserError, match="scores answers and cannot generate them"):
        sft.prepare(sft.Recipe(model="judge-1", dataset="d"), ctx)
    ctx.add("adapter-1", ctx.folder)
    with pytest.raises(UserError, match="can't start from an adapter"):
        reward.prepare(recipe(model="adapter-1"), ctx)


def test_reward_model_refuses_a_writing_model(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, chats(3))
    with pytest.raises(UserError, match="tiny is not a reward model"):
        RewardModel(ctx.model(BASE))


def test_score_layer_that_would_not_be_saved_is_refused(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, pairs(3))
    with pytest.raises(UserError, match="needs its score layer trained and saved"):
        reward.prepare(recipe(lora={"r": 4, "target_modules": "all-linear"}), ctx)
