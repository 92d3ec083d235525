"""The playground: one prompt, one or more models, their answers as they are written.

How long a model stays loaded for the next prompt: engine/warm_child.py.
"""

import time
from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from engine.core.examples import Message
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import PlayedAnswer, PlayResult
from engine.core.recipe import MOST_SEED, Ref, RefKind
from engine.core.recipe import Recipe as BaseRecipe
from engine.jobs import answerers

TITLE = "Playground"
SUMMARY = "Models answer one prompt."

SAY_EVERY_S = 0.3


class Recipe(BaseRecipe):
    """A prompt and how to answer it; all models get the same decoding and seed."""

    KIND = "play"
    ANSWERS: ClassVar[bool] = True
    LANE = "play"

    models: tuple[str, ...] = Field(min_length=1, max_length=4, description="Who answers")
    prompt: str = Field(min_length=1, max_length=20_000, description="What to answer")
    system: str = Field("", max_length=20_000, description="System prompt, if any")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy; higher is more varied")
    max_new_tokens: int = Field(128, ge=1, le=4096, description="Longest answer, in tokens")
    seed: int = Field(0, ge=0, le=MOST_SEED, description="Same seed, same answer")

    def needs(self) -> list[Ref]:
        """Every model."""
        return [Ref(RefKind.MODEL, each) for each in self.models]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Every model's answer; `sample` events carry the text so far."""
    system = [Message(role="system", content=recipe.system)] if recipe.system else []
    prompt = [*system, Message(role="user", content=recipe.prompt)]
    answers: dict[str, PlayedAnswer] = {}
    for model_id in recipe.models:
        files = ctx.model(model_id)
        reply = answerers.load(ctx, files).stream(
            files,
            prompt,
            max_new_tokens=recipe.max_new_tokens,
            temperature=recipe.temperature,
            seed=recipe.seed,
            on_text=_on_text(ctx, model_id),
        )
        answers[model_id] = PlayedAnswer(
            text=reply.text,
            tokens=reply.tokens,
            seconds=round(reply.seconds, 2),
            finished=reply.finished,
        )
        ctx.emit("sample", {"model": model_id, "text": reply.text, "done": True})
    return Outcome(result=PlayResult(answers=answers))


def _on_text(ctx: Context, model_id: str) -> Callable[[str], None]:
    last = 0.0

    def on_text(text: str) -> None:
        nonlocal last
        ctx.check()
        if time.monotonic() - last > SAY_EVERY_S:
            last = time.monotonic()
            ctx.emit("sample", {"model": model_id, "text": text, "done": False})

    return on_text
