"""rating rounds start | close | verdict | report | ..., and rating invite | erase | audit."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from engine.cli import common, recipe_options
from engine.cli.common import AliasGroup, as_json, in_project, show, wait, working, workspace
from engine.cli.rating import rating
from engine.cli.training import changed, values_of, with_ids
from engine.core.actor import LOCAL
from engine.core.errors import Unfinished, UserError
from engine.core.recipe import read
from engine.services import erasure as erasure_service
from engine.services.jobs import lifecycle
from engine.services.rating import audit as audit_service
from engine.services.rating import existing_answers, invites, paused_raters, plans
from engine.services.rating import report as report_service
from engine.services.rating import rounds as round_service
from engine.services.rating.existing_answers import AnswerColumns
from engine.services.rating.plans import RoundRecipe


@click.group(cls=AliasGroup, invoke_without_command=True)
@in_project
@as_json
@click.pass_context
def rounds(context: click.Context, project: str | None, as_json: bool) -> None:
    """Start, close and read rating rounds; without a subcommand, list them newest first."""
    if context.invoked_subcommand:
        return
    with workspace() as ws:
        rating_rounds = round_service.list_all(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{r.id}  {r.status:9} {r.purpose:11} {r.name}" for r in rating_rounds]
        show({"rounds": rating_rounds}, "\n".join(lines) or "No round yet.", as_json)


@rounds.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option(
    "--blind", is_flag=True, help="Blind test of two models; short for --purpose blind_eval."
)
@click.option("--single", is_flag=True, help="Show one answer at a time, rated good or bad.")
@click.option(
    "--sequential", is_flag=True, help="Sequential test: it may end as soon as there is evidence."
)
@recipe_options.options(RoundRecipe, skip=("answers",))
@click.option("--set", "changes", multiple=True, help="FIELD=VALUE, as in the file.")
@click.option("--anyway", is_flag=True, help="Start even if the model regressed or may have.")
@click.option(
    "--answers",
    metavar="2|3|4|FILE",
    default=None,
    help="How many answers are shown at a time: 3 or 4 are ranked. Or a file: rate its answers, "
    "prompts with two or more, instead of generating any.",
)
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="ROLE=COLUMN",
    help="With --answers FILE: the column of the prompt, and each column of answers, such as "
    "--map prompt=frage --map answer=model-x --map answer=model-y.",
)
@in_project
@as_json
def start(
    recipe: Path | None,
    blind: bool,
    single: bool,
    sequential: bool,
    changes: tuple[str, ...],
    anyway: bool,
    answers: str | None,
    columns: tuple[str, ...],
    project: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Generate the answers of a new round and open it for rating at /rate/ROUND.

    Options may also stand in the YAML file RECIPE, under the same names. With --answers FILE
    nothing is generated: the file has a column prompt and answer_1, answer_2, ... (model_1, model_2
    name their models), a list of answers, or one answer per row with its model; --model is then the
    model under test as the file calls it. A number and a file together: --answers FILE --set
    answers=4. A file whose name is a number is written with its folder, such as ./4.
    """
    values = values_of(recipe, changes) if recipe else changed({}, changes)
    values.pop("kind", None)
    values |= recipe_options.given(options)
    values |= {"purpose": "blind_eval"} if blind else {}
    values |= {"mode": "single"} if single else {}
    values |= {"decision": "sequential"} if sequential else {}
    if answers is not None and answers.isdecimal():
        values["answers"] = int(answers)
    elif answers is not None:
        _start_with_answers(Path(answers), columns, values, anyway, project, as_json)
        return
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = with_ids(ws, chosen.id, values)
        if values.get("baseline"):
            values["baseline"] = common.model_id(ws, chosen.id, str(values["baseline"]))
        asked = read(RoundRecipe, values)
        made = round_service.start(ws, LOCAL, chosen.id, asked, anyway=anyway)
        common.say(plans.expected(made.purpose, made.plan.prompts, made.plan.decision))
        if made.job_id:
            with working(ws):
                wait(ws, lifecycle.get(ws, LOCAL, made.job_id))
        made = round_service.get(ws, LOCAL, made.id)
        if made.status == "failed":
            left_out = round_service.left_out(ws, LOCAL, made.id)
            counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
            raise Unfinished(
                f"{made.name} has nothing to rate: {counts or 'no answer was written'}.",
                "Start another one, with a larger --max-new-tokens where answers were truncated.",
            )
        show(made, f"{made.name} is {made.status}: {made.id}", as_json)


