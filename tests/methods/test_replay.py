"""Replay: a batch of votes also learns from examples, in an order that a resume repeats."""

import pytest

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.core.recipe import read
from engine.core.replay_source import source
from engine.methods import dpo, kto
from engine.methods.replay import batch_of, drawn
from engine.methods.training_rows import Replay
from tests.methods.fake_context import BASE, MemoryContext, marks, pairs, user

pytestmark = pytest.mark.train

METHODS = [(dpo, pairs), (kto, marks)]
EXAMPLES = "examples"


def examples(number=7):
    """Answers of many lengths, so that another order would show in every loss."""
    return [
        Chat(messages=(*user(f"What {i}"), Message(role="assistant", content="so " * (1 + i % 5))))
        for i in range(number)
    ]


class TwoDatasets(MemoryContext):
    """Votes under any id, and examples of which the last two are held out."""

    at = None  # breaks off when this step was said

    def rows(self, dataset_id, split=None):
        if dataset_id != EXAMPLES:
            return super().rows(dataset_id, split)
        every = examples(9)
        rows = [
            Row(index=i, split="train" if i < 7 else "held_out", example=one)
            for i, one in enumerate(every)
        ]
        return [row for row in rows if split in (None, row.split)]

    def emit(self, kind, data, step=None):
        super().emit(kind, data, step)
        if kind == "metric" and step == self.at and "loss" in data:
            raise InterruptedError


def recipe(method, **values):
    given = {
        "model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0,
        "per_device_train_batch_size": 4, "replay_rows": 3, "replay_dataset": EXAMPLES, **values,
    }  # fmt: skip
    return method.Recipe(**given)


def trainer_of(method, asked, ctx):
    encoded, make = method.prepare(asked, ctx)
    return encoded, make([])


def first_batch(trainer):
    return trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


@pytest.mark.parametrize(("method", "rows"), METHODS)
def test_loss_and_gradient_of_a_batch_are_those_of_a_computation_by_hand(
    method, rows, tiny_model, tmp_path
):
    import torch

    ctx = TwoDatasets(tmp_path, tiny_model, rows(8))
    encoded, trainer = trainer_of(method, recipe(method, replay_weight=0.5), ctx)
    _, plain = trainer_of(method, recipe(method, replay_rows=0, replay_dataset=None), ctx)
    trained = [w for w in trainer.model.parameters() if w.requires_grad]
    torch.manual_seed(3)
    for weight in trained:  # away from the start, where half of a LoRA's gradients are zero
        weight.data += 0.02 * torch.randn_like(weight)
    for weight, other in zip(
        trained, (w for w in plain.model.parameters() if w.requires_grad), strict=True
    ):
        other.data.copy_(weight.data)
    inputs = first_batch(trainer)
    trainer.model.train()
    plain.model.train()
    found = trainer.compute_loss(trainer.model, inputs)

    parts = batch_of(drawn(encoded.replay, 0, trainer.args.seed), "cpu")
    logits = plain.model(
        input_ids=parts["input_ids"], attention_mask=parts["attention_mask"]
    ).logits
    replayed = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), parts["labels"][:, 1:].flatten(), ignore_index=-100
    )
    expected = plain.compute_loss(plain.model, inputs) + 0.5 * replayed
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert trainer._metrics["train"]["replay_loss"] == [pytest.approx(replayed.item(), abs=1e-5)]

    found.backward()
    expected.backward()
    theirs = [w.grad for w in plain.model.parameters() if w.requires_grad]
    for weight, gradient in zip(trained, theirs, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-5)

    trainer.model.eval()
    plain.model.eval()
    with torch.no_grad():  # what is held out is measured without replay
        held_out = trainer.compute_loss(trainer.model, inputs)
        torch.testing.assert_close(held_out, plain.compute_loss(plain.model, inputs))


