"""The head that scores only answers says what TRL's says, and gives the same gradient."""

import pytest

from engine.methods import lm_head
from engine.models import precision

pytestmark = pytest.mark.train


def models(folder, **changes):
    """Two equal models, one with TRL's head and one with ours, their vocabulary layer frozen."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    config = AutoConfig.from_pretrained(folder)
    for name, value in changes.items():
        setattr(config, name, value)
    pair = [AutoModelForCausalLM.from_pretrained(folder, config=config) for _ in range(2)]
    for model in pair:
        model.get_output_embeddings().weight.requires_grad_(False)
        add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    lm_head.score_answers_only(pair[1])
    return pair


def batch():
    import torch

    torch.manual_seed(1)
    ids = torch.randint(5, 90, (3, 40))
    return ids, ids.masked_fill(torch.rand(ids.shape) < 0.5, -100)


@pytest.mark.parametrize("rows", [lm_head.ROWS, 7])
def test_numbers_and_gradients_are_those_of_trl(rows, tiny_model, monkeypatch):
    import torch

    monkeypatch.setattr(lm_head, "ROWS", rows)
    ids, labels = batch()
    found = []
    for model in models(tiny_model):
        out = model(input_ids=ids, labels=labels, fused_lm_head=True)
        weights = torch.arange(out.log_probs.numel()).view_as(out.log_probs) / 50
        (out.log_probs * weights).sum().backward()
        gradient = model.model.layers[0].self_attn.q_proj.weight.grad
        found.append((out, gradient))
    (theirs, their_gradient), (ours, our_gradient) = found
    for name in ("loss", "log_probs", "entropy", "mean_logits"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert (ours.is_top1 == theirs.is_top1).all()
    assert (ours.label_mask == theirs.label_mask).all()
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-3, atol=1e-5)


def test_batch_without_any_label_gives_a_loss_of_zero_and_a_gradient_of_zero(tiny_model):
    import torch

    ids, labels = batch()
    _, model = models(tiny_model)
    out = model(input_ids=ids, labels=torch.full_like(labels, -100), fused_lm_head=True)
    out.log_probs.sum().backward()
    assert out.loss == 0
    assert not model.model.layers[0].self_attn.q_proj.weight.grad.any()


def test_model_that_scales_its_logits_keeps_the_head_of_trl(tiny_model):
    import torch

    ids, labels = batch()
    theirs, ours = (
        model(input_ids=ids, labels=labels, fused_lm_head=True).log_probs
        for model in models(tiny_model, logit_scale=0.5)
    )
    assert torch.equal(theirs, ours)


def test_narrow_models_are_trained_in_float32_everywhere(tiny_model):
    assert precision.width(tiny_model) < precision.NARROW
    assert precision.fast_bf16(precision.width(tiny_model)) is False


@pytest.mark.parametrize("asked", [True, False])
def test_recipes_bf16_decides_about_the_base_and_never_about_the_adapter(
    asked, tiny_model, tmp_path
):
    import torch

    from engine.methods import sft
    from tests.methods.fake_context import BASE, MemoryContext, chats

    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8), chats(2))
    recipe = sft.Recipe(model=BASE, dataset="d", max_steps=2, trl={"bf16": asked})
    _, make = sft.prepare(recipe, ctx)
    trainer = make([])
    kinds = {p.dtype for p in trainer.model.parameters() if not p.requires_grad}
    assert kinds == {torch.bfloat16 if asked else torch.float32}
    assert {p.dtype for p in trainer.model.parameters() if p.requires_grad} == {torch.float32}
    result = sft.run(recipe, ctx).result
    assert result.best_held_out_loss < result.first_held_out_loss * 1.01
