"""Triple preference optimisation: a pair and a better text that a person wrote, learned at once."""

import warnings
from typing import Any, ClassVar, Literal

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Example, Kind, Preference
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.json_object import number_in
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, ReplayRecipe
from engine.methods import dpo, replay, training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import EncodedDataset, EncodedRow
from engine.methods.weighted_pairs import weighing
from engine.models.chat_template import Template

TITLE = "TPO"
SUMMARY = "The model learns from pairs, and more strongly from the answers that raters improved."

SMOOTHED = frozenset({"sigmoid", "tpo-l"})


class Recipe(ReplayRecipe):
    """Learn improved answers as examples and prefer the chosen ones; no reference model holds it.

    Saeidi et al. 2024 (arXiv 2405.16681). Where nobody improved an answer, the chosen one is the
    example.
    """

    KIND: ClassVar[str] = "tpo"
    CONFIG: ClassVar[str] = "trl.experimental.tpo.tpo_config.TPOConfig"
    HAS_REFERENCE: ClassVar[bool] = True  # it refines a model that has seen examples, as DPO does
    LEARNS: ClassVar[tuple[Kind, ...]] = ("preference",)
    FEWEST_HELD_OUT: ClassVar[int] = FEWEST_HELD_OUT_PAIRS

    learning_rate: float = Field(
        5e-5, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    beta: float = Field(
        0.1, gt=0, description="Scale of the difference between chosen and rejected answer"
    )
    loss_type: Literal["sigmoid", "hinge", "ipo", "tpo-l"] = Field(
        "sigmoid", description="Loss of the pair; ipo and tpo-l take the mean over the tokens"
    )
    tpo_alpha: float = Field(
        1.0, ge=0, description="Weight of the improved answers beside the pairs; 0 for none"
    )


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the lowest held-out loss of the run."""
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their TPOTrainer; says how many answers were improved."""
    if recipe.loss_type not in SMOOTHED and number_in(recipe.trl, "label_smoothing", 0):
        raise UserError(
            f"label_smoothing has no effect with the loss {recipe.loss_type}.",
            f"Leave it out, or choose {' or '.join(sorted(SMOOTHED))} as loss_type.",
        )
    with warnings.catch_warnings(action="ignore"):  # that it may change is for programmers
        from trl.experimental.tpo import TPOConfig, TPOTrainer

    class Trainer(TPOTrainer):
        """TPOTrainer over rows that are tokens already; its own would tokenise them again."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    replayed = replay.read(recipe, ctx)
    trainer = replay.replaying(weighing(Trainer), replayed, fused=False)
    encoded, make = training.prepare(recipe, ctx, TPOConfig, trainer, encode_row)
    ctx.emit("log", {"text": _remark(encoded)})
    return encoded._replace(replay=replayed), make


def _remark(encoded: EncodedDataset) -> str:
    rows = len(encoded.train)
    improved = sum(row["reference_ids"] != row["chosen_ids"] for row in encoded.train)
    return (
        f"{improved} of {rows} pairs have a text that a rater improved; of the others the chosen "
        "answer is learned in its place."
    )


def encode_row(template: Template, example: Example, max_length: int) -> EncodedRow:
    """The tokens of a pair, as in DPO, and those of the text to learn beside it."""
    if not isinstance(example, Preference):
        raise UserError(
            f"TPO learns from preference pairs, not from {example.kind} rows.",
            "Rate some comparisons and turn them into pairs, or choose another dataset.",
        )
    found = dpo.encode_row(template, example, max_length)
    if found.columns is None:
        return found
    if example.improved is None:
        return found._replace(
            columns={**found.columns, "reference_ids": found.columns["chosen_ids"]}
        )
    gold = template.encode_pair(example.model_copy(update={"chosen": example.improved}), max_length)
    if gold.prompt_ids != found.columns["prompt_ids"]:  # a template that changes the prompt
        return EncodedRow(None, found.truncated)
    of_pair = found.columns["length"]
    assert isinstance(of_pair, int)
    length = max(of_pair, len(gold.prompt_ids) + len(gold.chosen_ids))
    columns = {**found.columns, "reference_ids": gold.chosen_ids, "length": length}
    return EncodedRow(columns, found.truncated or gold.truncated)
