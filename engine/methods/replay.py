"""Replay: each batch of a preference method also learns from examples of an earlier training.

Votes say which answer is better, not what is true: what the start model learned from examples can
fade while it learns a style. The loss of a batch is that of the method plus `weight` times the mean
negative log-likelihood (nats a token) of some rows of those examples, on their answers alone.
"""

import random
from typing import Any, TypedDict, cast

from engine.core.errors import UserError
from engine.core.job_context import Context
from engine.core.recipe import ReplayRecipe
from engine.core.replay_source import source
from engine.methods.sft import encode_row
from engine.methods.training_rows import Columns, Replay
from engine.models.chat_template import Template
from engine.models.template_use import TemplateTally


class ReplayBatch(TypedDict):
    """Tensors of rows by tokens."""

    input_ids: Any
    attention_mask: Any
    labels: Any


def read(recipe: ReplayRecipe, ctx: Context) -> Replay | None:
    """The rows that are replayed, never held-out ones; None where the recipe asks for none."""
    if not recipe.replay_rows:
        return None
    dataset = source(recipe, lambda model_id: ctx.model(model_id).model)
    template = Template.load(ctx.model(recipe.model).base)
    tally = TemplateTally(template)
    rows: list[Columns] = []
    for row in ctx.rows(dataset, "train"):
        if tally.add(row.example, row.index + 1):
            found = encode_row(template, row.example, recipe.max_length)
            rows += [found.columns, *found.rest] if found.columns is not None else []
    if not rows:
        raise UserError(
            f"No row to replay has an answer within {recipe.max_length} tokens.",
            "Raise max_length, choose another replay_dataset, or set replay_rows to 0.",
        )
    text = (
        f"Each batch also learns from {recipe.replay_rows} of {len(rows)} rows of the dataset "
        f"{dataset}; the training loss includes them, the held-out loss does not."
    )
    ctx.emit("log", {"text": text})
    return Replay(dataset, tuple(rows), recipe.replay_rows, recipe.replay_weight)


def replaying(trainer_class: type, replay: Replay | None, fused: bool = True) -> type:
    """`trainer_class` with the replayed rows in its training loss; itself where there are none.

    `fused`: its model was given TRL's forward, which scores the answers' tokens alone.
    """
    if replay is None:
        return trainer_class
    known = replay

    class Replaying(trainer_class):
        """Adds the loss of replayed rows to each batch that is learned from."""

        _replay_place = (-1, 0)  # the step, and the batches of it that were learned from

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, *more: Any, **named: Any
        ) -> Any:
            found = super().compute_loss(model, inputs, return_outputs, *more, **named)
            if not self.model.training:
                return found
            step, batch = self.state.global_step, 0
            if self._replay_place[0] == step:
                batch = self._replay_place[1]
            self._replay_place = (step, batch + 1)
            number = step * self.args.gradient_accumulation_steps + batch
            loss = self._replay_loss(model, drawn(known, number, self.args.seed))
            self._metrics["train"]["replay_loss"].append(loss.item())
            if return_outputs:
                return found[0] + known.weight * loss, found[1]
            return found + known.weight * loss

        def _replay_loss(self, model: Any, rows: list[Columns]) -> Any:
            parts = batch_of(rows, self.accelerator.device)
            self._total_train_tokens += int(parts["attention_mask"].sum())
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
            if not fused:
                return model(**parts, use_cache=False).loss
            wanted = parts["labels"][:, 1:] != -100
            output = model(**parts, use_cache=False, fused_lm_head=True)
            log_probs = output.log_probs[:, -wanted.shape[1] :]  # without virtual tokens of PEFT
            return -(log_probs * wanted).sum() / wanted.sum().clamp(min=1)

    return Replaying


def drawn(replay: Replay, number: int, seed: int) -> list[Columns]:
    """The rows of batch `number`: all rows once in a drawn order, then in another.

    It depends on nothing else, so a run that goes on from a checkpoint draws what it would have.
    """
    rows, total = [], len(replay.rows)
    order, at = [0], -1
    for place in range(number * replay.each, (number + 1) * replay.each):
        if place // total != at:
            at = place // total
            order = random.Random(f"{seed} {at}").sample(range(total), total)
        rows.append(replay.rows[order[place % total]])
    return rows


def batch_of(rows: list[Columns], device: Any) -> ReplayBatch:
    """Token ids, mask and labels as tensors, filled up on the right."""
    import torch

    width = max(len(_ids(row, "input_ids")) for row in rows)

    def filled(name: str, rest: int) -> Any:
        lines = [_ids(row, name) for row in rows]
        return torch.tensor([ids + [rest] * (width - len(ids)) for ids in lines], device=device)

    lengths = torch.tensor([[len(_ids(row, "input_ids"))] for row in rows], device=device)
    mask = (torch.arange(width, device=device) < lengths).long()
    return {
        "input_ids": filled("input_ids", 0),
        "attention_mask": mask,
        "labels": filled("labels", -100),
    }


def _ids(row: Columns, name: str) -> list[int]:
    found = row[name]
    assert isinstance(found, list)
    return cast("list[int]", found)
