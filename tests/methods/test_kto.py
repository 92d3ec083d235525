"""KTO on the tiny model: from single answers marked good or bad."""

import pytest

from engine.core.errors import UserError
from engine.core.recipe import read
from engine.methods import kto
from engine.models.chat_template import Template
from tests.methods.fake_context import BASE, MemoryContext, chats, marks

pytestmark = pytest.mark.train


def recipe(**values):
    return kto.Recipe(
        **{"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, **values}
    )


def context(tmp_path, tiny_model, number=12):
    return MemoryContext(tmp_path, tiny_model, marks(number), marks(number + 4)[number:])


def test_kto_lowers_its_loss_and_parts_good_from_bad(tiny_model, tmp_path):
    ctx = context(tmp_path, tiny_model)
    outcome = kto.run(recipe(max_steps=3), ctx)
    loss = ctx.metrics("loss")
    assert loss[0] == pytest.approx(0.5)  # 1 - sigmoid(0): the model is its own reference
    assert loss[-1] < loss[0]
    assert outcome.result.first_held_out_margin == 0
    assert outcome.result.held_out_margin > 0.05
    assert (outcome.model.kind, outcome.model.base_id) == ("adapter", BASE)


def test_tokens_are_those_of_the_preview(tiny_model, tmp_path):
    ctx = context(tmp_path, tiny_model)
    encoded, _ = kto.prepare(recipe(), ctx)
    shown = Template.load(tiny_model)
    row, example = encoded.train[1], marks(2)[1]
    assert row["prompt_ids"] == shown.prompt_ids(example.prompt)
    assert shown.decode(row["completion_ids"], False) == "yes, sir<|im_end|>"


def test_every_answer_is_measured_against_another_of_its_batch():
    answers = [[1], [2], [3], [4], [5]]
    assert kto._strangers(answers, 2) == [[2], [1], [4], [3], [4]]
    assert kto._strangers(answers, 3) == [[3], [1], [2], [5], [4]]


def test_rows_are_shuffled_once_by_the_seed(tiny_model, tmp_path):
    ctx = context(tmp_path, tiny_model)
    orders = []
    for seed in (1, 1, 2):
        _, make = kto.prepare(recipe(seed=seed), ctx)
        orders.append(make([]).train_dataset["label"])
    assert orders[0] == orders[1] != orders[2]
    assert sum(orders[0]) == 6


def test_kto_log_names_the_weight_that_would_balance_the_ratings(tiny_model, tmp_path):
    rows = [row for row in marks(16) if row.label or row.prompt[0].content in ("Say 0", "Say 2")]
    ctx = MemoryContext(tmp_path, tiny_model, rows)
    kto.prepare(recipe(), ctx)
    assert "8 good and 2 bad answers: desirable_weight 0.25 would balance them." in ctx.said()
    ctx = MemoryContext(tmp_path, tiny_model, [row for row in rows if row.label])
    kto.prepare(recipe(), ctx)
    assert any("All rows are marked good" in text for text in ctx.said())


def test_batch_of_one_and_rows_of_another_kind_are_refused(tiny_model, tmp_path):
    values = {"model": "m", "dataset": "d", "per_device_train_batch_size": 1}
    with pytest.raises(UserError, match="greater than or equal to 2"):
        read(kto.Recipe, values)
    with pytest.raises(UserError, match="not from sft rows"):
        kto.prepare(recipe(), MemoryContext(tmp_path, tiny_model, chats(3)))
