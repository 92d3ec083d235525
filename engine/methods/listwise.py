"""DPO on rankings by the likelihood of Plackett and Luce; TRL has losses of pairs alone.

With s = beta * (log p - log p of the reference) for each answer, the loss of a choice set is
logsumexp of s over the set less s of the answer that was chosen. Of two answers it is DPO's
sigmoid loss.
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from engine.core.errors import UserError
from engine.methods.training_rows import WEIGHT

SIZES = "set_sizes"  # rejected answers of each row of a batch
IDLE = (
    "discopop_tau", "f_alpha_divergence_coef", "f_divergence_type", "label_smoothing", "ld_alpha",
    "precompute_ref_batch_size", "precompute_ref_log_probs", "use_weighting",
)  # fmt: skip


class ChoiceRow(TypedDict):
    """A choice set as a table hands it to the collator."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_sets: list[list[int]]
    pair_weight: NotRequired[float]


def refuse_idle(trl: Mapping[str, object]) -> None:
    """UserError for an option of TRL that changes nothing here, or cannot work with lists."""
    for name in IDLE:
        if name in trl:
            raise UserError(
                f"{name} has no effect with the loss plackett_luce.",
                "Leave it out of trl, or choose a loss of pairs.",
            )


def set_losses(scores: Any, sizes: list[int]) -> Any:
    """The negative log-likelihood of each choice, in nats.

    `scores` are those of the chosen answers of all sets, then those of the others, set by set;
    `sizes` how many others each set has.
    """
    import torch

    count = len(sizes)
    table = scores.new_full((count, 1 + max(sizes)), float("-inf"))
    table[:, 0] = scores[:count]
    places = [(n, 1 + place) for n, size in enumerate(sizes) for place in range(size)]
    rows, columns = zip(*places, strict=True)
    table = table.index_put((torch.tensor(rows), torch.tensor(columns)), scores[count:])
    return table.logsumexp(1) - scores[:count]


def learning_lists(trainer_class: type) -> type:
    """`trainer_class`, a DPOTrainer, with this loss over rows that are choice sets."""

    class Listwise(trainer_class):
        """DPOTrainer whose batches hold one chosen answer and any number of others a row."""

        _weight_factor = 1.0  # 1 over the mean weight of the training rows

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self.data_collator = _collator(self._tokenizer.pad_token_id)
            if WEIGHT in self.train_dataset.column_names:
                weights = list(self.train_dataset[WEIGHT])
                self._weight_factor = len(weights) / sum(weights)

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            sizes, weights = inputs.pop(SIZES).tolist(), inputs.pop(WEIGHT)
            mask = inputs["completion_mask"][:, 1:].bool()
            labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
            asked = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            output = model(**asked, use_cache=False, labels=labels, fused_lm_head=True)
            log_probs = output.log_probs[:, -mask.shape[1] :]
            theirs = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            scores = self.beta * (log_probs.sum(1) - _all(theirs))
            factors = weights.to(scores) * self._weight_factor if self.model.training else 1.0
            losses = {"plackett_luce": (set_losses(scores, sizes) * factors).mean()}
            chosen = len(sizes)
            if "sft" in self.loss_types:
                losses["sft"] = -log_probs[:chosen][mask[:chosen]].mean()
            _log(self, inputs, output, scores.detach(), sizes)
            named = zip(self.loss_types, self.loss_weights, strict=True)
            loss = sum(losses[name] * weight for name, weight in named)
            return (loss, output) if return_outputs else loss

    return Listwise


def _all(both: Any) -> Any:
    """TRL hands back the rows of a batch in two halves."""
    import torch

    return torch.cat(both)


def _log(trainer: Any, inputs: Any, output: Any, scores: Any, sizes: list[int]) -> None:
    """TRL's numbers of a batch: margins and accuracy are those of the pairs in its sets."""
    import torch

    train = trainer.model.training
    found = trainer._metrics["train" if train else "eval"]
    chosen = scores[: len(sizes)]
    rejected = scores[len(sizes) :]
    margins = chosen.repeat_interleave(torch.tensor(sizes, device=scores.device)) - rejected
    found["rewards/chosen"].append(chosen.mean().item())
    found["rewards/rejected"].append(rejected.mean().item())
    found["rewards/margins"].append(margins.mean().item())
    found["rewards/accuracies"].append((margins > 0).float().mean().item())
    mask = inputs["completion_mask"][:, 1:].bool()
    entropy = output.entropy[:, -mask.shape[1] :].detach()
    found["entropy"].append(entropy[mask].mean().item())
    hits = output.is_top1[: len(sizes), -mask.shape[1] :]
    found["mean_token_accuracy"].append(hits[mask[: len(sizes)]].float().mean().item())
    if train:
        trainer._total_train_tokens += int(inputs["attention_mask"].sum())
    found["num_tokens"] = [trainer._total_train_tokens]


def _collator(pad: int) -> Any:
    """Rows to a batch: all chosen answers, then the others of each row, filled up on the right."""

    def collated(rows: list[ChoiceRow]) -> Any:
        import torch

        answers = [(row["prompt_ids"], row["chosen_ids"]) for row in rows]
        answers += [(row["prompt_ids"], each) for row in rows for each in row["rejected_sets"]]
        width = max(len(prompt) + len(answer) for prompt, answer in answers)

        def filled(parts: list[list[int]], rest: int) -> Any:
            return torch.tensor([part + [rest] * (width - len(part)) for part in parts])

        return {
            "input_ids": filled([[*prompt, *answer] for prompt, answer in answers], pad),
            "attention_mask": filled([[1] * (len(p) + len(a)) for p, a in answers], 0),
            "completion_mask": filled([[0] * len(p) + [1] * len(a) for p, a in answers], 0),
            SIZES: torch.tensor([len(row["rejected_sets"]) for row in rows]),
            WEIGHT: torch.tensor([row.get("pair_weight", 1.0) for row in rows]),
        }

    return collated
