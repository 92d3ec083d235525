"""Held-out evaluation: every model answers the same rows, every mean comes with its interval."""

import statistics
from collections.abc import Callable

from pydantic import Field

from engine import plugins
from engine.core.context import Context, ModelFiles
from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.evaluation import EvaluatedRow, Evaluation, Gain, Mean, Output
from engine.core.examples import Chat, Prompt
from engine.core.outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.score import Scores
from engine.stats.intervals import bootstrap_from_parts, mean_interval
from engine.stats.paired import paired_gain

Rateable = Chat | Prompt


class Recipe(BaseRecipe):
    """Which models answer which rows, and what the answers are scored with."""

    KIND = "evaluate"

    models: tuple[str, ...] = Field(
        min_length=1, max_length=5, description="The baseline first, then what to compare with it"
    )
    dataset: str = Field(description="The dataset whose rows are asked")
    split: Split = Field("held_out", description="Rows that no training has seen, or the others")
    metrics: tuple[str, ...] = Field(
        ("bleu", "rouge1", "rouge2", "rougeL", "meteor", "exact_match"),
        min_length=1,
        description="What to score with",
    )
    max_rows: int = Field(100, ge=1, le=10_000, description="Rows asked, from the first on")
    max_new_tokens: int = Field(96, ge=1, le=4096, description="Longest answer, in tokens")
    usd_per_hour: float = Field(
        0.0, ge=0, le=1000, description="What this machine costs an hour, for the cost of answers"
    )

    def needs(self) -> dict[str, str]:
        """The dataset and every model."""
        return {"dataset": self.dataset, **{f"model {m}": m for m in self.models}}


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Answer greedily with every model, score, compare with the first model."""
    chosen = [
        (row.index, row.example)
        for row in ctx.rows(recipe.dataset, recipe.split)
        if isinstance(row.example, Rateable)
    ][: recipe.max_rows]
    asked = [(i, e) for i, e in chosen if _references(e)]
    if not asked:
        raise UserError(
            "This dataset has no such rows with a reference to compare with.",
            "Choose a dataset of chats with a held-out part.",
        )
    outputs = _answers(recipe, ctx, [e for _, e in asked])
    references = [_references(e) for _, e in asked]
    scored = {m: _score(recipe.metrics, outputs[m], references) for m in recipe.models}
    means = {m: {k: _mean(k, s) for k, s in scored[m].items()} for m in recipe.models}
    first = recipe.models[0]
    rows = tuple(
        EvaluatedRow(
            index=index,
            prompt=example.prompt,
            references=references[n],
            outputs={m: _with_scores(outputs[m][n], scored[m], n) for m in recipe.models},
        )
        for n, (index, example) in enumerate(asked)
    )
    evaluation = Evaluation(
        dataset_id=recipe.dataset,
        split=recipe.split,
        models=recipe.models,
        metrics=recipe.metrics,
        means=means,
        gains={
            m: {k: _gain(k, scored[first][k], scored[m][k]) for k in recipe.metrics}
            for m in recipe.models[1:]
        },
        speed={m: _speed(outputs[m], recipe.usd_per_hour) for m in recipe.models},
        decoding={"greedy": 1, "max_new_tokens": recipe.max_new_tokens},
        rows=rows,
    )
    summary = {
        m: {k: mean.model_dump() for k, mean in by_metric.items()} for m, by_metric in means.items()
    }
    return Outcome(result={"rows": len(rows), "means": summary}, evaluation=evaluation)


def _answers(recipe: Recipe, ctx: Context, examples: list[Rateable]) -> dict[str, list[Output]]:
    from engine.models.answer import Answerer

    total = len(examples) * len(recipe.models)
    found: dict[str, list[Output]] = {}
    loaded: Answerer | None = None
    for number, model_id in enumerate(recipe.models):
        files: ModelFiles = ctx.model(model_id)
        ctx.emit("log", {"text": f"{files.model.name} answers {len(examples)} rows"})
        if loaded is None or loaded.base != files.base:
            loaded = Answerer(files.base)
        replies = loaded.answer(
            files,
            [example.prompt for example in examples],
            max_new_tokens=recipe.max_new_tokens,
            done=_progress(ctx, number * len(examples), total, files.model.name),
        )
        found[model_id] = [Output(text=r.text, tokens=r.tokens, seconds=r.seconds) for r in replies]
    return found


def _progress(ctx: Context, before: int, total: int, label: str) -> Callable[[int], None]:
    def done(ready: int) -> None:
        ctx.check()
        ctx.emit("progress", {"done": before + ready, "total": total, "label": label})

    return done


def _references(example: Rateable) -> tuple[str, ...]:
    return example.accepted if isinstance(example, Chat) else example.references


def _score(
    metrics: tuple[str, ...], outputs: list[Output], references: list[tuple[str, ...]]
) -> dict[str, Scores]:
    texts = [output.text for output in outputs]
    return {name: plugins.load("metrics", name)(texts, references) for name in metrics}


def _mean(metric: str, scores: Scores) -> Mean:
    if scores.parts is None:
        interval = mean_interval(scores.each)
    else:
        from_parts = plugins.load("metrics", metric).from_parts
        interval = bootstrap_from_parts(scores.parts, from_parts)
    return Mean(
        score=scores.overall,
        low=interval.low,
        high=interval.high,
        n=len(scores.each),
        signature=scores.signature,
    )


def _gain(metric: str, base: Scores, new: Scores) -> Gain:
    if base.parts is None or new.parts is None:
        return paired_gain(base.each, new.each)
    return paired_gain(
        base.each,
        new.each,
        base_parts=base.parts,
        new_parts=new.parts,
        from_parts=plugins.load("metrics", metric).from_parts,
    )


def _with_scores(output: Output, scored: dict[str, Scores], row: int) -> Output:
    return output.model_copy(update={"scores": {k: s.each[row] for k, s in scored.items()}})


def _speed(outputs: list[Output], usd_per_hour: float) -> dict[str, float]:
    seconds = [output.seconds for output in outputs]
    total = sum(seconds)
    return {
        "seconds": total,
        "tokens_per_s": sum(output.tokens for output in outputs) / max(total, 1e-9),
        "p50_s": statistics.median(seconds),
        "p95_s": sorted(seconds)[int(0.95 * (len(seconds) - 1))],
        "usd_per_1000": usd_per_hour / 3600 * total / len(outputs) * 1000,
    }
