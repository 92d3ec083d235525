"""Real training of the tiny model, first on answers and then on preferences."""

import shutil
from hashlib import sha256
from math import log

import pytest

from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.core.job_context import Cancelled
from engine.core.recipe import TrainRecipe
from engine.methods import dpo, kto, sft, tpo
from engine.methods.rewarded import reward
from engine.models.chat_template import Template
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs, user

pytestmark = pytest.mark.train


def recipe(method, model=BASE, **values) -> TrainRecipe:
    return method.Recipe(**{"model": model, "dataset": "d", "learning_rate": 5e-3, **values})


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """An SFT run: its context and its outcome."""
    ctx = MemoryContext(tmp_path_factory.mktemp("sft"), tiny_model, chats(24), chats(30)[24:])
    return ctx, sft.run(recipe(sft, num_train_epochs=3), ctx)


def files(folder):
    """What a run leaves for good; its checkpoints go once the outcome is stored."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith("checkpoints/"))


def held_out_loss(base, adapter, examples):
    """The mean loss of the answers, worked out without TRL."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter))
    template = Template.load(base)
    total = 0.0
    for example in examples:
        encoded = template.encode(example, 512)
        ids = torch.tensor([encoded.input_ids])
        labels = ids.masked_fill(torch.tensor([encoded.completion_mask]) == 0, -100)
        with torch.no_grad():
            total += float(model(input_ids=ids, labels=labels).loss)
    return total / len(examples)


def test_sft_lowers_both_losses_and_reports_progress(trained):
    ctx, outcome = trained
    result = outcome.result
    assert result.last_train_loss < result.first_train_loss
    assert result.best_held_out_loss < result.first_held_out_loss
    assert (result.steps, result.rows, result.held_out_rows) == (9, 24, 6)
    assert result.tokens == ctx.metrics("num_tokens")[-1] > 0
    assert len(ctx.metrics("loss")) == 9
    assert len(ctx.metrics("eval_loss")) == 1 + 5  # at the start, and every 2 of 9 steps
    for name in ("learning_rate", "grad_norm", "tokens_per_s"):
        assert len(ctx.metrics(name)) == 9
    done = [event.data["done"] for event in ctx.events if event.kind == "progress"]
    assert done == list(range(1, 10))
    assert outcome.model.base_id == BASE
    assert outcome.model.parent_id is None


def test_saved_adapter_holds_no_path_and_nothing_else_is_left(trained, tiny_model):
    ctx, _ = trained
    expected = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    assert files(ctx.folder) == expected
    assert str(tiny_model.parent) not in (ctx.folder / expected[0]).read_text()


def test_adapter_with_the_lowest_held_out_loss_is_the_one_kept(tiny_model, tmp_path):
    # held-out rows ask for something else, so they get worse as the training goes on
    other = [
        Chat(messages=(*user("Say 1"), Message(role="assistant", content="qqq zzz xxx")))
        for _ in range(2)
    ]
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(16), other)
    result = sft.run(recipe(sft, num_train_epochs=4, learning_rate=2e-2), ctx).result
    assert result.best_held_out_loss < result.last_held_out_loss
    loss = held_out_loss(tiny_model, ctx.folder / "adapter", other)
    assert loss == pytest.approx(result.best_held_out_loss, rel=1e-4)


def test_training_without_held_out_rows_says_what_is_missing(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8))
    result = sft.run(recipe(sft, max_steps=2), ctx).result
    assert result.best_held_out_loss is None
    assert any("No rows are held out" in text for text in ctx.said())
    assert files(ctx.folder) != []


def test_same_seed_gives_the_same_losses(trained, tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(30)[24:])
    sft.run(recipe(sft, num_train_epochs=3), ctx)
    assert ctx.metrics("loss") == trained[0].metrics("loss")


def test_sft_goes_on_from_an_adapter(trained, tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(30)[24:])
    ctx.add("first", trained[0].folder / "adapter")
    outcome = sft.run(recipe(sft, "first", max_steps=2, lora={"r": 2}), ctx)
    start = outcome.result.first_held_out_loss
    assert start == pytest.approx(trained[1].result.best_held_out_loss, rel=1e-4)
    assert (outcome.model.base_id, outcome.model.parent_id) == (BASE, "first")
    assert any("lora settings are not used" in text for text in ctx.said())


def test_dpo_starts_at_the_adapter_and_prefers_what_was_chosen(trained, tiny_model, tmp_path):
    adapter = trained[0].folder / "adapter"
    before = {name: sha256((adapter / name).read_bytes()).digest() for name in files(adapter)}
    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(16), pairs(20)[16:])
    ctx.add("first", adapter)
    outcome = dpo.run(recipe(dpo, "first", loss_type=["sigmoid"], learning_rate=1e-3), ctx)

    # equal to its reference, the adapter it started from: every margin is 0, so the loss is ln 2
    assert ctx.metrics("loss")[0] == pytest.approx(log(2), abs=1e-6)
    assert ctx.metrics("eval_loss")[0] == pytest.approx(log(2), abs=1e-6)
    assert ctx.metrics("rewards/margins")[0] == 0
    assert ctx.metrics("rewards/margins")[-1] > 0
    assert outcome.result.last_train_loss < log(2)
    assert outcome.model.parent_id == "first"
    assert files(ctx.folder) == [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    ]
    after = {name: sha256((adapter / name).read_bytes()).digest() for name in files(adapter)}
    assert after == before


