"""Held-out evaluation: every model answers the same rows, every mean comes with its interval."""

import statistics
from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.evaluation import (
    AnswerSpeed,
    EvaluatedRow,
    Evaluation,
    Gain,
    Mean,
    Output,
    RegressionCheck,
)
from engine.core.examples import Chat, Example, Prompt, references_of
from engine.core.job_context import Context, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.jobs import regression_check
from engine.jobs.answerers import CachedAnswerer, progress
from engine.jobs.contamination import overlap
from engine.jobs.perplexity import perplexity
from engine.jobs.trivial_baselines import baselines
from engine.metrics.score import Scored, gain, refuse, score_rows
from engine.models import hardware
from engine.stats.multiple_testing import adjusted

TITLE = "Evaluation"
SUMMARY = "Models answer held-out rows and are scored."

Rateable = Chat | Prompt
Asked = list[tuple[int, Rateable]]
Answers = dict[str, list[Output]]


class Recipe(BaseRecipe):
    """Which models answer which rows, and what the answers are scored with."""

    KIND = "evaluate"
    ANSWERS: ClassVar[bool] = True

    models: tuple[str, ...] = Field(
        min_length=1, max_length=5, description="Models to compare; the first is the baseline"
    )
    dataset: str = Field(description="Dataset whose rows are asked")
    split: Literal["held_out", "train", "all"] = Field(
        "held_out",
        description="Held-out rows, training rows, or all rows",
    )
    metrics: tuple[str, ...] = Field(
        ("bleu", "rouge1", "rouge2", "rougeL", "meteor", "exact_match"),
        min_length=1,
        description="Metrics that score the answers",
    )
    max_rows: int = Field(
        100, ge=1, le=10_000, description="Number of rows; more show smaller differences"
    )
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Longest answer, in tokens; empty: as references need",
    )
    usd_per_hour: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Dollars an hour, for the cost of answers",
    )
    baselines: bool = Field(
        True, description="Compare with trivial baselines, such as the most frequent answer"
    )
    perplexity: bool = Field(True, description="Measure the perplexity of the reference answers")

    def needs(self) -> list[Ref]:
        """The dataset and every model."""
        models = [Ref(RefKind.MODEL, each) for each in self.models]
        return [Ref(RefKind.DATASET, self.dataset), *models]


class ScoreTable(NamedTuple):
    """All scores: of the models, and of what needs no model."""

    models: dict[str, dict[str, Scored]]
    plain: dict[str, dict[str, Scored]]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Answer greedily with every model, score, compare with the first model."""
    asked = _rows_asked(recipe, ctx)
    references = [references_of(example) for _, example in asked]
    refuse(recipe.metrics, references)  # now, not after an hour of answers
    learned = _learned(recipe, ctx)
    known = [example for examples in learned.values() for example in examples]
    outputs, longest, peak_mb = _answers(recipe, ctx, asked)
    table = _score_table(recipe, asked, outputs, references, _training(recipe, ctx, learned))
    rows = [Row(index=index, split="held_out", example=example) for index, example in asked]
    evaluation = Evaluation(
        dataset_id=recipe.dataset,
        split=recipe.split,
        models=recipe.models,
        metrics=recipe.metrics,
        means=_means(table.models),
        gains=_gains(recipe, table),
        speed={m: _speed(outputs[m], recipe.usd_per_hour, peak_mb) for m in recipe.models},
        decoding={
            "greedy": 1,
            "max_new_tokens": longest,
            "hardware": hardware.name(),
        },
        rows=tuple(_rows(recipe, asked, outputs, table)),
        baselines=_means(table.plain),
        over_baselines=_over_baselines(recipe, table),
        perplexity={m: perplexity(nats) for m in recipe.models if (nats := _nats(outputs[m]))},
        regression_checks=tuple(_regression_checks(recipe, ctx, outputs, table, references)),
        overlap=overlap(rows, known, len(known)) if known else None,
    )
    return Outcome(evaluation=evaluation)


def _rows_asked(recipe: Recipe, ctx: Context) -> Asked:
    """The rows to ask, with their numbers; UserError when none has a reference."""
    split = None if recipe.split == "all" else recipe.split
    rows = [
        (row.index, row.example)
        for row in ctx.rows(recipe.dataset, split)
        if isinstance(row.example, Rateable) and references_of(row.example)
    ]
    if not rows:
        raise UserError(
            "This dataset has no such rows with a reference to compare with.",
            "Choose a dataset of chats with a held-out part, or ask all of its rows.",
        )
    return rows[: recipe.max_rows]


def _answers(recipe: Recipe, ctx: Context, asked: Asked) -> tuple[Answers, int, float]:
    """Every model's output on every row, their longest length, the most memory taken in MB."""
    prompts = [example.prompt for _, example in asked]
    first = [references_of(example)[0] for _, example in asked]
    total = len(asked) * len(recipe.models)
    found: Answers = {}
    answerer = CachedAnswerer(ctx)
    longest = recipe.max_new_tokens or answerer.longest(ctx.model(recipe.models[0]), prompts, first)
    for number, model_id in enumerate(recipe.models):
        files: ModelFiles = ctx.model(model_id)
        ctx.emit("log", {"text": f"{files.model.name} answers {len(asked)} rows"})
        done = progress(ctx, total, files.model.name, number * len(asked))
        outputs = answerer.answers(files, prompts, longest, done)
        if recipe.perplexity:
            likely = answerer.likelihood(files, prompts, first)
            outputs = [
                o.model_copy(update={"nats": one[0], "reference_tokens": one[1]}) if one else o
                for o, one in zip(outputs, likely, strict=True)
            ]
        found[model_id] = outputs
    return found, longest, answerer.peak_mb()


