"""Recipes: what the parameters of all jobs share; a method's own defaults stand in its module.

A recipe's fields drive the form, the YAML file and the command line's --set. Curated names
are upstream's own; None means upstream's default. `lora` and `trl` are handed to PEFT and TRL
unchanged, after a strict check against their dataclasses (engine/methods/library_options.py).
Fields of one method, such as beta, and their defaults stand in its module in engine/methods.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from math import ceil
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from engine.core.actor import Role
from engine.core.errors import UserError, quoted
from engine.core.examples import Kind
from engine.core.json_object import JsonObject

FEWEST_HELD_OUT_PAIRS = 20  # below, a few pairs would choose the state by chance
LORA_RANK = 16
MOST_SEED = 2**32 - 1  # as numpy, and with it transformers, takes


def lora_defaults(**more: JsonValue) -> JsonObject:
    """LoRA options where a recipe names none, with `more` of a method."""
    usual: JsonObject = {"r": LORA_RANK, "lora_alpha": 2 * LORA_RANK}
    return {**usual, "target_modules": "all-linear", **more}


class RefKind(StrEnum):
    """What a recipe may refer to by its id."""

    DATASET = "dataset"
    MODEL = "model"
    EVALUATION = "evaluation"


class Ref(NamedTuple):
    """The id of something that must exist in the job's project."""

    kind: RefKind
    id: str


class Recipe(BaseModel):
    """Parameters of one job. Unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    KIND: ClassVar[str]
    LANE: ClassVar[str] = "compute"
    TRAINS: ClassVar[bool] = False  # whether it makes a model and writes checkpoints on the way
    ANSWERS: ClassVar[bool] = False  # whether its models write answers; a reward model can't
    ROLE: ClassVar[Role] = Role.TRAINER  # who may start such jobs; see `role`
    GOES_ON: ClassVar[bool] = False  # whether a second attempt begins where a killed one stopped

    def role(self) -> Role:
        """Who may start this very job: checked whenever it is handed in, a repeated one too."""
        return self.ROLE

    def needs(self) -> list[Ref]:
        """The datasets, models and evaluations it refers to: checked when the job is submitted."""
        return []

    def nested_trainings(self) -> list["TrainRecipe"]:
        """The trainings that this job will run, as far as they are known: checked before it starts.

        UserError where their settings are none.
        """
        return []

    @classmethod
    def completed(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        """`values` as a person wrote them, with the defaults that they leave to the recipe."""
        return values


R = TypeVar("R", bound=Recipe)
T = TypeVar("T")
Tuning = Literal["lora", "qlora", "full"]
DEFAULT_EPOCHS, MOST_EPOCHS = 2.0, 6.0
LEAST_STEPS = 30  # fewer leave a model nearly as it was


RENAMED = {"evals": "num_evals"}  # fields of trainings in 0.1.0


def current_names(values: Mapping[str, T]) -> dict[str, T]:
    """`values` of a training with today's field names; a name that is given twice stays."""
    return {
        RENAMED[name] if name in RENAMED and RENAMED[name] not in values else name: value
        for name, value in values.items()
    }


