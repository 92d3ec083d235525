"""The pairs of one ranking count as much as one pair in the gradient of DPO."""

from types import SimpleNamespace

import pytest

from engine.core.examples import Preference
from engine.methods import dpo
from engine.methods.training_rows import WEIGHT
from engine.methods.weighted_pairs import weighing
from tests.methods.fake_context import BASE, MemoryContext, user

pytestmark = pytest.mark.train


class Rows(list):
    """Rows as a table has them."""

    @property
    def column_names(self):
        return list(self[0])

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


class MeanTrainer:
    """The mean of a loss per row, as TRL takes it, over chosen and rejected rows."""

    def __init__(self, rows, model):
        self.train_dataset, self.model = Rows(rows), model
        self.data_collator = lambda rows: {"slopes": [row["slope"] for row in rows]}

    def _compute_loss(self, model, inputs, return_outputs):
        import torch

        log_probs = model(len(inputs["slopes"])).log_probs
        chosen, rejected = log_probs.sum(1).chunk(2)
        return (torch.tensor(inputs["slopes"]) * (rejected - chosen)).mean()


def gradient(rows, trainer_class):
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.each = torch.nn.Parameter(torch.zeros(2 * len(rows), 3))

        def forward(self, number):
            return SimpleNamespace(log_probs=self.each[: 2 * number] * 1.0)

    model = Model()
    trainer = trainer_class(rows, model)
    trainer._compute_loss(model, trainer.data_collator(rows), False).backward()
    return model.each.grad


def test_weighted_gradient_is_that_of_the_weighted_mean():
    weights, slopes = (1.0, 0.25, 0.25), (1.0, 2.0, 4.0)
    rows = [{WEIGHT: weight, "slope": slope} for weight, slope in zip(weights, slopes, strict=True)]
    plain, weighed = gradient(rows, MeanTrainer), gradient(rows, weighing(MeanTrainer))
    factors = [weight * 3 / sum(weights) for weight in weights]
    for n, factor in enumerate([*factors, *factors]):
        assert weighed[n].tolist() == pytest.approx((plain[n] * factor).tolist())


def test_equal_weights_change_nothing():
    rows = [{WEIGHT: 0.5, "slope": slope} for slope in (1.0, 2.0)]
    assert gradient(rows, weighing(MeanTrainer)).equal(gradient(rows, MeanTrainer))


def test_dpo_learns_from_pairs_of_different_weights(tiny_model, tmp_path):
    pairs = [
        Preference(prompt=user(f"ask {n}"), chosen="yes please", rejected="no", weight=weight)
        for n, weight in enumerate((1.0, 0.25, 0.25, 1.0, 0.5, 0.5, 1.0, 1.0))
    ]
    recipe = dpo.Recipe(model=BASE, dataset="votes", max_steps=2, samples=0, num_evals=1)
    found = dpo.run(recipe, MemoryContext(tmp_path, tiny_model, pairs, pairs[:2])).model
    assert found is not None
