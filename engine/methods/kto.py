"""Kahneman-Tversky optimisation (answers marked good or bad): its options and defaults."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Example, Kind, Preference, Unpaired
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.json_object import JsonObject
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, ReplayRecipe
from engine.methods import replay, training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import Columns, EncodedDataset, EncodedRow
from engine.models.chat_template import Template

TITLE = "KTO"
SUMMARY = "The model learns from single answers that people marked good or bad."

UNEVEN = 1.33  # Ethayarajh et al. 2024, equation 8: the weighted sums should differ by no more


class Recipe(ReplayRecipe):
    """Make good answers likelier and bad ones rarer; the model it starts from is the reference."""

    KIND: ClassVar[str] = "kto"
    CONFIG: ClassVar[str] = "trl.trainer.kto_config.KTOConfig"
    HAS_REFERENCE: ClassVar[bool] = True
    LEARNS: ClassVar[tuple[Kind, ...]] = ("unpaired",)
    FEWEST_HELD_OUT: ClassVar[int] = FEWEST_HELD_OUT_PAIRS
    TRL: ClassVar[JsonObject] = {"train_sampling_strategy": "sequential"}
    IDLE: ClassVar[dict[str, str]] = {
        "train_sampling_strategy": "each answer is compared with the others of its batch, so the "
        "batches are drawn once, at random, before the training"
    }

    learning_rate: float = Field(
        2e-5, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    per_device_train_batch_size: int = Field(
        8,
        ge=2,
        le=512,
        description="Rows in one step; each is compared with the others of its batch",
    )
    beta: float = Field(
        0.1, gt=0, description="Strength of the pull to the reference model; higher changes less"
    )
    loss_type: Literal["kto", "apo_zero_unpaired"] = Field(
        "kto", description="kto, or apo_zero_unpaired where good answers beat the model's own"
    )
    desirable_weight: float = Field(1.0, ge=0, description="Weight of an answer marked good")
    undesirable_weight: float = Field(1.0, ge=0, description="Weight of an answer marked bad")


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the lowest held-out loss of the run.

    From an adapter, a frozen copy of it is the reference; from a base, the base is.
    """
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their KTOTrainer; says so when good and bad are out of balance."""
    from trl import KTOConfig, KTOTrainer

    class Trainer(KTOTrainer):
        """KTOTrainer over rows that are tokens already, in an order drawn once."""

        def _prepare_dataset(self, dataset: Any, _: Any, args: Any, name: str) -> Any:
            if name == "train":
                dataset = dataset.shuffle(seed=args.seed)
            rows = args.per_device_train_batch_size
            strangers = _strangers(dataset["completion_ids"], rows)
            return dataset.add_column("KL_completion_ids", strangers)

    replayed = replay.read(recipe, ctx)
    trainer = replay.replaying(Trainer, replayed)
    encoded, make = training.prepare(
        recipe, ctx, KTOConfig, trainer, encode_row, held_to_start=True
    )
    for text in _remarks(recipe, encoded):
        ctx.emit("log", {"text": text})
    return encoded._replace(replay=replayed), make


def _strangers(answers: list[list[int]], rows: int) -> list[list[int]]:
    """For every row the answer of another row of its batch, as in TRL.

    A last row that is alone gets the one before it: its own would measure no distance at all.
    """
    found: list[list[int]] = []
    for start in range(0, len(answers), rows):
        batch = answers[start : start + rows]
        found += [batch[-1], *batch[:-1]] if len(batch) > 1 else [answers[start - 1]]
    return found


def _remarks(recipe: Recipe, encoded: EncodedDataset) -> list[str]:
    good = sum(row["label"] is True for row in encoded.train)
    bad = len(encoded.train) - good
    if not good or not bad:
        marked = "bad" if bad else "good"
        return [f"All rows are marked {marked}: the model learns more from both kinds."]
    ratio = good * recipe.desirable_weight / max(bad * recipe.undesirable_weight, 1e-9)
    if 1 / UNEVEN <= ratio <= UNEVEN:
        return []
    advice = round(bad * recipe.undesirable_weight / good, 2)
    return [f"{good} good and {bad} bad answers: desirable_weight {advice} would balance them."]


def encode_row(template: Template, example: Example, max_length: int) -> EncodedRow:
    if not isinstance(example, Unpaired):
        raise UserError(
            f"KTO learns from answers marked good or bad, not from {example.kind} rows.",
            "Choose another dataset, or DPO for pairs of answers.",
        )
    # a pair with nothing on its other side: cut and tokenised exactly as in DPO
    pair = template.encode_pair(
        Preference(prompt=example.prompt, chosen=example.completion, rejected=""), max_length
    )
    if not pair.chosen_ids:
        return EncodedRow(None, True)
    columns: Columns = {
        "prompt_ids": pair.prompt_ids,
        "completion_ids": pair.chosen_ids,
        "label": example.label,
        "length": len(pair.prompt_ids) + len(pair.chosen_ids),
    }
    return EncodedRow(columns, pair.truncated)
