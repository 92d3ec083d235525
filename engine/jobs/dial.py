"""The strength dial: what every point between the start of a training and its end gains and costs.

The points are weighted sums of two adapters (engine/models/interpolate.py), so nothing is trained.
The service chooses the questions (engine/services/loop/dial.py); none is asked in a blind round.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from engine.core.dataset import Row, Split
from engine.core.errors import UserError
from engine.core.evaluation import Output
from engine.core.examples import Chat, Preference, Prompt, references_of
from engine.core.job_context import Context, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.job_result import DialResult, DialStop
from engine.core.model import Model
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, Ref, RefKind
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.strength import MOST_LOST, MOST_STRENGTH, USUAL, Kept, recommended
from engine.jobs import regression_check
from engine.jobs.answerers import CachedAnswerer, progress
from engine.jobs.perplexity import perplexity
from engine.metrics.descriptions import title
from engine.metrics.score import refuse, score_rows
from engine.models import interpolate

TITLE = "Strength dial"
SUMMARY = "Measures the models between the start of a training and its end."

ENDS = (0.0, 1.0)  # the start and the trained model, which lie in folders of their own
MOST_PAIRS = 100
REACHED = 0.2  # of a score that runs from 0 to 1


class Recipe(BaseRecipe):
    """Which training, at which strengths, and what measures them."""

    KIND = "dial"
    ANSWERS: ClassVar[bool] = True

    model: str = Field(description="The adapter that was trained on votes")
    start: str = Field(description="The model that its training started from")
    strengths: tuple[float, ...] = Field(
        USUAL, min_length=2, max_length=8, description="Strengths to measure, from 0 to 1.5"
    )
    dataset: str = Field(description="Dataset of the questions")
    rows: tuple[int, ...] = Field(min_length=1, description="Row numbers of the questions")
    pairs: str | None = Field(None, description="Dataset of the preference pairs")
    beta: float = Field(0.1, gt=0, description="The beta of the training on these pairs")
    metrics: tuple[str, ...] = Field(
        ("exact_match",),
        min_length=1,
        description="Scores; the first that the start reaches must not fall, else the last",
    )
    max_new_tokens: int | None = Field(
        None, ge=1, le=4096, description="Longest answer, in tokens; empty: as references need"
    )

    def needs(self) -> list[Ref]:
        """Both models, the questions and the pairs."""
        pairs = [Ref(RefKind.DATASET, self.pairs)] if self.pairs else []
        models = [Ref(RefKind.MODEL, each) for each in (self.model, self.start)]
        return [*models, Ref(RefKind.DATASET, self.dataset), *pairs]

    @model_validator(mode="after")
    def _strengths_rise_from_the_start(self) -> Self:
        found = list(self.strengths)
        if found != sorted(set(found)) or found[0] != 0 or found[-1] > MOST_STRENGTH:
            raise ValueError(f"strengths must rise from 0 to {MOST_STRENGTH} at most")
        return self


class Asked(NamedTuple):
    """The questions and the preference pairs of all stops."""

    examples: list[Chat | Prompt]
    references: list[tuple[str, ...]]
    pairs: list[Preference]
    pairs_held_out: bool


class StopAnswers(NamedTuple):
    """What one model answered, how it scored, and its log-likelihood ratio of each pair in nats."""

    side: regression_check.Side
    ratios: list[float | None]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Measure every strength and recommend one."""
    began = time.monotonic()
    asked = _asked(recipe, ctx)
    refuse(recipe.metrics, asked.references)
    models = _models(recipe, ctx)
    _say(ctx, asked)
    found = [
        _measure(recipe, ctx, asked, files, number) for number, files in enumerate(models.values())
    ]
    for strength, files in models.items():
        if strength not in ENDS and files.adapter is not None:
            shutil.rmtree(files.adapter)
    metric = _metric(recipe, found[0])
    stops = [
        _stop(recipe, metric, asked, strength, found[0], one)
        for strength, one in zip(recipe.strengths, found, strict=True)
    ]
    best = recommended([Kept(one.strength, one.kept) for one in stops])
    result = DialResult(
        stops=tuple(s.model_copy(update={"recommended": s.strength == best}) for s in stops),
        metric=metric,
        questions=len(asked.examples),
        pairs=len(asked.pairs),
        pairs_held_out=asked.pairs_held_out,
        recommended=best,
        model=recipe.model,
        start=recipe.start,
        seconds=round(time.monotonic() - began, 1),
        sentence=_sentence(metric, stops, best),
    )
    return Outcome(result=result)


def _asked(recipe: Recipe, ctx: Context) -> Asked:
    wanted = set(recipe.rows)
    rows = [row for row in ctx.rows(recipe.dataset) if row.index in wanted]
    examples = [e for row in rows if isinstance(e := row.example, Chat | Prompt)]
    known = [(e, references_of(e)) for e in examples if references_of(e)]
    if not known:
        raise UserError(
            "None of these questions has a reference answer.",
            "Choose a dataset whose rows have references.",
        )
    held_out = _pairs(recipe, ctx, "held_out")
    enough = len(held_out) >= FEWEST_HELD_OUT_PAIRS
    pairs = held_out if enough else _pairs(recipe, ctx, "train")
    return Asked([e for e, _ in known], [r for _, r in known], pairs, enough)


