"""A model of its own at one strength between the start of a training and its end."""

from typing import Self

from pydantic import Field, model_validator

from engine.core.job_context import Context
from engine.core.job_outcome import NewModel, Outcome
from engine.core.job_result import JobResult
from engine.core.model import REASONS, REPLAY, STRENGTH
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.core.strength import MOST_STRENGTH, Strength
from engine.models import interpolate

TITLE = "Model at a strength"
SUMMARY = "Combines a training's start and end into one adapter, without training."

FOLDER = "adapter"


class Recipe(BaseRecipe):
    """Which training, and how much of it."""

    KIND = "strength"

    model: str = Field(description="The adapter that was trained on votes")
    start: str = Field(description="The model that its training started from")
    strength: float = Field(
        gt=0, le=MOST_STRENGTH, description="0 is the start, 1 the trained model; more goes beyond"
    )
    evaluate_after: bool = Field(
        True, description="Evaluate the new model and the start on held-out rows"
    )

    def needs(self) -> list[Ref]:
        """Both models."""
        return [Ref(RefKind.MODEL, each) for each in (self.model, self.start)]

    @model_validator(mode="after")
    def _is_another_model(self) -> Self:
        if self.strength == 1:
            raise ValueError("strength 1 is the trained model itself")
        return self


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The adapter; it says between which models it lies."""
    start, trained = ctx.model(recipe.start), ctx.model(recipe.model)
    interpolate.check(start, trained)
    ctx.emit("progress", {"done": 0, "total": 1, "label": "combining both adapters"})
    ctx.model_cache.clear()
    interpolate.combine(start, trained, {recipe.strength: ctx.folder / FOLDER})
    ctx.check()
    ctx.emit("progress", {"done": 1, "total": 1, "label": "combining both adapters"})
    where = Strength(strength=recipe.strength, start=recipe.start, trained=recipe.model)
    known = trained.model.info
    kept = {name: known[name] for name in ("method", "tuning", REASONS, REPLAY) if name in known}
    model = NewModel(
        name=f"{trained.model.name} at {recipe.strength:g}",
        path=FOLDER,
        base_id=trained.model.base_id or start.model.id,
        parent_id=None if start.model.has_all_weights else start.model.id,
        dataset_id=trained.model.dataset_id or "",
        info={**kept, STRENGTH: where.model_dump(mode="json")},
    )
    text = (
        f"{model.name} lies between {start.model.name} (0) and {trained.model.name} (1), at "
        f"{recipe.strength:g}."
    )
    return Outcome(result=JobResult(sentence=text), model=model)
