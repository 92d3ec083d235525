"""rounds | rounds start | close | verdict | report | raters | forget | audit | ...; play."""

import time
from typing import Any, get_args

import click

from engine import plugins
from engine.cli import common
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.rating import Mode, Purpose
from engine.core.recipe import read
from engine.services import erasure as forget_service
from engine.services.jobs import lifecycle
from engine.services.loop import gate
from engine.services.rating import audit as audit_service
from engine.services.rating import invites, plans
from engine.services.rating import raters as rating_raters
from engine.services.rating import report as report_service
from engine.services.rating import rounds as round_service
from engine.services.rating.plans import Decision, Options


@click.group(invoke_without_command=True)
@in_project
@as_json
@click.pass_context
def rounds(context: click.Context, project: str | None, as_json: bool) -> None:
    """List the rating rounds of a project, newest first."""
    if context.invoked_subcommand:
        return
    with workspace() as ws:
        found = round_service.list_all(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{r.id}  {r.status:9} {r.purpose:11} {r.name}" for r in found]
        show({"rounds": found}, "\n".join(lines) or "No round yet.", as_json)


@rounds.command()
@click.option("--blind", is_flag=True, help="Test two models; the same as --purpose blind_eval.")
@click.option(
    "--purpose", type=click.Choice(get_args(Purpose)), default="train_pairs", show_default=True
)
@click.option("--single", is_flag=True, help="One answer at a time, good or bad.")
@click.option("--sequential", is_flag=True, help="The test may end as soon as it has evidence.")
@click.option("--gold", default=0.0, type=click.FloatRange(0, 0.3), help="Share of check pairs.")
@click.option("--repeats", default=0.0, type=click.FloatRange(0, 0.3), help="Share shown twice.")
@click.option("--practice", default=0, type=click.IntRange(0, 20), help="Pairs with feedback.")
@click.option("--per-rater", default=None, type=click.IntRange(1), help="Votes a person a day.")
@click.option("--spare", default=0.0, type=click.FloatRange(0, 4), help="Answers to choose from.")
@click.option("--anyway", is_flag=True, help="Also where its evaluation says it lost something.")
@click.option("--model", required=True, help="The model under test, or the one that answers.")
@click.option("--baseline", default=None, help="What it is compared with; itself by default.")
@click.option("--dataset", required=True)
@click.option("--prompts", default=50, show_default=True, type=click.IntRange(1, 400))
@click.option("--overlap", default=1, show_default=True, type=click.IntRange(1, 9))
@in_project
@as_json
def start(
    blind: bool,
    purpose: Purpose,
    model: str,
    baseline: str | None,
    dataset: str,
    prompts: int,
    overlap: int,
    anyway: bool,
    project: str | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Write the answers of a new round and open it; people rate at /rate/ROUND."""
    purpose = "blind_eval" if blind else purpose
    options = _options(**told)
    with workspace() as ws:
        chosen = common.project(ws, project)
        new = common.model_id(ws, chosen.id, model)
        base = common.model_id(ws, chosen.id, baseline) if baseline else new
        source = common.dataset_id(ws, chosen.id, dataset)
        if purpose == "blind_eval" and not anyway:
            gate.check(ws, LOCAL, chosen.id, new)
        made = round_service.plan(
            ws, LOCAL, chosen.id, purpose, new, base, dataset=source, prompts=prompts,
            overlap=overlap, options=options,
        )  # fmt: skip
        common.say(plans.expected(purpose, made.plan["prompts"], options.decision))
        if made.job_id:
            with working(ws):
                wait(ws, lifecycle.get(ws, LOCAL, made.job_id))
        made = round_service.get(ws, LOCAL, made.id)
        show(made, f"{made.name} is {made.status}: {made.id}", as_json)


def _options(single: bool, sequential: bool, **checks: Any) -> Options:
    mode: Mode = "single" if single else "pair"
    decision: Decision = "sequential" if sequential else "fixed"
    return Options(mode=mode, decision=decision, **checks)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def close(round_id: str, as_json: bool) -> None:
    """End the voting of a round; it can't be opened again."""
    with workspace() as ws:
        closed = round_service.close(ws, LOCAL, round_id)
        show(closed, f"{closed.name} is closed.", as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def verdict(round_id: str, as_json: bool) -> None:
    """Say what a closed round shows."""
    with workspace() as ws:
        found = round_service.verdict(ws, LOCAL, round_id)
        show(found, found.sentence, as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def report(round_id: str, as_json: bool) -> None:
    """Say all that a closed round shows: result, sides, length, agreement, raters."""
    with workspace() as ws:
        found = report_service.report(ws, LOCAL, round_id)
        show(found, found.sentence, as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--pause", default=None, help="Give this rater no further pair.")
@click.option("--resume", default=None, help="Let this rater go on.")
@as_json
def raters(round_id: str, pause: str | None, resume: str | None, as_json: bool) -> None:
    """List the raters of a round, those to look at first."""
    with workspace() as ws:
        if pause:
            rating_raters.pause(ws, LOCAL, round_id, pause)
        if resume:
            rating_raters.resume(ws, LOCAL, round_id, resume)
        found = rating_raters.raters(ws, LOCAL, round_id)
        lines = [
            f"{each.rater}  {each.votes} votes{'  paused' if each.paused else ''}  "
            f"{'; '.join(each.quality.reasons)}".rstrip()
            for each in found
        ]
        show({"raters": found}, "\n".join(lines) or "Nobody has voted yet.", as_json)


@rounds.command()
@click.argument("rater", required=False)
@click.option("--everywhere", is_flag=True, help="In every project, not in one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_project
@as_json
def forget(
    rater: str | None, everywhere: bool, yes: bool, project: str | None, as_json: bool
) -> None:
    """Delete every vote, skip, note and edit of RATER and their name; nothing undoes it.

    Without RATER: list the names. Backups made before still hold what is deleted.
    """
    with workspace() as ws:
        chosen = common.project(ws, project).id
        if rater is None:
            known = forget_service.people(ws, LOCAL, chosen)
            show({"raters": known}, "\n".join(known) or "Nobody has rated yet.", as_json)
            return
        where = "every project" if everywhere else "this project"
        if not yes:
            click.confirm(f"Delete all of {rater} in {where}, for good?", abort=True, err=True)
        gone = forget_service.forget(ws, LOCAL, None if everywhere else chosen, rater)
        show(gone, gone.sentence, as_json)


@rounds.command("break-glass")
@click.argument("round_id", metavar="ROUND")
@click.option("--reason", required=True, help="Why it can't wait; it stays on record.")
@as_json
def break_glass(round_id: str, reason: str, as_json: bool) -> None:
    """Look at how an open blind round stands; who did and why stays on record.

    The round then is judged by a rule that holds however often one looks, which takes more votes.
    """
    with workspace() as ws:
        seen = round_service.break_glass(ws, LOCAL, round_id, reason)
        show(seen, f"{audit_service.stands(seen)} That you looked is on record.", as_json)


@rounds.command()
@click.argument("round_id", metavar="[ROUND]", required=False)
@in_project
@as_json
def audit(round_id: str | None, project: str | None, as_json: bool) -> None:
    """List what was refused and who looked early, newest first; no entry can be changed."""
    with workspace() as ws:
        if round_id is None:
            chosen = common.project(ws, project).id
        else:
            chosen = round_service.get(ws, LOCAL, round_id).project_id
        found = audit_service.lines(ws, LOCAL, chosen, round_id)
        lines = [f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(line.at))}  {line.sentence}"
                 for line in found]  # fmt: skip
        nothing = "Nothing was refused, and nobody looked early."
        show({"entries": found}, "\n".join(lines) or nothing, as_json)


@rounds.command()
@click.argument("name")
@in_project
@as_json
def invite(name: str, project: str | None, as_json: bool) -> None:
    """Make a link with which a person rates the open rounds of a project."""
    with workspace() as ws:
        token = invites.make(ws, LOCAL, common.project(ws, project).id, name)
        path = f"/rate/join/{token}"
        show({"rater": name, "path": path}, path, as_json)


@click.command()
@click.argument("prompt")
@click.option("--model", "wanted", multiple=True, required=True, help="Several answer in turn.")
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0, 2))
@click.option("--max-new-tokens", default=128, show_default=True, type=click.IntRange(1, 4096))
@in_project
@as_json
def play(
    prompt: str,
    wanted: tuple[str, ...],
    temperature: float,
    max_new_tokens: int,
    project: str | None,
    as_json: bool,
) -> None:
    """Ask models a question."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = {
            "models": [common.model_id(ws, chosen.id, m) for m in wanted],
            "prompt": prompt,
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
        }
        recipe = read(plugins.load("jobs", "play").Recipe, values)
        with working(ws):
            job = wait(ws, lifecycle.submit(ws, LOCAL, chosen.id, recipe, "Question"))
        answers = list(job.result["answers"].values())
        text = "\n\n".join(f"{m}: {a['text']}" for m, a in zip(wanted, answers, strict=True))
        show(job.result, text, as_json)
