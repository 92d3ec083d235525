"""Votes as rows of their own: the mean loss of a pair's rows is DPO with a smoothed label."""

import pytest

from engine.core.examples import Message
from engine.methods import dpo
from engine.models.chat_template import Template
from engine.services.preferences import pair_rows
from engine.services.preferences.judgements import Item
from engine.services.preferences.rules import Rules, select_pairs
from engine.services.rating.vote_reading import Judgement
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train


def test_three_votes_to_one_are_the_cdpo_loss_with_a_smoothing_of_a_quarter(tiny_model, tmp_path):
    import torch
    from torch.nn.functional import logsigmoid

    votes = tuple(Judgement(str(n), side) for n, side in enumerate(("a", "a", "b", "a")))
    asked = (Message(role="user", content="Say it"),)
    item = Item(asked, "yes, of course", "no", ("c",), votes)
    rules = Rules(soft=True)
    examples = pair_rows.preferences(select_pairs([item], {item.question: "f"}, rules).pairs, rules)
    assert len(examples) == 4

    ctx = MemoryContext(tmp_path / "job", tiny_model, examples)
    recipe = dpo.Recipe(
        model=BASE, dataset="d", loss_type=["sigmoid"], per_device_train_batch_size=4, beta=0.3
    )
    trainer = dpo.prepare(recipe, ctx)[1]([])
    torch.manual_seed(7)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    trainer.model.eval()
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        found = trainer.compute_loss(trainer.model, batch).item()

    pair = Template.load(tiny_model).encode_pair(examples[0], 512)

    def logp(answer):
        ids = torch.tensor([pair.prompt_ids + answer])
        each = trainer.model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        start = len(pair.prompt_ids)
        return each[range(start - 1, ids.shape[1] - 1), ids[0, start:]].sum()

    def margin():
        return logp(pair.chosen_ids) - logp(pair.rejected_ids)

    with torch.no_grad():
        policy = margin()
        with trainer.model.disable_adapter():
            reference = margin()
    edge = 0.3 * (policy - reference)
    assert edge.abs() > 0.05  # else any smoothing would give the same loss
    expected = -0.75 * logsigmoid(edge) - 0.25 * logsigmoid(-edge)
    assert found == pytest.approx(expected.item(), abs=1e-5)