def _start_with_answers(
    file: Path,
    columns: tuple[str, ...],
    values: Mapping[str, object],
    anyway: bool,
    project: str | None,
    as_json: bool,
) -> None:
    asked = read(RoundRecipe, {"model": "", "dataset": "", "prompts": plans.MOST_PROMPTS, **values})
    with workspace() as ws:
        chosen = common.project(ws, project, make=True).id
        made = existing_answers.start(
            ws, LOCAL, chosen, file, file.name, asked, _answer_columns(columns), anyway=anyway
        )
        for flaw in made.broken:
            common.say(f"Row {flaw.row} {flaw.reason}.")
        counts = ", ".join(f"{count} {why}" for why, count in made.left_out.items() if count)
        if made.round.status == "failed":
            raise Unfinished(
                f"{made.round.name} has nothing to rate: {counts}.", "Give other answers."
            )
        text = f"{made.round.name} is {made.round.status}: {made.round.id}"
        if made.not_shown:
            common.say(made.not_shown_words)
        show(
            made.round,
            f"{text}\n{made.comparisons} comparisons{f'; left out: {counts}' if counts else ''}",
            as_json,
        )


def _answer_columns(columns: tuple[str, ...]) -> AnswerColumns:
    found: dict[str, list[str]] = {"prompt": [], "answer": []}
    for each in columns:
        role, _, column = each.partition("=")
        if role not in found or not column:
            raise UserError(f"{each[:60]!r} is no column.", "Give prompt=COLUMN or answer=COLUMN.")
        found[role].append(column)
    return AnswerColumns(next(iter(found["prompt"]), None), tuple(found["answer"]))


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def close(round_id: str, as_json: bool) -> None:
    """Close a round for good; it cannot be reopened."""
    with workspace() as ws:
        closed = round_service.close(ws, LOCAL, round_id)
        show(closed, f"{closed.name} is closed.", as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def verdict(round_id: str, as_json: bool) -> None:
    """Print the verdict of a closed round."""
    with workspace() as ws:
        found = round_service.verdict(ws, LOCAL, round_id)
        show(found, found.sentence, as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def report(round_id: str, as_json: bool) -> None:
    """Print the full report of a closed round: result, biases, agreement, raters."""
    with workspace() as ws:
        found = report_service.report(ws, LOCAL, round_id)
        show(found, found.sentence, as_json)


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--pause", default=None, help="Rater who gets no further comparisons.")
@click.option("--resume", default=None, help="Paused rater who may continue.")
@as_json
def raters(round_id: str, pause: str | None, resume: str | None, as_json: bool) -> None:
    """List the raters of a round, those with quality warnings first."""
    with workspace() as ws:
        if pause:
            paused_raters.pause(ws, LOCAL, round_id, pause)
        if resume:
            paused_raters.resume(ws, LOCAL, round_id, resume)
        found = paused_raters.raters(ws, LOCAL, round_id)
        lines = [
            f"{each.rater}  {each.votes} votes{'  paused' if each.paused else ''}  "
            f"{'; '.join(each.quality.reasons)}".rstrip()
            for each in found
        ]
        show({"raters": found}, "\n".join(lines) or "Nobody has voted yet.", as_json)


@rating.command()
@click.argument("rater", required=False)
@click.option("--everywhere", is_flag=True, help="Delete in every project.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@in_project
@as_json
def erase(
    rater: str | None, everywhere: bool, yes: bool, project: str | None, as_json: bool
) -> None:
    """Delete every vote, skip, note and edit of RATER and the name, permanently.

    Without RATER, list the names. Backups made earlier still contain the deleted data.
    """
    with workspace() as ws:
        chosen = common.project(ws, project).id
        if rater is None:
            known = erasure_service.people(ws, LOCAL, chosen)
            show({"raters": known}, "\n".join(known) or "Nobody has rated yet.", as_json)
            return
        where = "every project" if everywhere else "this project"
        if not yes:
            click.confirm(f"Delete all of {rater} in {where}, for good?", abort=True, err=True)
        gone = erasure_service.erase(ws, LOCAL, None if everywhere else chosen, rater)
        show(gone, gone.sentence, as_json)


@rounds.command("break-glass")
@click.argument("round_id", metavar="ROUND")
@click.option("--reason", required=True, help="Reason, kept in the audit log.")
@as_json
def break_glass(round_id: str, reason: str, as_json: bool) -> None:
    """Show the interim result of an open blind round; name and reason go to the audit log.

    The round is then decided by a sequential test, which needs more votes.
    """
    with workspace() as ws:
        seen = round_service.break_glass(ws, LOCAL, round_id, reason)
        show(
            seen,
            f"{audit_service.tally_sentence(seen)} Your early look is in the audit log.",
            as_json,
        )


@rating.command()
@click.argument("round_id", metavar="[ROUND]", required=False)
@in_project
@as_json
def audit(round_id: str | None, project: str | None, as_json: bool) -> None:
    """List refused votes and early looks, newest first; the log is append-only."""
    with workspace() as ws:
        if round_id is None:
            chosen = common.project(ws, project).id
        else:
            chosen = round_service.get(ws, LOCAL, round_id).project_id
        entries = audit_service.entries(ws, LOCAL, chosen, round_id)
        lines = [f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(line.at))}  {line.sentence}"
                 for line in entries]  # fmt: skip
        nothing = "No refused votes and no early looks."
        show({"entries": entries}, "\n".join(lines) or nothing, as_json)


@rating.command()
@click.argument("name")
@click.option("--days", type=click.IntRange(0, invites.MOST_DAYS), default=invites.DAYS,
              show_default=True, help="Ends after so many days; 0: never.")  # fmt: skip
@click.option("--browsers", type=click.IntRange(0, invites.MOST_BROWSERS), default=0,
              show_default=True, help="Works in so many browsers; 0: in any number.")  # fmt: skip
@in_project
@as_json
def invite(name: str, days: int, browsers: int, project: str | None, as_json: bool) -> None:
    """Create an invitation link for a rater to the open rounds of a project."""
    with workspace() as ws:
        chosen = common.project(ws, project).id
        token = invites.make(
            ws, LOCAL, chosen, name, days=days or None, most_browsers=browsers or None
        )
        made = invites.list_all(ws, LOCAL, chosen)[0]
        path = f"/rate/join/{token}"
        found = {"rater": name, "path": path, "ends_at": made.ends_at,
                 "most_browsers": made.most_browsers}  # fmt: skip
        show(found, f"{path}\nThe invitation {made.sentence}.", as_json)


@rating.command("invitations")
@in_project
@as_json
def invitations(project: str | None, as_json: bool) -> None:
    """List the invitations of a project: who is invited, until when, and in how many browsers."""
    with workspace() as ws:
        links = invites.list_all(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{one.rater:24} {one.sentence}" for one in links]
        show({"invitations": links}, "\n".join(lines) or "Nobody is invited.", as_json)


rating.add_command(rounds)
rounds.aliases = {"invite": invite, "forget": erase, "audit": audit}
rating.aliases = {"forget": erase, "start": start}
