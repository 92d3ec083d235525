"""Direct preference optimisation: prefer what people preferred; its options and defaults."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.core.errors import UserError
from engine.core.examples import Example, Kind, Preference
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.json_object import number_in
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, ReplayRecipe
from engine.methods import choice_sets, listwise, replay, training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import WEIGHT, Columns, EncodedDataset, EncodedRow
from engine.methods.weighted_pairs import weighing
from engine.models.chat_template import Template

TITLE = "Direct preference optimisation (DPO)"
SUMMARY = "The model learns from pairs which of two answers people preferred."

Loss = Literal[
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
    "plackett_luce",
]
LISTWISE: Loss = "plackett_luce"  # ours, not TRL's: see listwise.py
SMOOTHED: frozenset[Loss] = frozenset({"exo_pair", "robust", "aot", "aot_unpaired"})


class Recipe(ReplayRecipe):
    """Prefer the chosen answers. The model it starts from is the reference it is held to."""

    KIND: ClassVar[str] = "dpo"
    CONFIG: ClassVar[str] = "trl.trainer.dpo_config.DPOConfig"
    HAS_REFERENCE: ClassVar[bool] = True
    LEARNS: ClassVar[tuple[Kind, ...]] = ("preference",)
    FEWEST_HELD_OUT: ClassVar[int] = FEWEST_HELD_OUT_PAIRS

    learning_rate: float = Field(
        5e-5, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    beta: float = Field(
        0.1, gt=0, description="Strength of the pull to the reference model; higher changes less"
    )
    loss_type: list[Loss] = Field(
        default_factory=lambda: list[Loss](["sigmoid", "sft"]),
        min_length=1,
        description="Losses to add up; sft keeps the chosen answers likely, plackett_luce learns "
        "rankings as lists",
    )
    loss_weights: list[float] | None = Field(
        default_factory=lambda: [1.0, 0.2], description="Weight of each loss, in the same order"
    )

    @model_validator(mode="before")
    @classmethod
    def _weights_belong_to_their_losses(cls, values: Any) -> Any:
        """Whoever names other losses gets equal weights, not those of the default losses."""
        if isinstance(values, dict) and "loss_type" in values:
            return {"loss_weights": None, **values}
        return values

    @model_validator(mode="after")
    def _one_weight_a_loss(self) -> Self:
        if self.loss_weights is not None and len(self.loss_weights) != len(self.loss_type):
            raise ValueError(
                f"{len(self.loss_weights)} loss_weights for {len(self.loss_type)} losses"
            )
        return self

    @model_validator(mode="after")
    def _lists_stand_alone(self) -> Self:
        others = set(self.loss_type) - {LISTWISE, "sft"}
        if LISTWISE in self.loss_type and (others or self.loss_type.count(LISTWISE) > 1):
            raise ValueError(f"{LISTWISE} goes with sft alone, and once: it learns whole lists")
        return self


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The adapter with the lowest held-out loss of the run.

    From an adapter, a frozen copy of it is the reference; from a base, the base is.
    """
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their DPOTrainer."""
    in_lists = LISTWISE in recipe.loss_type
    if in_lists:
        listwise.refuse_idle(recipe.trl)
    _refuse_idle_smoothing(recipe)
    from trl import DPOConfig, DPOTrainer

    class Trainer(DPOTrainer):
        """DPOTrainer over rows that are tokens already; its own would tokenise them again."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    replayed = replay.read(recipe, ctx)
    trainer = listwise.learning_lists(Trainer) if in_lists else weighing(Trainer)
    encoded, make = training.prepare(
        recipe, ctx, DPOConfig, replay.replaying(trainer, replayed), encode_row,
        held_to_start=True, arrange=choice_sets.of_both if in_lists else None,
    )  # fmt: skip
    if in_lists:
        ctx.emit("log", {"text": choice_sets.remark(encoded.train)})
    return encoded._replace(replay=replayed), make


def _refuse_idle_smoothing(recipe: Recipe) -> None:
    """TRL takes label_smoothing with any loss and silently ignores it with most."""
    idle = [loss for loss in recipe.loss_type if loss not in SMOOTHED and loss != "sft"]
    if not number_in(recipe.trl, "label_smoothing", 0):
        return
    if idle or not SMOOTHED.intersection(recipe.loss_type):
        raise UserError(
            f"label_smoothing has no effect with the loss {' + '.join(recipe.loss_type)}.",
            f"Leave it out, or choose one of {', '.join(sorted(SMOOTHED))} as loss_type.",
        )


def encode_row(template: Template, example: Example, max_length: int) -> EncodedRow:
    if not isinstance(example, Preference):
        raise UserError(
            f"DPO learns from preference pairs, not from {example.kind} rows.",
            "Rate some comparisons and turn them into pairs, or choose another dataset.",
        )
    pair = template.encode_pair(example, max_length)
    if pair.dropped:
        return EncodedRow(None, pair.truncated)
    length = len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids))
    columns: Columns = {
        "prompt_ids": pair.prompt_ids,
        "chosen_ids": pair.chosen_ids,
        "rejected_ids": pair.rejected_ids,
        "length": length,
    }
    if example.weight != 1:  # without it a row has the hash of earlier versions
        columns[WEIGHT] = example.weight
    return EncodedRow(columns, pair.truncated)
