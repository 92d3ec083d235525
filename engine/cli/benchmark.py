"""evaluation benchmark list | run: public tasks of lm-evaluation-harness."""

from pathlib import Path
from typing import Any

import click

from engine import plugins
from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.cli.evaluation import evaluation
from engine.core.actor import LOCAL
from engine.core.job import Job
from engine.core.job_result import BenchmarkResult
from engine.core.recipe import Recipe
from engine.jobs.benchmark import names
from engine.services.evaluation import benchmarks

BENCHMARK: type[Recipe] = plugins.load("jobs", "benchmark").Recipe
FOLDER = click.Path(path_type=Path)
MOST_LISTED = 50


@evaluation.group()
def benchmark() -> None:
    """Run public benchmarks with lm-evaluation-harness (install the extra: harness)."""


@benchmark.command("list")
@click.argument("words", nargs=-1)
@as_json
def listed(words: tuple[str, ...], as_json: bool) -> None:
    """List tasks whose names contain all WORDS; without WORDS, the common ones."""
    names.require()
    tasks = names.search(" ".join(words), MOST_LISTED) if words else benchmarks.usual()
    total = len(names.known())
    show(tasks, "\n".join([*tasks, f"({len(tasks)} of {total:,} tasks and groups)"]), as_json)


@benchmark.command()
@click.option(
    "--model",
    "wanted",
    multiple=True,
    required=True,
    help="Model to test; repeat it, the baseline first.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    required=True,
    help="Task name, as listed by `benchmark list`.",
)
@click.option("--limit", default=100, show_default=True, help="Questions per task; 0 for all.")
@recipe_options.options(
    BENCHMARK, skip=("limit", "task_files"), aliases={"apply_chat_template": ["--chat"]}
)
@click.option(
    "--include-path",
    type=FOLDER,
    help="Folder with additional task files. They are code: use only those you trust.",
)
@in_project
@as_json
def run(
    wanted: tuple[str, ...],
    tasks: tuple[str, ...],
    limit: int,
    include_path: Path | None,
    project: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run public tasks and compare each model with the first.

    Questions are downloaded from the Hugging Face Hub and cached. Data files of your own tasks
    need absolute paths.
    """
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = {
            "models": [common.model_id(ws, chosen.id, m) for m in wanted],
            "tasks": tasks,
            "limit": limit or None,
            **recipe_options.given(options),
            "task_files": benchmarks.import_tasks(ws, LOCAL, include_path)
            if include_path
            else None,
        }
        with working(ws):
            job = wait(ws, benchmarks.submit(ws, LOCAL, chosen.id, values))
    show(job.result, "\n".join(_lines(job, wanted)), as_json)


def _lines(job: Job, wanted: tuple[str, ...]) -> list[str]:
    """A line a score, and for each model but the first what sets it apart."""
    lines, compared = [], benchmarks.gains(job)
    result = job.result_as(BenchmarkResult)
    given = dict(zip(result.models, wanted, strict=True))
    for model, scores in benchmarks.scores(job).items():
        gains = compared.get(model, {})
        for one in scores:
            bounds = f" ({one.low:.4f} to {one.high:.4f})" if one.low is not None else ""
            label = f"{given[model]:20} {one.task:24} {one.metric:12}"
            lines.append(f"{label} {one.score:.4f}{bounds}; n={one.n} of {one.of}")
            if one.key in gains:
                lines.append(f"{label} {gains[one.key].sentence}")
    return lines
