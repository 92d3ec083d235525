"""TPO on the tiny model: pairs, and the answers that raters improved."""

import pytest

from engine.core.errors import UserError
from engine.core.examples import Preference
from engine.methods import tpo
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs, user

pytestmark = pytest.mark.train
BETTER = "yes, sir, at once"


def recipe(**values):
    return tpo.Recipe(
        **{"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, **values}
    )


def rows(number, improved=BETTER):
    return [each.model_copy(update={"improved": improved}) for each in pairs(number)]


def trainer(ctx, **values):
    _, make = tpo.prepare(recipe(**values), ctx)
    return make([])


def loss_of(found):
    import torch

    found.model.eval()
    batch = next(iter(found.get_eval_dataloader()))
    with torch.no_grad():
        return found.compute_loss(found.model, found._prepare_inputs(batch)).item()


@pytest.mark.parametrize(
    "values",
    [{}, {"tpo_alpha": 0.0}, {"loss_type": "tpo-l", "beta": 2.0}, {"loss_type": "ipo"},
     {"loss_type": "hinge"}, {"trl": {"label_smoothing": 0.2}}],
    ids=["sigmoid", "no-examples", "tpo-l", "ipo", "hinge", "smoothed"],
)  # fmt: skip
def test_tpo_loss_is_that_of_trl_on_the_same_rows(tiny_model, tmp_path, values, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.experimental.tpo import TPOConfig, TPOTrainer

    examples = [*rows(3), *rows(2, "yes"), *pairs(3)]
    ctx = MemoryContext(tmp_path / "ours", tiny_model, examples, examples)
    ours = trainer(ctx, tuning="full", per_device_train_batch_size=8, **values)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    parts = ("prompt", "chosen", "rejected", "reference")
    table = Dataset.from_list(
        [
            {name: tokenizer.decode(row[f"{name}_ids"]) for name in parts}
            for row in ours.eval_dataset
        ]
    )
    asked = {"beta": 0.1, **values}
    asked |= asked.pop("trl", {})
    args = TPOConfig(
        output_dir=str(tmp_path / "theirs"), use_cpu=True, bf16=False, report_to="none",
        per_device_eval_batch_size=8, gradient_checkpointing=False, **asked,
    )  # fmt: skip
    theirs = TPOTrainer(
        AutoModelForCausalLM.from_pretrained(tiny_model, dtype="float32"), args,
        train_dataset=table, eval_dataset=table,
        processing_class=tokenizer,
    )  # fmt: skip
    assert loss_of(ours) == pytest.approx(loss_of(theirs), rel=1e-5)


def test_tpo_learns_the_improved_answers_and_parts_the_pair(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, rows(24), rows(44)[24:])
    outcome = tpo.run(recipe(max_steps=6), ctx)
    loss = ctx.metrics("loss")
    assert loss[-1] < loss[0]
    assert outcome.result.held_out_margin > outcome.result.first_held_out_margin
    assert (outcome.model.kind, outcome.model.base_id) == ("adapter", BASE)


def test_tpo_row_has_the_improved_answer_as_its_reference(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, [*rows(1), *pairs(2)[1:]])
    encoded, _ = tpo.prepare(recipe(), ctx)
    with_edit, without = encoded.train
    assert without["reference_ids"] == without["chosen_ids"]
    assert with_edit["reference_ids"] != with_edit["chosen_ids"]
    assert with_edit["length"] >= len(with_edit["prompt_ids"]) + len(with_edit["reference_ids"])
    assert any("1 of 2 pairs have a text that a rater improved" in text for text in ctx.said())


def test_weights_of_a_ranking_scale_the_gradient_of_all_three_parts(tiny_model, tmp_path):
    import torch

    def gradient(name, weights):
        examples = [
            Preference(prompt=user(f"ask {n}"), chosen="yes please", rejected="no", weight=weight)
            for n, weight in enumerate(weights)
        ]
        ctx = MemoryContext(tmp_path / name, tiny_model, examples)
        found = trainer(ctx, tuning="full", tpo_alpha=0.0, loss_type="hinge")
        found.model.train()
        batch = found.data_collator([*found.train_dataset])
        found.compute_loss(found.model, found._prepare_inputs(batch)).backward()
        return torch.cat([one.grad.flatten() for one in found.model.parameters()])

    plain, weighed = gradient("plain", (1.0, 1.0)), gradient("weighed", (1.0, 0.5))
    assert not torch.allclose(plain, weighed)
    first = gradient("first", (1.0, 0.000001))  # a mean over two rows of which one counts
    second = 2 * plain - first
    assert torch.allclose(weighed, (first * 2 + second) / 3, atol=1e-5)


def test_tpo_replays_examples_beside_the_pairs(tiny_model, tmp_path):
    class Both(MemoryContext):
        def rows(self, dataset_id, split=None):
            if dataset_id != "facts":
                return super().rows(dataset_id, split)
            return MemoryContext(tmp_path / "facts", tiny_model, chats(6)).rows("facts", split)

    ctx = Both(tmp_path, tiny_model, rows(8))
    tpo.run(recipe(max_steps=2, replay_rows=2, replay_dataset="facts"), ctx)
    assert ctx.metrics("replay_loss")


def test_smoothing_without_effect_and_rows_of_another_kind_are_refused(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, rows(4))
    with pytest.raises(UserError, match="label_smoothing has no effect with the loss hinge"):
        tpo.prepare(recipe(loss_type="hinge", trl={"label_smoothing": 0.1}), ctx)
    with pytest.raises(UserError, match="not from sft rows"):
        tpo.prepare(recipe(), MemoryContext(tmp_path / "chats", tiny_model, chats(3)))