def _pairs(recipe: Recipe, ctx: Context, split: Split) -> list[Preference]:
    rows: list[Row] = ctx.rows(recipe.pairs, split) if recipe.pairs else []
    found = [row.example for row in rows if isinstance(row.example, Preference)]
    every = -(-len(found) // MOST_PAIRS) or 1
    return found[::every]


def _models(recipe: Recipe, ctx: Context) -> dict[float, ModelFiles]:
    """The model at each strength; those between or beyond are written to the job's folder."""
    start, trained = ctx.model(recipe.start), ctx.model(recipe.model)
    interpolate.check(start, trained)
    ends = dict(zip(ENDS, (start, trained), strict=True))
    between = [each for each in recipe.strengths if each not in ends]
    folders = {each: ctx.folder / f"strength-{n}" for n, each in enumerate(between)}
    if folders:
        ctx.emit("log", {"text": f"Combining both adapters at {len(folders)} strengths"})
        ctx.model_cache.clear()  # two bases may not fit into the memory
        interpolate.combine(start, trained, folders)
    made = {
        each: trained._replace(model=_named(trained.model, n), adapter=folders[each])
        for n, each in enumerate(between)
    }
    every = {**ends, **made}
    return {each: every[each] for each in recipe.strengths}


def _named(trained: Model, number: int) -> Model:
    """What a loaded adapter is known by; it is no model of the project."""
    return trained.model_copy(update={"id": f"{trained.id}-strength-{number}"})


def _say(ctx: Context, asked: Asked) -> None:
    parts = [f"Each strength answers {len(asked.examples)} questions that no blind round asks"]
    if asked.pairs:
        side = "held-out" if asked.pairs_held_out else "training"
        parts.append(f"and is measured on {len(asked.pairs)} {side} preference pairs")
    ctx.emit("log", {"text": f"{' '.join(parts)}."})


def _measure(
    recipe: Recipe, ctx: Context, asked: Asked, files: ModelFiles, number: int
) -> StopAnswers:
    prompts = [example.prompt for example in asked.examples]
    first = [references[0] for references in asked.references]
    answerer = CachedAnswerer(ctx)
    longest = recipe.max_new_tokens or answerer.longest(ctx.model(recipe.model), prompts, first)
    total, label = len(prompts) * len(recipe.strengths), f"strength {recipe.strengths[number]:g}"

    done = progress(ctx, total, label, number * len(prompts))
    outputs = answerer.answers(files, prompts, longest, done)
    likely = answerer.likelihood(files, prompts, first)
    outputs = [
        o.model_copy(update={"nats": one[0], "reference_tokens": one[1]}) if one else o
        for o, one in zip(outputs, likely, strict=True)
    ]
    texts = [None if o.failed else o.text for o in outputs]
    metrics = dict.fromkeys((*recipe.metrics, *regression_check.SCORES))
    scored = {name: score_rows(name, texts, asked.references) for name in metrics}
    side = regression_check.Side(files.model.id, outputs, scored)
    return StopAnswers(side, list(_ratios(answerer, files, asked.pairs)))


def _ratios(
    answerer: CachedAnswerer, files: ModelFiles, pairs: Sequence[Preference]
) -> Iterator[float | None]:
    """In nats, how much likelier each chosen answer is; None where one does not fit."""
    prompts = [pair.prompt for pair in pairs]
    chosen = answerer.likelihood(files, prompts, [pair.chosen for pair in pairs])
    rejected = answerer.likelihood(files, prompts, [pair.rejected for pair in pairs])
    for good, bad in zip(chosen, rejected, strict=True):
        yield bad[0] - good[0] if good and bad else None


def _metric(recipe: Recipe, start: StopAnswers) -> str:
    """The first score that the start reaches, so that a loss would show; else the last."""
    for name in recipe.metrics[:-1]:
        if start.side.scored[name].mean.score >= REACHED:
            return name
    return recipe.metrics[-1]


def _stop(
    recipe: Recipe, metric: str, asked: Asked, strength: float, start: StopAnswers, one: StopAnswers
) -> DialStop:
    gained = [
        recipe.beta * (after - before)
        for after, before in zip(one.ratios, start.ratios, strict=True)
        if after is not None and before is not None
    ]
    answered = [o for o in one.side.outputs if o.failed is None]
    reasons = _lost(metric, asked, start.side, one.side) if strength else []
    return DialStop(
        strength=strength,
        margin=round(fmean(gained), 4) if gained else None,
        metric=round(one.side.scored[metric].mean.score, 4),
        length=round(fmean(o.tokens for o in answered), 2) if answered else 0.0,
        perplexity=_perplexity(one.side.outputs),
        kept=not reasons,
        reasons=tuple(reasons),
    )


def _lost(
    metric: str,
    asked: Asked,
    start: regression_check.Side,
    one: regression_check.Side,
) -> list[str]:
    """What fell against the start: a check that shows it, or the metric by more than 5 points."""
    checks = regression_check.compare(start, one, asked.references)
    before, after = (side.scored[metric].mean.score for side in (start, one))
    found = [each.message for each in checks if each.regressed]
    if before - after > MOST_LOST + 1e-9:
        found.append(
            f"{title(metric)}: {before:.2f} to {after:.2f}, more than "
            f"{100 * MOST_LOST:.0f} points lost."
        )
    return found


def _perplexity(outputs: Sequence[Output]) -> float | None:
    nats = [(o.nats, o.reference_tokens) for o in outputs if o.nats is not None]
    return round(perplexity(nats).score, 4) if nats else None


def _sentence(metric: str, stops: Sequence[DialStop], best: float) -> str:
    start, name = stops[0], title(metric)
    if not best:
        return (
            f"No strength above 0 is recommended: at {stops[1].strength:g} the checks already show "
            f"a loss. {stops[1].reasons[0]}"
        )
    chosen = next(one for one in stops if one.strength == best)
    return (
        f"Strength {best:g} is recommended, the largest up to which no check shows a loss. "
        f"{name}: {start.metric:.2f} at the start, {chosen.metric:.2f} there."
    )
