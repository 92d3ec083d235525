"""All weights trained: a whole model comes out, that others can be trained on."""

import pytest

from engine.core.errors import UserError
from engine.methods import dpo, kto, sft, tpo
from engine.models.answer import Answerer
from tests.methods.fake_context import BASE, MemoryContext, chats, marks, pairs, user

pytestmark = pytest.mark.train
ROWS = {sft: chats, dpo: pairs, kto: marks, tpo: pairs}


def recipe(method, **values):
    given = {"model": BASE, "dataset": "d", "learning_rate": 2e-3, "samples": 0, "tuning": "full"}
    return method.Recipe(**{**given, **values})


def weights(folder):
    from transformers import AutoModelForCausalLM

    return dict(AutoModelForCausalLM.from_pretrained(folder).named_parameters())


@pytest.mark.parametrize("method", ROWS, ids=["sft", "dpo", "kto", "tpo"])
def test_all_weights_change_and_the_loss_falls(method, tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, ROWS[method](12))
    outcome = method.run(recipe(method, max_steps=3), ctx)
    assert ctx.metrics("loss")[-1] < ctx.metrics("loss")[0]
    assert (outcome.model.kind, outcome.model.path) == ("full", "model")
    before, after = weights(tiny_model), weights(ctx.folder / "model")
    assert before.keys() == after.keys()
    assert not [name for name, weight in before.items() if weight.equal(after[name])]


def test_reference_of_dpo_stays_as_it_was(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, pairs(12), pairs(16)[12:])
    outcome = dpo.run(recipe(dpo, max_steps=3), ctx)
    # were the reference to change with the model, the margin would stay at zero
    assert outcome.result.first_held_out_margin == 0
    assert outcome.result.held_out_margin > 0.05


def test_adapter_of_a_whole_model_finds_its_base_and_the_lineage_holds(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, chats(12))
    whole = sft.run(recipe(sft, max_steps=2), ctx)
    ctx.keep("full-1", whole.model)
    assert (whole.model.base_id, whole.model.parent_id) == (BASE, None)
    adapter = sft.run(recipe(sft, model="full-1", tuning="lora", max_steps=2), ctx)
    assert (adapter.model.base_id, adapter.model.parent_id) == ("full-1", None)
    files = ctx.keep("adapter-1", adapter.model)
    assert files.base == ctx.folder / "model"
    reply = Answerer(files.base).answer(files, [user("Say 1")], max_new_tokens=3)
    assert reply[0].tokens > 0


def test_from_an_adapter_training_starts_at_the_adapters_loss(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, chats(12), chats(16)[12:])
    adapter = sft.run(recipe(sft, tuning="lora", learning_rate=5e-3, max_steps=3), ctx)
    ctx.keep("adapter-1", adapter.model)
    whole = sft.run(recipe(sft, model="adapter-1", max_steps=2), ctx)
    reached = adapter.result.best_held_out_loss
    assert whole.result.first_held_out_loss == pytest.approx(reached, rel=1e-3)
    assert (whole.model.base_id, whole.model.parent_id) == (BASE, "adapter-1")


def test_lora_settings_are_refused_with_all_weights(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, chats(3))
    with pytest.raises(UserError, match="the lora settings would change nothing"):
        sft.prepare(recipe(sft, lora={"r": 4}), ctx)