@pytest.mark.parametrize(("method", "rows"), METHODS)
def test_resumed_run_replays_the_rows_of_an_unbroken_one(method, rows, tiny_model, tmp_path):
    asked = recipe(method, num_train_epochs=3, num_evals=3, trl={"gradient_accumulation_steps": 2})
    whole = TwoDatasets(tmp_path / "whole", tiny_model, rows(20), rows(24)[20:])
    expected = method.run(asked, whole)
    broken = TwoDatasets(tmp_path / "job", tiny_model, rows(20), rows(24)[20:])
    broken.at = 5
    with pytest.raises(InterruptedError):
        method.run(asked, broken)
    again = TwoDatasets(tmp_path / "job", tiny_model, rows(20), rows(24)[20:])
    outcome = method.run(asked, again)
    assert any(text.startswith("Going on from the checkpoint") for text in again.said())
    for name in ("loss", "eval_loss", "replay_loss"):
        assert again.metrics(name) == pytest.approx(whole.metrics(name), abs=1e-3)
    assert outcome.result.tokens == expected.result.tokens
    assert outcome.model.info["replay"] == {
        "dataset": EXAMPLES, "rows": 7, "each": 3, "weight": 1.0,
    }  # fmt: skip


def test_every_row_is_drawn_once_before_any_is_drawn_again():
    known = Replay("d", tuple({"input_ids": [n]} for n in range(7)), 3, 1.0)
    order = [row["input_ids"][0] for number in range(14) for row in drawn(known, number, 5)]
    for start in range(0, 42, 7):
        assert sorted(order[start : start + 7]) == list(range(7))
    assert order[:7] != order[7:14]
    assert drawn(known, 3, 5) == drawn(known, 3, 5)
    assert [drawn(known, n, 5) for n in range(9)] != [drawn(known, n, 6) for n in range(9)]


def test_held_out_examples_are_never_replayed(tiny_model, tmp_path):
    ctx = TwoDatasets(tmp_path, tiny_model, pairs(8))
    encoded, _ = dpo.prepare(recipe(dpo), ctx)
    assert len(encoded.replay.rows) == 7
    assert len(ctx.rows(EXAMPLES)) == 9


def test_checkpoint_of_a_run_belongs_to_what_it_replayed(tiny_model, tmp_path):
    ctx = TwoDatasets(tmp_path, tiny_model, pairs(8))
    encoded, _ = dpo.prepare(recipe(dpo), ctx)
    assert len(encoded.all_rows()) == 8 + 7


def test_dataset_to_replay_is_that_of_the_nearest_sft_of_the_lineage(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, [])
    base = ctx.model(BASE).model
    change = base.model_copy
    known = {
        BASE: base,
        "first": change(update={"id": "first", "base_id": BASE, "dataset_id": "old",
                                "info": {"method": "sft"}}),
        "second": change(update={"id": "second", "base_id": BASE, "parent_id": "first",
                                 "dataset_id": "new", "info": {"method": "sft"}}),
        "voted": change(update={"id": "voted", "base_id": BASE, "parent_id": "second",
                                "dataset_id": "votes", "info": {"method": "dpo"}}),
        "whole": change(update={"id": "whole", "base_id": "first", "dataset_id": "votes",
                                "info": {"method": "dpo"}}),
    }  # fmt: skip
    none = {"replay_dataset": None}
    assert source(recipe(dpo, model="voted", **none), known.__getitem__) == "new"
    assert source(recipe(dpo, model="whole", **none), known.__getitem__) == "old"
    assert source(recipe(dpo, model="voted"), known.__getitem__) == EXAMPLES
    with pytest.raises(UserError, match="Nothing to replay"):
        source(recipe(dpo, **none), known.__getitem__)


def test_settings_of_replay_without_replayed_rows_are_refused():
    with pytest.raises(UserError, match="change nothing without replay_rows"):
        read(dpo.Recipe, {"model": "m", "dataset": "d", "replay_dataset": "e"})
    with pytest.raises(UserError, match="change nothing without replay_rows"):
        read(kto.Recipe, {"model": "m", "dataset": "d", "replay_weight": 2})
