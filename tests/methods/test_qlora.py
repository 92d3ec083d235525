"""LoRA over a base in 4 bits, on this machine's processor too."""

import pytest

from engine.core import extras
from engine.core.errors import UserError
from engine.methods import dpo, kto, sft, weights
from engine.methods.rewarded import reward
from tests.methods.fake_context import BASE, MemoryContext, chats, marks, pairs

pytestmark = pytest.mark.train
ROWS = {sft: chats, dpo: pairs, kto: marks, reward: pairs}


def recipe(method, **values):
    given = {"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, "tuning": "qlora"}
    return method.Recipe(**{**given, **values})


@pytest.mark.parametrize("method", ROWS, ids=["sft", "dpo", "kto", "reward"])
def test_loss_falls_over_a_base_of_4_bits(method, tiny_model, tmp_path):
    pytest.importorskip("bitsandbytes")
    ctx = MemoryContext(tmp_path, tiny_model, ROWS[method](12))
    outcome = method.run(recipe(method, max_steps=3), ctx)
    assert ctx.metrics("loss")[-1] < ctx.metrics("loss")[0]
    assert outcome.model.kind == ("reward" if method is reward else "adapter")
    assert outcome.model.info["tuning"] == "qlora"


def test_base_is_in_4_bits_and_what_is_trained_in_float32(tiny_model, tmp_path):
    import torch

    bitsandbytes = pytest.importorskip("bitsandbytes")
    ctx = MemoryContext(tmp_path, tiny_model, chats(8))
    _, make = sft.prepare(recipe(sft), ctx)
    model = make([]).model
    weights.in_float32(model)
    squeezed = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(squeezed) == 2 * 7  # seven layers in each of two blocks
    assert {m.weight.quant_type for m in squeezed} == {"nf4"}
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_missing_extra_is_named(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    ctx = MemoryContext(tmp_path, tiny_model, chats(3))
    with pytest.raises(UserError, match=r"pip install 'tuneloop\[qlora\]'"):
        sft.prepare(recipe(sft), ctx)
