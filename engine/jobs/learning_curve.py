"""Is there data enough? Train on growing shares of the rows and see where the loss still falls."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import ClassVar, NamedTuple

from pydantic import Field, field_validator

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import CurveResult, training_result
from engine.core.normalise import prompt_key
from engine.core.recipe import MOST_SEED
from engine.jobs.nested_training import (
    NestedContext,
    StudyProgress,
    StudyRecipe,
    held_out_loss,
    rows_of,
    train,
)
from engine.stats.learning_curve import learning_curve

TITLE = "Learning curve"
SUMMARY = "Trainings on growing shares of the rows show whether more data would help."


STILL = (
    "With all rows the loss still fell at the last step: more epochs may lower it as well, without "
    "more data."
)


class _End(NamedTuple):
    """How a training ended: its lowest held-out loss, and whether that was the last one."""

    loss: float
    falling: bool


class Recipe(StudyRecipe):
    """Train on shares of the rows, each several times, and compare the held-out losses."""

    KIND: ClassVar[str] = "curve"

    shares: tuple[float, ...] = Field(
        (0.1, 0.25, 0.5, 1.0),
        min_length=3,
        max_length=10,
        description="Shares of the training rows, each a part of the next",
    )
    max_steps: int = Field(
        40,
        ge=1,
        le=100_000,
        description="Least steps of each training; a share takes more where its epochs need them",
    )
    seeds: int = Field(
        2, ge=2, le=10, description="Trainings at each share: they show how much is chance"
    )

    @property
    def trainings(self) -> int:
        """Every share with every seed."""
        return len(self.shares) * self.seeds

    def steps(self, rows: int) -> tuple[int, ...]:
        """The steps of each training: those of its own share of `rows`, for every seed."""
        each = [self.steps_of(max(1, round(share * rows))) for share in self.shares]
        return tuple(each * self.seeds)

    def steps_of(self, rows: int) -> int:
        """Steps of a training on so many rows: the recipe's epochs, and `max_steps` at least.

        Equal steps for all would show a larger share no more rows than a smaller one.
        """
        made = self.training()
        once = ceil(rows / made.rows_per_step)
        return max(self.max_steps, ceil(made.num_train_epochs * once))

    @field_validator("shares")
    @classmethod
    def _shares_grow(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if list(shares) != sorted(set(shares)) or not (shares[0] > 0 and shares[-1] <= 1):
            raise ValueError("shares must grow, above 0 and up to 1")
        return shares


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The held-out loss at each share, and whether more data would lower it."""
    began = time.monotonic()
    rows = rows_of(ctx, recipe.dataset)
    held_out = [row for row in rows if row.split == "held_out"]
    seeds = [(recipe.seed + n) % (MOST_SEED + 1) for n in range(recipe.seeds)]
    parts = {seed: nested(rows, recipe.shares, seed) for seed in seeds}
    sizes = _sizes([[len(part) for part in parts[seed]] for seed in seeds])
    progress = StudyProgress(ctx, len(sizes) * len(seeds))
    ends: list[list[_End]] = [[] for _ in sizes]
    for seed in seeds:
        for n, part in enumerate(parts[seed]):
            ends[n].append(_train(recipe, progress, [*part, *held_out], len(part), seed))
            text = f"{len(part)} rows, seed {seed}: held-out loss {ends[n][-1].loss:.3f}"
            ctx.emit("log", {"text": text})
    losses = [[end.loss for end in each] for each in ends]
    curve = learning_curve(dict(zip(sizes, losses, strict=True)))
    still = all(end.falling for end in ends[-1])
    result = CurveResult(
        sizes=tuple(sizes),
        losses=tuple(map(tuple, losses)),
        seeds=tuple(seeds),
        held_out_rows=len(held_out),
        curve=curve,
        steps=tuple(recipe.steps_of(size) for size in sizes),
        still_falling=still,
        sentence=f"{curve.sentence} {STILL}" if still else curve.sentence,
        seconds=round(time.monotonic() - began, 1),
    )
    return Outcome(result=result)


def nested(rows: Sequence[Row], shares: Sequence[float], seed: int) -> list[list[Row]]:
    """The training rows of each share, every one a part of the next.

    Rows that ask the same or share a group come together, so a share may hold a few more.
    """
    families = sorted(_families(rows), key=lambda family: _draw(family, seed))
    total = sum(map(len, families))
    found, taken, at = [], list[Row](), 0
    for share in shares:
        while at < len(families) and len(taken) < max(1, round(share * total)):
            taken = [*taken, *families[at]]
            at += 1
        found.append(taken)
    return found


def _families(rows: Sequence[Row]) -> list[list[Row]]:
    """Training rows with an equal prompt, or of groups that one of those prompts belongs to."""
    home: dict[str, str] = {}  # of a prompt: the first group that it was seen in
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.split == "train":
            key = prompt_key(row.example)
            families[home.setdefault(key, row.example.group or key)].append(row)
    return list(families.values())


def _draw(family: list[Row], seed: int) -> str:
    key = min(prompt_key(row.example) for row in family)
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def _sizes(found: list[list[int]]) -> list[int]:
    """The rows at each share, the mean over the seeds; UserError when two shares are the same."""
    sizes = [round(sum(each) / len(each)) for each in zip(*found, strict=True)]
    if len(set(sizes)) < len(sizes):
        raise UserError(
            f"{max(sizes)} training rows are too few to learn from shares of them.",
            "Add rows first, or choose shares that are further apart.",
        )
    return sizes


def _train(recipe: Recipe, progress: StudyProgress, rows: list[Row], size: int, seed: int) -> _End:
    ctx = NestedContext(progress, f"{size}-rows-seed-{seed}", recipe.dataset, rows)
    changes = {"seed": seed, "max_steps": recipe.steps_of(size)}
    try:
        outcome = train(recipe.training(changes), ctx)
    finally:
        ctx.drop()
    progress.done += 1
    loss = held_out_loss(outcome)
    return _End(loss, training_result(outcome.result).last_held_out_loss == loss)
