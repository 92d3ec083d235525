"""Public benchmarks: start one, what was found, and task files of a person's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.evaluation import Gain
from engine.core.job import Job, State
from engine.core.job_result import BenchmarkResult, BenchmarkScore
from engine.core.recipe import read
from engine.jobs.benchmark import files, names
from engine.services.jobs import lifecycle
from engine.workspace import Workspace

KIND = "benchmark"
SHOWN_NAMES = 2  # tasks in the name of a run
USUAL = (
    "hellaswag", "arc_easy", "arc_challenge", "piqa", "winogrande", "openbookqa", "boolq",
    "lambada_openai", "truthfulqa_mc2", "mmlu", "gsm8k", "sciq",
)  # fmt: skip


def missing() -> str:
    """Why no benchmark can be run here, in two sentences; empty where one can."""
    return "" if names.installed() else f"{names.MISSING} {names.FIX}"


def usual() -> list[str]:
    """Benchmarks that most papers on small models report; none where the extra is missing."""
    return list(USUAL) if names.installed() else []


def search(text: str) -> list[str]:
    """Names of benchmarks that hold every word of `text`, the best matches first."""
    return names.search(text)


def submit(
    ws: Workspace, actor: Actor, project_id: str, values: Mapping[str, Any], name: str = ""
) -> Job:
    """Queue a benchmark; UserError where the extra, a setting or a public task is wrong."""
    names.require()
    recipe: Any = read(plugins.load("jobs", KIND).Recipe, dict(values))
    if recipe.task_files is None:
        names.check(recipe.tasks)
    more = len(recipe.tasks) - SHOWN_NAMES
    tasks = ", ".join(recipe.tasks[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
    return lifecycle.submit(ws, actor, project_id, recipe, name or tasks)


def import_tasks(ws: Workspace, actor: Actor, folder: Path) -> str:
    """Keep task files of a person's own and return their checksum, which a recipe may name.

    They may hold Python, so only the command line calls this, for who sits at this machine.
    """
    actor.require(Role.OWNER)
    return files.copy_tasks(ws.files / "cache", folder)


def done(ws: Workspace, actor: Actor, project_id: str) -> list[Job]:
    """Benchmarks that have a result, newest first."""
    jobs = lifecycle.list_all(ws, actor, project_id, (KIND,))
    return [
        job for job in jobs if job.state is State.DONE and job.result_as(BenchmarkResult).scores
    ]


def scores(job: Job) -> dict[str, list[BenchmarkScore]]:
    """What a benchmark found, by model, the baseline first."""
    result = job.result_as(BenchmarkResult)
    return {model: list(result.scores[model]) for model in result.models}


def gains(job: Job) -> dict[str, dict[str, Gain]]:
    """The differences from the first model, by model and by the key of the score."""
    return job.result_as(BenchmarkResult).gains


def of_model(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> list[BenchmarkScore]:
    """The newest score of a model by each metric of each task."""
    newest: dict[str, BenchmarkScore] = {}
    for job in done(ws, actor, project_id):
        for one in scores(job).get(model_id, []):
            newest.setdefault(one.key, one)
    return list(newest.values())


def for_card(found: list[BenchmarkScore]) -> list[EvalResult]:
    """The scores as a model card's metadata has them."""
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=one.task,
            dataset_name=one.task,
            dataset_revision=one.version or None,
            dataset_args={"num_fewshot": one.num_fewshot, "questions": one.n, "of": one.of},
            metric_type=one.metric,
            metric_name=f"{one.metric} ({one.filter})",
            metric_value=round(one.score, 6),
            metric_args={"stderr": one.stderr, "low": one.low, "high": one.high},
            source_name="lm-evaluation-harness",
            source_url="https://github.com/EleutherAI/lm-evaluation-harness",
        )
        for one in found
    ]
