"""runs list | show | cancel."""

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.services import jobs


@click.group(invoke_without_command=True)
@in_project
@as_json
@click.pass_context
def runs(context: click.Context, project: str | None, as_json: bool) -> None:
    """List the runs of a project, newest first."""
    if context.invoked_subcommand:
        return
    with workspace() as ws:
        found = jobs.list_all(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{j.id}  {j.state:10} {j.kind:9} {j.name}" for j in found]
        show({"runs": found}, "\n".join(lines) or "No run yet.", as_json)


@runs.command("show")
@click.argument("run")
@as_json
def show_one(run: str, as_json: bool) -> None:
    """Show one run with all that it said."""
    with workspace() as ws:
        job = jobs.get(ws, LOCAL, run)
        events = jobs.watch(ws, LOCAL, run)
        lines = [f"{job.name}: {job.state} {job.error or ''}".rstrip()]
        lines += [f"{e.seq:5} {e.kind:9} {e.step or '':>6} {e.data}" for e in events]
        show({"run": job, "events": events}, "\n".join(lines), as_json)


@runs.command()
@click.argument("run")
@as_json
def cancel(run: str, as_json: bool) -> None:
    """Stop a run: at once while it waits, after its current step while it runs."""
    with workspace() as ws:
        job = jobs.cancel(ws, LOCAL, run)
        show(job, f"{job.name} will stop." if not job.over else f"{job.name} is stopped.", as_json)
