"""Weights of preference pairs: the pairs of one ranking count as much as one pair.

TRL's DPO takes the mean over the rows of a batch. Here the gradient of each row's log-probabilities
(of its scores, in TPO) is scaled by the row's weight, which is the gradient of the weighted mean,
whatever the losses. The loss that is shown stays the plain mean. Weights are divided by the mean
over the training rows, so the size of a step does not depend on how many pairs a ranking gave.
"""

from typing import Any

from engine.methods.training_rows import WEIGHT


def weighing(trainer_class: type) -> type:
    """`trainer_class` that applies the weights of its training rows, where they differ."""

    class Weighing(trainer_class):
        """Scales the gradient of each row of a batch that is learned from."""

        data_collator: Any
        _weight_factor = 0.0  # 1 over the mean weight; 0 where all rows weigh the same

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            rows = self.train_dataset
            weights = list(rows[WEIGHT]) if WEIGHT in rows.column_names else []
            if len(set(weights)) > 1:
                self._weight_factor = len(weights) / sum(weights)
                self.data_collator = _with_weights(self.data_collator)

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            weights = inputs.pop(WEIGHT, None)
            if weights is None or not self.model.training:
                return super()._compute_loss(model, inputs, return_outputs)
            factors = weights * self._weight_factor

            def scaled(_: Any, __: Any, output: Any) -> None:
                found = getattr(output, "log_probs", None)
                found = output.logits if found is None else found
                each = factors.repeat(len(found) // len(factors))  # chosen, rejected, further parts
                each = each.view(-1, *[1] * (found.dim() - 1))
                if found.requires_grad:
                    found.register_hook(lambda slope: slope * each.to(slope))

            hook = model.register_forward_hook(scaled)
            try:
                return super()._compute_loss(model, inputs, return_outputs)
            finally:
                hook.remove()

    return Weighing


def _with_weights(collate: Any) -> Any:
    """The collator, with the weights of its rows in the batch."""

    def collated(rows: list[dict[str, Any]]) -> Any:
        import torch

        batch = collate(rows)
        batch[WEIGHT] = torch.tensor([row.get(WEIGHT, 1.0) for row in rows])
        return batch

    return collated
