"""RLOO and GRPO on a model that knows letters: what is rewarded becomes likelier."""

import shutil

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.core.examples import Message, Prompt
from engine.core.recipe import Ref, RefKind, read
from engine.methods.rewarded import grpo, reward, rloo
from tests import letter_model
from tests.methods.fake_context import BASE, MemoryContext, pairs, prompts, user

pytestmark = pytest.mark.train
both = pytest.mark.parametrize("method", [rloo, grpo], ids=["rloo", "grpo"])


def recipe(method, **values):
    given = {"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0}
    return method.Recipe(**{**given, "reward": "shorter", "max_completion_length": 12, **values})


@pytest.fixture(scope="module")
def base(tiny_model, tmp_path_factory):
    """A base that answers with one to six letters."""
    folder = tmp_path_factory.mktemp("letters")
    letter_model.write_data(folder)
    return letter_model.taught(tiny_model, folder / "library_faq.jsonl")


def asked(number):
    return [Prompt(prompt=user(f"say {'abcdefghijkl'[n % 12]}{n}")) for n in range(number)]


@both
def test_online_training_makes_rewarded_answers_likelier(method, base, tmp_path):
    ctx = MemoryContext(tmp_path, base, asked(24), asked(36)[24:])
    values = {"per_device_train_batch_size": 16, "num_generations": 8, "beta": 0.0}
    outcome = method.run(recipe(method, max_steps=12, **values), ctx)
    found = ctx.metrics("reward")
    assert len(found) == 12
    assert sum(found[-3:]) > sum(found[:3]) + 0.3
    result = outcome.result
    assert result.held_out_reward > result.first_held_out_reward + 0.1
    assert (result.first_reward, result.last_reward) == (found[0], found[-1])
    assert ctx.metrics("eval_loss") == []  # it would say nothing


@both
def test_online_training_of_three_steps_changes_the_model(method, base, tmp_path):
    ctx = MemoryContext(tmp_path, base, asked(12))
    outcome = method.run(recipe(method, max_steps=3, trl={"bf16": True}), ctx)
    kl = ctx.metrics("kl")
    assert kl[0] == pytest.approx(0, abs=1e-3)
    assert abs(kl[-1]) > 1e-3
    assert outcome.model.kind == "adapter"


def test_reward_model_rewards_what_its_pairs_preferred(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, pairs(16))
    judge = reward.run(
        reward.Recipe(model=BASE, dataset="d", learning_rate=5e-3, max_steps=4, samples=0), ctx
    )
    shutil.copytree(ctx.folder / "adapter", tmp_path / "judge")
    ctx.keep("judge-1", judge.model.model_copy(update={"path": "judge"}))
    assert Ref(RefKind.MODEL, "judge-1") in recipe(rloo, reward="judge-1").needs()
    asking = MemoryContext(tmp_path, tiny_model, prompts(8))
    asking._models = ctx._models
    rloo.run(recipe(rloo, reward="judge-1", max_steps=2), asking)
    assert len(asking.metrics("reward")) == 2
    with pytest.raises(UserError, match="is not a reward model"):
        rloo.prepare(recipe(rloo, reward=BASE), asking)


@both
def test_settings_that_cannot_work_are_refused(method, tiny_model, tmp_path):
    values = {"model": "m", "dataset": "d", "reward": "shorter", "num_generations": 3}
    with pytest.raises(UserError, match="no multiple of num_generations"):
        read(method.Recipe, values)
    few = MemoryContext(tmp_path, tiny_model, asked(1))
    with pytest.raises(UserError, match="One step takes 2 prompts, and there are 1"):
        method.prepare(recipe(method), few)
    with pytest.raises(UserError, match="some prompts have none"):
        method.prepare(recipe(method, reward="exact"), few)
    with pytest.raises(UserError, match="preference rows are none"):
        method.prepare(recipe(method), MemoryContext(tmp_path, tiny_model, pairs(3)))


def test_prompt_that_leaves_no_room_for_an_answer_stays_out(tiny_model, tmp_path):
    long = Prompt(prompt=(Message(role="user", content="why " * 60),))
    ctx = MemoryContext(tmp_path, tiny_model, [*asked(3), long])
    encoded, _ = rloo.prepare(recipe(rloo, max_length=100), ctx)
    assert (len(encoded.train), encoded.dropped) == (3, 1)


def test_rule_needs_no_model():
    named = [each.id for each in recipe(rloo).needs()]
    assert named == [BASE, "d"]
    assert {"exact", "overlap", "shorter", "up_to_50_words"} <= set(plugins.names("rewards"))
