"""loop demo | status | history | promote | back | auto."""

from typing import Any

import click

from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, say, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.job_result import DemoResult, LoopResult
from engine.core.project import NextAction, Step, StepName
from engine.orchestrate.demo_report import as_markdown
from engine.services.loop import auto_loop as loops
from engine.services.loop import champion
from engine.services.loop import demo as demos
from engine.services.loop.history import history as line_of
from engine.services.loop.status import status as status_of
from engine.services.models import registry

TITLES: dict[StepName, str] = {
    "data": "data",
    "train": "training",
    "evaluate": "evaluation",
    "rate": "rating",
    "pairs": "pairs",
    "dpo": "DPO",
    "blind": "blind round",
    "verdict": "verdict",
}
NEXT: dict[NextAction, str] = {
    "add_data": "add examples: tuneloop data add FILE",
    "train_first": "train a first model: tuneloop training start --help",
    "evaluate": "evaluate it: tuneloop evaluation run --help",
    "rate": "collect votes: tuneloop rating rounds start --help",
    "make_pairs": "make preference pairs: tuneloop preferences export --help",
    "train_on_pairs": "train on the pairs: tuneloop training start --help",
    "test_blind": "compare new and old model blind: tuneloop rating rounds start --help",
    "read_verdict": "close the blind round: tuneloop rating rounds close --help",
    "start_again": "start another generation: tuneloop rating rounds start --help",
    "watch_training": "wait for the training: tuneloop jobs list",
    "watch_demo": "wait for the demo: tuneloop jobs list",
}


@click.group()
def loop() -> None:
    """Run the improvement loop, and see its status and history."""


@loop.command()
@click.option(
    "--rater",
    default="expert",
    show_default=True,
    help="Rule of the simulated raters: expert, shorter, ...",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 1, min_open=True),
    help="Learning rate of the training on votes.",
)
@as_json
def demo(rater: str, learning_rate: float | None, as_json: bool) -> None:
    """Run the whole loop once on the sample data, with simulated raters.

    It takes about 10 minutes on two cores. The result is not scripted: the raters follow a stated
    rule, and the verdict follows from their votes.
    """
    with workspace() as ws:
        registry.ensure_default(ws, LOCAL, say)
        with working(ws):
            project, job = demos.start(ws, LOCAL, rater, learning_rate)
            job = wait(ws, job)
        report = job.result_as(DemoResult).report
        words = as_markdown(report) if report else ""
        text = f"{words}\nSee it in the browser: tuneloop serve ({project.name})."
        show(report, text, as_json)


@loop.command()
@in_project
@as_json
def status(project: str | None, as_json: bool) -> None:
    """Show the steps of a project's loop and the next one."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        found = status_of(ws, LOCAL, chosen.id)
        lines = [f"{step.state:8} {TITLES[step.name]:12} {_result(step)}".rstrip()
                 for step in found.steps]  # fmt: skip
        lines.append(f"Next: {NEXT[found.next_action]}")
        show(found, "\n".join(lines), as_json)


@loop.command()
@in_project
@as_json
def history(project: str | None, as_json: bool) -> None:
    """Show every generation against the baseline, and the stop rules."""
    with workspace() as ws:
        found = line_of(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{g.number:3} {g.model.name:30} {g.sentence}" for g in found.generations]
        lines += [f"{'stop' if r.stop else 'go on':6} {r.sentence}" for r in found.rules]
        show(found, "\n".join([*lines, found.sentence]), as_json)


@loop.command()
@click.argument("model")
@click.option("--reason", default="", help="Reason, kept in the history.")
@in_project
@as_json
def promote(model: str, reason: str, project: str | None, as_json: bool) -> None:
    """Make a model the champion, which the next training starts from."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        wanted = common.model_id(ws, chosen.id, model)
        made = champion.promote(ws, LOCAL, chosen.id, wanted, reason)
        show(made, f"{registry.get(ws, LOCAL, made.model_id).name} is the champion.", as_json)


@loop.command()
@click.option("--reason", default="", help="Reason, kept in the history.")
@in_project
@as_json
def back(reason: str, project: str | None, as_json: bool) -> None:
    """Make the previous champion the champion again."""
    with workspace() as ws:
        made = champion.roll_back(ws, LOCAL, common.project(ws, project).id, reason)
        show(made, f"{registry.get(ws, LOCAL, made.model_id).name} is the champion again.", as_json)


@loop.command()
@recipe_options.options(loops.recipe(), skip=("most_votes",))
@click.option("--most-votes", "--votes", "most_votes", default=None, type=click.IntRange(1),
              help="Stop after this many votes.")  # fmt: skip
@in_project
@as_json
def auto(project: str | None, as_json: bool, **options: Any) -> None:
    """Run generations until a stop rule applies; waits for votes, and resumes if interrupted.

    What is not given is chosen to fit: the champion, and the newest dataset that suits.
    """
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = recipe_options.given(options)
        if "model" in values:
            values["model"] = common.model_id(ws, chosen.id, values["model"])
        for field in {"dataset", "dataset_test"} & values.keys():
            values[field] = common.dataset_id(ws, chosen.id, values[field])
        with working(ws):
            job = wait(ws, loops.start(ws, LOCAL, chosen.id, **values))
        result = job.result_as(LoopResult)
        show(result, f"{result.ended}\n{result.sentence}", as_json)


def _result(step: Step) -> str:
    """The newest result of a step: a count, a score with its metric, or the name of a model."""
    if step.value is not None:
        return f"{step.label} {step.value:.2f}".strip()
    return f"{step.count:,}" if step.count is not None else step.label