class TrainRecipe(Recipe):
    """What every training method asks of its user."""

    TRAINS: ClassVar[bool] = True
    HAS_REFERENCE: ClassVar[bool] = False  # whether it is held to the model it starts from
    LEARNS: ClassVar[tuple[Kind, ...]] = ()  # kinds of dataset it learns from
    CONFIG: ClassVar[str] = ""  # TRL's class of options, by the module that defines it
    NOT_TRL_FIELDS: ClassVar[frozenset[str]] = frozenset()  # its own that TRL's config has not
    TRL: ClassVar[JsonObject] = {}  # options of TRL that this method needs
    IDLE: ClassVar[dict[str, str]] = {}  # options that would change nothing here, and why
    BEST: ClassVar[str] = "eval_loss"  # decides which state is kept; any other is better higher
    FEWEST_HELD_OUT: ClassVar[int] = 0  # rows below which no state is chosen by them

    model: str = Field(description="The base model or adapter that training starts from")
    dataset: str = Field(
        description="The dataset version to train on; its held-out rows are only evaluated"
    )
    tuning: Tuning = Field(
        "lora",
        description="Which weights change: an adapter (lora), an adapter over a base quantized to "
        "4 bits (qlora, least memory), or all weights (full, most memory)",
    )
    num_train_epochs: float = Field(
        DEFAULT_EPOCHS,
        gt=0,
        le=100,
        description="How often training goes over all rows; more can overfit",
    )
    max_steps: int | None = Field(
        None, ge=1, description="Stop after this many steps, whatever the number of epochs"
    )
    learning_rate: float = Field(
        2e-4, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    per_device_train_batch_size: int = Field(
        8, ge=1, le=512, description="Rows in one step; larger needs more memory"
    )
    max_length: int = Field(
        512, ge=16, le=131072, description="Longest row, in tokens; longer rows are truncated"
    )
    num_evals: int = Field(
        6, ge=1, le=100, description="How often the held-out loss is measured during training"
    )
    early_stopping_patience: int | None = Field(
        None,
        ge=1,
        description="Stop after this many held-out measurements without a new best",
    )
    keep_best: bool = Field(
        True, description="Keep the checkpoint with the best held-out score, not the last one"
    )
    samples: int = Field(
        2,
        ge=0,
        le=4,
        description="Held-out prompts that the model answers at each measurement; 0 for none",
    )
    evaluate_after: bool = Field(
        True, description="Evaluate the new model and the one it started from on held-out rows"
    )
    seed: int = Field(
        42, ge=0, le=MOST_SEED, description="The same data and seed give the same result"
    )
    trackers: list[str] = Field(
        default_factory=list,
        description="Experiment trackers that also record this training",
    )
    lora: JsonObject = Field(
        default_factory=lora_defaults,
        description="LoRA options, under PEFT's own names; what is not named keeps its "
        "default here, and null takes a default away",
    )
    trl: JsonObject = Field(default_factory=dict, description="More options, under TRL's own names")

    def keeps_best(self, held_out: int) -> bool:
        """Whether the best of the measured states is kept, with this many rows held out."""
        return self.keep_best and held_out >= self.FEWEST_HELD_OUT

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return current_names(values) if isinstance(values, Mapping) else values

    def needs(self) -> list[Ref]:
        """The model and the dataset."""
        return [Ref(RefKind.MODEL, self.model), Ref(RefKind.DATASET, self.dataset)]

    def nested_trainings(self) -> list["TrainRecipe"]:
        """Itself alone."""
        return [self]

    @classmethod
    def completed(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        """`values` with the LoRA defaults that they do not name; null takes one of them away."""
        written = values.get("lora")
        if not isinstance(written, Mapping):
            return values
        default = cls.model_fields["lora"].get_default(call_default_factory=True)
        merged = {**default, **written}
        return {**values, "lora": {name: v for name, v in merged.items() if v is not None}}

    @property
    def rows_per_step(self) -> int:
        """Rows that one step learns from: the batch size times TRL's accumulation."""
        times = self.trl.get("gradient_accumulation_steps")
        return self.per_device_train_batch_size * (times if isinstance(times, int) and times else 1)


class ReplayRecipe(TrainRecipe):
    """A training on votes that can also learn from the examples of an earlier training."""

    NOT_TRL_FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"replay_rows", "replay_weight", "replay_dataset"}
    )

    replay_rows: int = Field(
        0,
        ge=0,
        le=512,
        description="Examples added to each batch, so that facts are kept while a style is "
        "learned; 0 for none",
    )
    replay_weight: float = Field(
        1.0, gt=0, le=100, description="Weight of the loss of these examples beside that of votes"
    )
    replay_dataset: str | None = Field(
        None,
        description="The dataset version these examples come from; empty for the one that the "
        "start model learned from",
    )

    @model_validator(mode="after")
    def _replay_has_an_effect(self) -> Self:
        if not self.replay_rows and (self.replay_dataset or self.replay_weight != 1):
            raise ValueError("replay_dataset and replay_weight change nothing without replay_rows")
        return self

    def needs(self) -> list[Ref]:
        """The model, the dataset and the replayed dataset where it is named."""
        named = [Ref(RefKind.DATASET, self.replay_dataset)] if self.replay_dataset else []
        return [*super().needs(), *named]


def default_epochs(rows: int, batch: int = 8) -> float:
    """How often to go over so many training rows: as 30 steps take, 2 times at least, 6 at most."""
    steps = ceil(max(1, rows) / batch)
    return min(MOST_EPOCHS, max(DEFAULT_EPOCHS, float(ceil(LEAST_STEPS / steps))))


def read(recipe: type[R], values: Mapping[str, object]) -> R:
    """What a person wrote as a recipe; options inside `lora` are added to its defaults.

    UserError names each wrong field, and the field it was meant to be.
    """
    return read_exact(recipe, recipe.completed(values))


def read_exact(recipe: type[R], values: Mapping[str, object]) -> R:
    """Values that say everything, as a recipe: of a form, or of a recipe that was stored."""
    try:
        return recipe.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(recipe, error), "Correct it and start again.") from None


def put(
    values: JsonObject, name: str, value: JsonValue, recipe: type[Recipe] | None = None
) -> None:
    """Set `name` in `values`; `lora.r` sets r inside lora and leaves what else is there.

    Where `values` has no lora, the rest of it are the defaults of `recipe`, if that is given.
    """
    field, _, inside = name.partition(".")
    if not inside:
        values[field] = value
        return
    known = recipe.model_fields.get(field) if recipe else None
    default = known.get_default(call_default_factory=True) if known else {}
    held = values.get(field, default)
    within = dict(held) if isinstance(held, dict) else {}
    put(within, inside, value)
    values[field] = within


def _explain(recipe: type[Recipe], error: ValidationError) -> str:
    parts = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        if not item["loc"]:
            parts.append(item["msg"].removeprefix("Value error, "))
        elif item["type"] == "extra_forbidden":
            parts.append(f"{recipe.KIND} has no setting {name!r}{_nearest(recipe, name)}")
        elif item["type"] == "missing":
            parts.append(f"{name!r} is missing")
        else:
            given = quoted(item["input"])
            parts.append(f"{name!r} is {given}: {item['msg'].lower()}")
    return "; ".join(parts) + "."


def _nearest(recipe: type[Recipe], name: str) -> str:
    close = get_close_matches(name, recipe.model_fields, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
