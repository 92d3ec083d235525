"""What RLOO and GRPO share: the model answers prompts, and a reward rates each answer."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from engine import plugins
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Kind, Message, Prompt
from engine.core.job_context import Context
from engine.core.json_object import JsonObject, number_in
from engine.core.recipe import Ref, RefKind, TrainRecipe
from engine.methods import training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import EncodedDataset, EncodedRow
from engine.models.chat_template import Template

Messages = tuple[Message, ...]
# (prompts, answers, references) -> a reward for each answer
Reward = Callable[[Sequence[Messages], Sequence[str], Sequence[tuple[str, ...]]], list[float]]


class OnlineRecipe(TrainRecipe):
    """What both methods ask of their user."""

    HAS_REFERENCE: ClassVar[bool] = True
    LEARNS: ClassVar[tuple[Kind, ...]] = ("prompts", "sft")
    NOT_TRL_FIELDS: ClassVar[frozenset[str]] = frozenset({"reward", "max_length"})
    # one answer to each held-out prompt is enough to see where the reward goes
    TRL: ClassVar[JsonObject] = {"num_generations_eval": 1}
    IDLE: ClassVar[dict[str, str]] = {
        "train_sampling_strategy": "prompts are repeated for their answers in an order of TRL's own"
    }
    BEST: ClassVar[str] = "eval_reward"

    reward: str = Field(description="A reward model that you trained, or a rule")
    num_train_epochs: float = Field(
        1.0, gt=0, le=100, description="How often training goes over all prompts"
    )
    learning_rate: float = Field(
        2e-5, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    per_device_train_batch_size: int = Field(
        8, ge=2, le=512, description="Answers in one step: a multiple of num_generations"
    )
    num_generations: int = Field(
        4, ge=2, le=64, description="Answers sampled for each prompt and compared with one another"
    )
    max_completion_length: int = Field(
        64, ge=1, le=8192, description="Longest answer, in tokens; longer answers are truncated"
    )
    max_length: int = Field(
        512,
        ge=16,
        le=131072,
        description="Tokens of prompt and answer; longer prompts are left out",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        le=2,
        description="Of sampling; higher gives more varied answers, and equal ones teach nothing",
    )
    num_evals: int = Field(
        3, ge=1, le=100, description="How often the held-out prompts are answered during the run"
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.per_device_train_batch_size % self.num_generations:
            raise ValueError(
                f"per_device_train_batch_size ({self.per_device_train_batch_size}) is no multiple "
                f"of num_generations ({self.num_generations})"
            )
        return self

    def needs(self) -> list[Ref]:
        """The model, the dataset and, where no rule is named, the reward model."""
        is_rule = self.reward in plugins.names("rewards")
        return [*super().needs(), *([] if is_rule else [Ref(RefKind.MODEL, self.reward)])]


class PromptRow(NamedTuple):
    messages: Messages
    references: tuple[str, ...]


def prepare(
    recipe: OnlineRecipe, ctx: Context, config_class: type, trainer_class: type
) -> tuple[EncodedDataset, MakeTrainer]:
    """The prompts, and how to make the trainer that answers them."""
    _refuse_wrong_reference(recipe, ctx)
    asked: list[PromptRow] = []
    ids: dict[str, list[int]] = {}
    score = _reward(recipe, ctx)
    start = ctx.model(recipe.model)
    reasons = start.model.reasons

    def line(template: Template, example: Example, max_length: int) -> EncodedRow:
        one = _asked(example)
        text = template.prompt_text(one.messages, reasons)
        tokens = template.prompt_ids(one.messages, reasons)
        if len(tokens) + recipe.max_completion_length > max_length:
            return EncodedRow(None, False)
        score([one.messages], [""], [one.references])  # what a reward lacks comes out at once
        asked.append(one)
        ids[text] = tokens
        return EncodedRow({"prompt": text, "row": len(asked) - 1, "length": len(tokens)}, False)

    def reward(completions: list[str], row: list[int], **_: Any) -> list[float]:
        ctx.check()
        picked = [asked[number] for number in row]
        texts = [text.strip() for text in completions]
        found = score([p.messages for p in picked], texts, [p.references for p in picked])
        return _checked(recipe.reward, found, len(texts))

    ends = Template.load(start.base).ends
    encoded, make = training.prepare(
        recipe, ctx, config_class, _trainer(trainer_class, ids, ends, reward), line
    )
    _refuse_few(recipe, encoded)
    return encoded, make


def _trainer(
    trainer_class: Any, ids: dict[str, list[int]], ends: frozenset[int], reward: Any
) -> type:
    class Trainer(trainer_class):
        """Prompts are tokens already; a held-out loss would say nothing and is left out."""

        def __init__(self, **parts: Any) -> None:
            # TRL ends an answer at the tokenizer's own end token and at these
            parts["model"].generation_config.eos_token_id = sorted(ends)
            super().__init__(reward_funcs=[reward], **parts)

        def _tokenize_prompts(
            self, prompts: list[str]
        ) -> tuple[list[list[int]], None, dict[str, list[int]]]:
            return [ids[text] for text in prompts], None, {}

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            logs.pop("eval_loss", None)
            super().log(logs, start_time)

    return Trainer


def _reward(recipe: OnlineRecipe, ctx: Context) -> Reward:
    if recipe.reward in plugins.names("rewards"):
        rule: Reward = plugins.load("rewards", recipe.reward)
        return rule
    from engine.models.reward_model import RewardModel

    judge = RewardModel(ctx.model(recipe.reward))

    def score(
        prompts: Sequence[Messages], answers: Sequence[str], _: Sequence[tuple[str, ...]]
    ) -> list[float]:
        return judge.scores(prompts, answers)

    return score


def _asked(example: Example) -> PromptRow:
    if isinstance(example, Chat):
        return PromptRow(example.prompt, example.accepted)
    if isinstance(example, Prompt):
        return PromptRow(example.prompt, example.references)
    raise UserError(
        f"This method answers prompts, and {example.kind} rows are none.",
        "Choose a dataset of prompts or conversations.",
    )


def _checked(name: str, rewards: Sequence[float], answers: int) -> list[float]:
    found = [float(value) for value in rewards]
    if len(found) != answers or not all(map(isfinite, found)):
        raise UserError(
            f"The reward {name} gave {len(found)} numbers for {answers} answers, or one that is no "
            "number.",
            "Correct it, or choose another reward.",
        )
    return found


def _refuse_few(recipe: OnlineRecipe, encoded: EncodedDataset) -> None:
    gathered = int(number_in(recipe.trl, "gradient_accumulation_steps", 1))
    wanted = recipe.per_device_train_batch_size * gathered // recipe.num_generations
    if len(encoded.train) < wanted:
        raise UserError(
            f"One step takes {wanted} prompts, and there are {len(encoded.train)}.",
            "Lower per_device_train_batch_size, or add prompts.",
        )


def _refuse_wrong_reference(recipe: Any, ctx: Context) -> None:
    if recipe.tuning == "full" and recipe.beta and ctx.model(recipe.model).adapter is not None:
        raise UserError(
            "With tuning: full, TRL would hold an adapter's model to its base, not to itself.",
            "Set beta: 0, choose tuning: lora, or start from a whole model.",
        )
