"""Held-out evaluation: every model answers the same rows, every mean comes with its interval."""

import statistics
from collections.abc import Callable

from pydantic import Field

from engine.core.context import Context, ModelFiles
from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.evaluation import EvaluatedRow, Evaluation, Output
from engine.core.examples import Chat, Prompt
from engine.core.outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe
from engine.metrics.score import Scored, gain, score_rows

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
    asked = _asked(recipe, ctx)
    outputs = _answers(recipe, ctx, [example for _, example in asked])
    references = [_references(example) for _, example in asked]
    scored = {m: _score(recipe.metrics, outputs[m], references) for m in recipe.models}
    means = {m: {k: s.mean for k, s in scored[m].items()} for m in recipe.models}
    first = scored[recipe.models[0]]
    evaluation = Evaluation(
        dataset_id=recipe.dataset,
        split=recipe.split,
        models=recipe.models,
        metrics=recipe.metrics,
        means=means,
        gains={
            m: {k: gain(k, first[k], scored[m][k]) for k in recipe.metrics}
            for m in recipe.models[1:]
        },
        speed={m: _speed(outputs[m], recipe.usd_per_hour) for m in recipe.models},
        decoding={"greedy": 1, "max_new_tokens": recipe.max_new_tokens},
        rows=tuple(
            EvaluatedRow(
                index=index,
                prompt=example.prompt,
                references=references[n],
                outputs={m: _with_scores(outputs[m][n], scored[m], n) for m in recipe.models},
            )
            for n, (index, example) in enumerate(asked)
        ),
    )
    return Outcome(evaluation=evaluation)


def _asked(recipe: Recipe, ctx: Context) -> list[tuple[int, Rateable]]:
    """The rows to ask, with their numbers; UserError when none has a reference."""
    rows = [
        (row.index, row.example)
        for row in ctx.rows(recipe.dataset, recipe.split)
        if isinstance(row.example, Rateable) and _references(row.example)
    ]
    if not rows:
        raise UserError(
            "This dataset has no such rows with a reference to compare with.",
            "Choose a dataset of chats with a held-out part.",
        )
    return rows[: recipe.max_rows]


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
) -> dict[str, Scored]:
    texts = [None if output.failed else output.text for output in outputs]
    return {name: score_rows(name, texts, references) for name in metrics}


def _with_scores(output: Output, scored: dict[str, Scored], row: int) -> Output:
    scores = {k: s.each[row] for k, s in scored.items() if s.each[row] is not None}
    return output.model_copy(update={"scores": scores})


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