def _learned(recipe: Recipe, ctx: Context) -> dict[str, list[Example]]:
    """The training rows of every dataset that a model, or one it came from, was trained on."""
    waiting, found = list(recipe.models), dict[str, list[Example]]()
    seen: set[str] = set()
    while waiting:
        model_id = waiting.pop()
        if model_id in seen:
            continue
        seen.add(model_id)
        try:
            model = ctx.model(model_id).model
            for version in model.learned_datasets:
                if version not in found:
                    found[version] = [row.example for row in ctx.rows(version, "train")]
        except UserError as error:  # an ancestor or its data was deleted
            ctx.emit("log", {"text": f"Not compared with what was learned there: {error}"})
            continue
        waiting += [one for one in (model.parent_id, model.base_id) if one]
    return found


def _training(recipe: Recipe, ctx: Context, learned: dict[str, list[Example]]) -> list[Chat]:
    """Answers to copy from: of the dataset asked, else of what the models were trained on.

    Never the rows asked themselves.
    """
    if recipe.split == "held_out":
        own = [row.example for row in ctx.rows(recipe.dataset, "train")]
        if chats := [example for example in own if isinstance(example, Chat)]:
            return chats
    others = [rows for name, rows in learned.items() if name != recipe.dataset]
    return [example for rows in others for example in rows if isinstance(example, Chat)]


def _score_table(
    recipe: Recipe,
    asked: Asked,
    outputs: Answers,
    references: list[tuple[str, ...]],
    training: list[Chat],
) -> ScoreTable:
    def scored(texts: list[str | None]) -> dict[str, Scored]:
        return {name: score_rows(name, texts, references) for name in recipe.metrics}

    plain = (
        baselines([example.prompt for _, example in asked], training) if recipe.baselines else {}
    )
    return ScoreTable(
        {m: scored([None if o.failed else o.text for o in outputs[m]]) for m in recipe.models},
        {name: scored(list(texts)) for name, texts in plain.items()},
    )


def _means(scored: dict[str, dict[str, Scored]]) -> dict[str, dict[str, Mean]]:
    return {who: {name: s.mean for name, s in each.items()} for who, each in scored.items()}


def _gains(recipe: Recipe, table: ScoreTable) -> dict[str, dict[str, Gain]]:
    """Every other model against the first; `p` allows for all of these comparisons."""
    first, *others = recipe.models
    each = {
        (m, k): gain(k, table.models[first][k], table.models[m][k])
        for m in others
        for k in recipe.metrics
    }
    corrected = adjusted(each)
    return {m: {k: corrected[m, k] for k in recipe.metrics} for m in others}


def _over_baselines(recipe: Recipe, table: ScoreTable) -> dict[str, dict[str, dict[str, Gain]]]:
    """Every model against what needs no model, each comparison by itself."""
    return {
        m: {
            plain: {k: gain(k, scored[k], table.models[m][k]) for k in recipe.metrics}
            for plain, scored in table.plain.items()
        }
        for m in recipe.models
        if table.plain
    }


def _regression_checks(
    recipe: Recipe,
    ctx: Context,
    outputs: Answers,
    table: ScoreTable,
    references: list[tuple[str, ...]],
) -> Iterator[RegressionCheck]:
    for model_id in recipe.models:
        before = regression_check.started_from(ctx.model(model_id).model, recipe.models)
        if before:
            old, new = (
                regression_check.Side(m, outputs[m], table.models[m]) for m in (before, model_id)
            )
            yield from regression_check.compare(old, new, references)


def _rows(
    recipe: Recipe, asked: Asked, outputs: Answers, table: ScoreTable
) -> Iterator[EvaluatedRow]:
    for n, (index, example) in enumerate(asked):
        yield EvaluatedRow(
            index=index,
            prompt=example.prompt,
            references=references_of(example),
            outputs={m: _with_scores(outputs[m][n], table.models[m], n) for m in recipe.models},
        )


def _with_scores(output: Output, scored: dict[str, Scored], row: int) -> Output:
    scores = {k: s.each[row] for k, s in scored.items() if s.each[row] is not None}
    return output.model_copy(update={"scores": scores})


def _nats(outputs: list[Output]) -> list[tuple[float, int]]:
    return [(o.nats, o.reference_tokens) for o in outputs if o.nats is not None]


def _speed(outputs: list[Output], usd_per_hour: float, peak_mb: float) -> AnswerSpeed:
    """How fast the answers came, failed ones left out; a cached one as it came back then."""
    answered = [output for output in outputs if output.failed is None]
    total = sum(output.seconds for output in answered)
    p50, p95 = _quantiles([output.seconds for output in answered])
    first_p50, first_p95 = _quantiles([output.first_s for output in answered])
    last_p50, last_p95 = _quantiles([output.last_s for output in answered])
    return AnswerSpeed(
        seconds=total,
        tokens_per_s=sum(output.tokens for output in answered) / max(total, 1e-9),
        p50_s=p50,
        p95_s=p95,
        first_p50_s=first_p50,
        first_p95_s=first_p95,
        last_p50_s=last_p50,
        last_p95_s=last_p95,
        usd_per_1000=usd_per_hour / 3600 * total / max(1, len(answered)) * 1000,
        cached=sum(output.cached for output in answered),
        peak_mb=peak_mb,
    )


def _quantiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile; zeros where nothing was measured."""
    ordered = sorted(seconds) or [0.0]
    return statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