def test_reference_of_dpo_is_the_adapter_and_not_the_base(trained, tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(4))
    ctx.add("first", trained[0].folder / "adapter")
    _, make = dpo.prepare(recipe(dpo, "first"), ctx)
    trainer = make([])
    batch = next(iter(trainer.get_train_dataloader()))
    reference = trainer.compute_ref_log_probs(trainer.model, batch)[0]
    with trainer.model.disable_adapter():
        base = trainer.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100),
            fused_lm_head=True,
            use_cache=False,
        )
    base = base.log_probs.sum(1).chunk(2)[0]
    assert list(trainer.model.peft_config) == ["default", "ref"]
    assert (reference - base).abs().min() > 1


def test_dpo_from_a_base_is_held_to_the_base_with_the_default_losses(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(8))
    outcome = dpo.run(recipe(dpo, max_steps=2), ctx)
    first, answer = ctx.metrics("loss")[0], -ctx.metrics("logps/chosen")[0] / 9  # 9 tokens each
    assert first == pytest.approx(log(2) + 0.2 * answer, rel=1e-4)
    assert outcome.model.parent_id is None


@pytest.mark.parametrize("held_out", [19, 20])
def test_fewer_than_20_held_out_pairs_choose_no_state(held_out, tiny_model, tmp_path):
    """They are measured all the same, and nothing is learned of them."""
    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(8), pairs(8 + held_out)[8:])
    few = held_out < 20
    result = dpo.run(recipe(dpo, max_steps=2, num_evals=2, samples=0), ctx).result
    assert (result.rows, result.held_out_rows, result.too_few_held_out) == (8, held_out, few)
    assert len(ctx.metrics("eval_loss")) == 3
    assert (result.best_step is None) == few
    told = [text for text in ctx.said() if "would choose a state by chance" in text]
    assert told == (
        [
            "19 rows are held out, fewer than 20: their loss would choose a state by chance, so "
            "the last one is kept."
        ]
        if few
        else []
    )


@pytest.mark.parametrize(
    ("method", "held_out"), [(sft, 1), (dpo, 20), (kto, 20), (tpo, 20), (reward, 20)]
)
def test_best_state_is_kept_from_so_many_held_out_rows_on(method, held_out):
    asked = recipe(method)
    assert asked.keeps_best(held_out)
    assert asked.keeps_best(held_out - 1) == (method is sft)
    assert not recipe(method, keep_best=False).keeps_best(1000)


def test_rows_that_are_cut_or_left_out_are_counted_and_reported(tiny_model, tmp_path):
    long_prompt = Chat(messages=(*user("x" * 200), Message(role="assistant", content="no")))
    long_answer = Chat(messages=(*user("x"), Message(role="assistant", content="no" * 100)))
    ctx = MemoryContext(tmp_path / "job", tiny_model, [*chats(4), long_prompt, long_answer])
    result = sft.run(recipe(sft, max_steps=1, max_length=100), ctx).result
    assert (result.rows, result.dropped, result.truncated) == (5, 1, 1)
    assert [text[:6] for text in ctx.said()[:3]] == ["5 rows", "1 rows", "1 rows"]


def test_training_without_learnable_rows_is_refused_before_it_starts(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(4))
    with pytest.raises(UserError, match="None of the 4 training rows"):
        sft.run(recipe(sft, max_length=16), ctx)


@pytest.mark.parametrize(("method", "rows"), [(sft, pairs(2)), (dpo, chats(2))])
def test_rows_of_another_kind_are_refused(method, rows, tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, rows)
    with pytest.raises(UserError, match="learns from"):
        method.run(recipe(method), ctx)


@pytest.mark.parametrize("held_out", [[], chats(2)])
def test_loss_of_nan_stops_the_training(held_out, tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    base = shutil.copytree(tiny_model, tmp_path / "broken")
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    ctx = MemoryContext(tmp_path / "job", base, chats(8), held_out)
    with pytest.raises(UserError, match=r"failed at step \d: its (eval_)?loss is nan") as caught:
        sft.run(recipe(sft), ctx)
    assert "learning_rate" in caught.value.fix
    assert files(ctx.folder) == []


def test_cancelled_training_stops_after_its_step_and_makes_no_model(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4), cancel_after=2)
    with pytest.raises(Cancelled):
        sft.run(recipe(sft, num_train_epochs=9), ctx)
    assert max(event.step for event in ctx.events if event.kind == "progress") == 2
    assert files(ctx.folder) == []
