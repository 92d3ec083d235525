"""loop demo | status | history | edits | preferences | dial | promote | back | auto."""

from typing import Any

import click

from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, say, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.job_result import DemoResult, DialResult, HeadResult, LoopResult
from engine.core.project import NextAction, Step, StepName
from engine.core.reward_head import TeamPreference
from engine.core.strength import MOST_STRENGTH
from engine.orchestrate.demo_report import as_markdown
from engine.services.loop import auto_loop_start as loops
from engine.services.loop import champion
from engine.services.loop import demo_start as demos
from engine.services.loop import dial as dials
from engine.services.loop.edit_cost import edit_costs
from engine.services.loop.history import history as line_of
from engine.services.loop.status import status as status_of
from engine.services.loop.weak_part import weak_part
from engine.services.models import registry
from engine.services.rating import reward_heads

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
    default="friendly",
    show_default=True,
    help="Rule of the simulated raters: friendly, shorter, expert, random, ...",
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
        line = line_of(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{g.number:3} {g.model.name:30} {g.sentence}" for g in line.generations]
        lines += [f"{'stop' if r.stop else 'go on':6} {r.sentence}" for r in line.rules]
        show(line, "\n".join([*lines, line.sentence]), as_json)


@loop.command()
@in_project
@as_json
def edits(project: str | None, as_json: bool) -> None:
    """Show how much of the answers raters still change to use them, round by round."""
    with workspace() as ws:
        costs = edit_costs(ws, LOCAL, common.project(ws, project).id)
        lines = [
            f"{one.round_name:30} {100 * one.share:3.0f} % of the characters "
            f"({100 * one.low:.0f} to {100 * one.high:.0f} %), {one.questions} questions, "
            f"{one.improved} improved, {one.accepted} accepted as they were"
            for one in costs
        ]
        show(costs, "\n".join(lines) or "Nobody has improved an answer yet.", as_json)


@loop.command()
@click.option("--of", "generation", default=None, help="Votes on one model's answers alone.")
@in_project
@as_json
def preferences(generation: str | None, project: str | None, as_json: bool) -> None:
    """Learn from the votes what raters prefer: features of answers, reasons, a reward head.

    Each is tested on votes left out, and what chance explains is marked "-". The head may be used
    only where it agrees with more than 60 % of those votes, and with more than length alone.
    """
    with workspace() as ws:
        chosen = common.project(ws, project).id
        wanted = common.model_id(ws, chosen, generation) if generation else None
        with working(ws):
            job = wait(ws, reward_heads.start(ws, LOCAL, chosen, wanted))
        result = job.result_as(HeadResult)
        lines = [_preference(one) for one in result.preferences if one.agreement]
        found = [*lines, result.sentence, weak_part(ws, LOCAL, chosen)]
        show(result, "\n".join(filter(None, found)), as_json)


def _preference(one: TeamPreference) -> str:
    """A line of a feature or reason that enough answers differ in."""
    if one.agreement is None:
        return ""
    agreed = one.agreement
    bounds = f"({100 * agreed.low:.0f} to {100 * agreed.high:.0f} %)"
    name = f"{one.title} (means: {one.means})" if one.means else one.title
    return (
        f"{'stands' if one.stands else '-':7} {name:44} {100 * agreed.share:3.0f} % {bounds}, "
        f"{one.questions} questions, p = {one.p:.2g}"
    )


@loop.command()
@click.argument("model")
@click.option("--strength", "strengths", multiple=True, type=click.FloatRange(0, MOST_STRENGTH),
              help="A strength to measure; repeat it for several.")  # fmt: skip
@click.option("--dataset", default=None, help="Questions to measure on, with references.")
@click.option("--use", default=None, type=click.FloatRange(0, MOST_STRENGTH, min_open=True),
              help="Make a model at this strength instead of measuring.")  # fmt: skip
@in_project
@as_json
def dial(
    model: str,
    strengths: tuple[float, ...],
    dataset: str | None,
    use: float | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Measure the models between a training on votes and its start, and recommend a strength.

    0 is the start, 1 the trained model. Nothing is trained, and no question of a blind round is
    asked.
    """
    with workspace() as ws:
        chosen = common.project(ws, project).id
        wanted = common.model_id(ws, chosen, model)
        if use is not None:
            with working(ws):
                made = wait(ws, dials.use(ws, LOCAL, chosen, wanted, use))
            new = registry.get(ws, LOCAL, made.result.model_id or "")
            show(new, made.result.sentence, as_json)
            return
        asked = common.dataset_id(ws, chosen, dataset) if dataset else None
        with working(ws):
            job = wait(ws, dials.start(ws, LOCAL, chosen, wanted, strengths, asked))
        result = job.result_as(DialResult)
        show(list(result.stops), f"{_dial(result)}\n{result.sentence}", as_json)


def _dial(result: DialResult) -> str:
    """A line for each strength."""
    lines = [f"strength   margin  {result.metric:>12}   tokens  perplexity"]
    for one in result.stops:
        margin = "-" if one.margin is None else f"{one.margin:.3f}"
        surprise = "-" if one.perplexity is None else f"{one.perplexity:.2f}"
        mark = "  recommended" if one.recommended else "" if one.kept else "  a check shows a loss"
        numbers = f"{one.strength:8g} {margin:>8}  {one.metric:12.3f} {one.length:8.1f}"
        lines.append(f"{numbers} {surprise:>11}{mark}")
    return "\n".join(lines)


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
