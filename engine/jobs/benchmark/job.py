"""Public benchmarks: lm-evaluation-harness asks the models its own questions, in its own way."""

import os
import random
from collections.abc import Mapping
from typing import Any, ClassVar

from jinja2 import TemplateError
from pydantic import Field

from engine.core.errors import UserError
from engine.core.job_context import Cancelled, Context, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.job_result import BenchmarkResult, BenchmarkScore
from engine.core.recipe import MOST_SEED, Ref, RefKind
from engine.core.recipe import Recipe as BaseRecipe
from engine.jobs import answerers
from engine.jobs.benchmark import files, lm, names, results, tasks
from engine.jobs.benchmark.results import ModelScores
from engine.jobs.nested_training import StudyProgress

TITLE = "Benchmark"
SUMMARY = "Models answer tasks of the lm-evaluation-harness."

DRAWS = 1000  # of a bootstrap, where a metric's standard error has no formula
MOST_SCORES = 6  # scores in the sentence


class Recipe(BaseRecipe):
    """Which models are asked which tasks; fields are called as the harness calls them."""

    KIND = "benchmark"
    ANSWERS: ClassVar[bool] = True

    models: tuple[str, ...] = Field(
        min_length=1, max_length=5, description="The baseline first, then what to compare with it"
    )
    tasks: tuple[str, ...] = Field(
        min_length=1, max_length=20, description="Names of tasks or groups of the harness"
    )
    limit: int | None = Field(
        100, ge=1, description="Questions of each task, from the first on; all if empty"
    )
    num_fewshot: int | None = Field(
        None, ge=0, le=64, description="Solved examples before each question; else as the task says"
    )
    batch_size: int = Field(8, ge=1, le=512, description="Rows in one batch")
    apply_chat_template: bool = Field(
        False, description="Ask as in a chat, with the model's own template"
    )
    seed: int = Field(
        1234, ge=0, le=MOST_SEED, description="Seed of the examples shown and of sampling"
    )
    task_files: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Checksum of task files that were brought on the command line",
    )

    def needs(self) -> list[Ref]:
        """Every model."""
        return [Ref(RefKind.MODEL, each) for each in self.models]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Ask every model all tasks, and compare each with the first on the same questions."""
    names.require()
    os.environ.setdefault("DISABLE_MULTIPROC", "1")  # a bootstrap would fork a process a core
    ctx.emit("log", {"text": f"Reading the questions of {', '.join(recipe.tasks)}"})
    own = files.folder(ctx.cache, recipe.task_files) if recipe.task_files else None
    asked = tasks.load(recipe.tasks, own, recipe.limit, recipe.num_fewshot, recipe.seed)
    progress = StudyProgress(ctx, asked.questions * len(recipe.models))
    found: dict[str, ModelScores] = {}
    for number, model_id in enumerate(recipe.models):
        ctx.check()
        at = ctx.model(model_id)
        progress.done = number * asked.questions
        meter = lm.QuestionMeter(progress, asked.questions, at.model.name)
        found[model_id] = _answers(ctx, at, asked, recipe, meter)
    return Outcome(result=_result(recipe, found, {m: ctx.model(m).model.name for m in found}))


def _answers(
    ctx: Context, at: ModelFiles, asked: tasks.Tasks, recipe: Recipe, meter: lm.QuestionMeter
) -> ModelScores:
    """What one model scored; nothing here outlives the call and keeps its base in memory."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(at.base, local_files_only=True)
    with answerers.load(ctx, at).using(at) as model:
        wrapped = lm.wrapped(model, tokenizer, recipe.batch_size, meter)
        return results.read(_asked(wrapped, asked, recipe))


def _asked(model: Any, asked: tasks.Tasks, recipe: Recipe) -> Mapping[str, Any]:
    """The harness's own results; what its checks refuse becomes one sentence."""
    import numpy as np
    import torch
    from lm_eval.evaluator import evaluate

    random.seed(recipe.seed)
    np.random.seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    try:
        results: Mapping[str, Any] = evaluate(
            lm=model,
            task_dict=asked.loaded,
            limit=recipe.limit,
            bootstrap_iters=DRAWS,
            log_samples=True,
            apply_chat_template=recipe.apply_chat_template,
            fewshot_as_multiturn=recipe.apply_chat_template,
        )
    except (Cancelled, UserError):
        raise
    except (AssertionError, ValueError, KeyError, ImportError, TemplateError) as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(
            f"The harness could not ask {', '.join(recipe.tasks)}: {text}.",
            "Choose other tasks, or other settings for them.",
        ) from error
    return results


def _result(
    recipe: Recipe, found: dict[str, ModelScores], called: dict[str, str]
) -> BenchmarkResult:
    first, *others = recipe.models
    return BenchmarkResult(
        sentence=_sentence(found, called),
        lm_eval=names.release(),
        models=recipe.models,
        scores={model: tuple(each.scores) for model, each in found.items()},
        gains=results.gains(found[first], {m: found[m] for m in others}),
    )


def _sentence(found: dict[str, ModelScores], called: dict[str, str]) -> str:
    """The first scores of each model; the rest is in the table."""
    sentences = [
        f"{called[m]}: {'; '.join(map(_score_sentence, f.scores[:MOST_SCORES]))}"
        for m, f in found.items()
    ]
    return ". ".join(sentences) + "."


def _score_sentence(one: BenchmarkScore) -> str:
    bounds = f" ({one.low:.3f} to {one.high:.3f})" if one.low is not None else ""
    return f"{one.task} {one.metric} {one.score:.3f}{bounds}"
