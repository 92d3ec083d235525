"""jobs list | show | name | note | tag | compare | queue | cancel | delete."""

from typing import Any, get_args

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.core.job import Job
from engine.core.shortened import shortened
from engine.services.jobs import compare, lifecycle, listing
from engine.services.jobs import queue_position as jobs_waiting
from engine.services.jobs.compare import RunComparison
from engine.services.jobs.listing import Sort

WIDE = 34  # characters of a value in a table


@click.group(invoke_without_command=True)
@in_project
@as_json
@click.pass_context
def jobs(context: click.Context, project: str | None, as_json: bool) -> None:
    """List, compare and manage jobs; without a subcommand, list them newest first."""
    if context.invoked_subcommand:
        return
    with workspace() as ws:
        project_jobs = lifecycle.list_all(ws, LOCAL, common.project(ws, project).id)
        show({"runs": project_jobs}, _lines(project_jobs), as_json)


@jobs.command("list")
@click.argument("words", nargs=-1)
@in_project
@click.option("--tag", "tags", multiple=True, help="Only jobs with this tag.")
@click.option("--kind", "kinds", multiple=True, help="Only jobs of this kind, such as sft.")
@click.option("--sort", type=click.Choice(get_args(Sort)), default="newest", show_default=True)
@as_json
def search(
    words: tuple[str, ...],
    project: str | None,
    tags: tuple[str, ...],
    kinds: tuple[str, ...],
    sort: Sort,
    as_json: bool,
) -> None:
    """List jobs whose name, note, tags, data or model contain all WORDS."""
    with workspace() as ws:
        chosen = common.project(ws, project).id
        found = listing.search(ws, LOCAL, chosen, " ".join(words), tags, kinds or None, sort=sort)
        show({"runs": found}, _lines(found), as_json)


@jobs.command("show")
@click.argument("job_id", metavar="JOB")
@as_json
def show_one(job_id: str, as_json: bool) -> None:
    """Show one job with all its events."""
    with workspace() as ws:
        job = lifecycle.get(ws, LOCAL, job_id)
        events = lifecycle.watch(ws, LOCAL, job_id)
        lines = [f"{job.name}: {job.state} {job.error or ''}".rstrip()]
        lines += [f"tags: {', '.join(job.tags)}"] if job.tags else []
        lines += [f"note: {job.note}"] if job.note else []
        lines += [f"{e.seq:5} {e.kind:9} {e.step or '':>6} {e.data}" for e in events]
        show({"run": job, "events": events}, "\n".join(lines), as_json)


@jobs.command("name")
@click.argument("job_id", metavar="JOB")
@click.argument("name")
@as_json
def rename(job_id: str, name: str, as_json: bool) -> None:
    """Rename a job."""
    with workspace() as ws:
        job = listing.rename(ws, LOCAL, job_id, name)
        show(job, f"It is called {job.name} now.", as_json)


@jobs.command()
@click.argument("job_id", metavar="JOB")
@click.argument("text")
@as_json
def note(job_id: str, text: str, as_json: bool) -> None:
    """Set the note of a job; an empty TEXT removes it."""
    with workspace() as ws:
        job = listing.annotate(ws, LOCAL, job_id, text)
        show(job, f"Noted at {job.name}." if job.note else f"{job.name} has no note now.", as_json)


@jobs.command()
@click.argument("job_id", metavar="JOB")
@click.argument("tags", nargs=-1)
@as_json
def tag(job_id: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Replace the tags of a job with TAGS."""
    with workspace() as ws:
        job = listing.tag(ws, LOCAL, job_id, tags)
        show(job, f"{job.name}: {', '.join(job.tags) or 'no tag'}.", as_json)


@jobs.command("compare")
@click.argument("chosen", nargs=-1, metavar="JOB...")
@as_json
def side_by_side(chosen: tuple[str, ...], as_json: bool) -> None:
    """Compare two to five jobs: settings that differ, and final metrics."""
    with workspace() as ws:
        comparison = compare.compare(ws, LOCAL, chosen)
        show(comparison, _table(comparison), as_json)


@jobs.command("queue")
@as_json
def waiting(as_json: bool) -> None:
    """List queued jobs and their estimated start."""
    with workspace() as ws:
        found = jobs_waiting.queue(ws, LOCAL)
        lines = [
            f"{one.job_id}  {one.place} before it"
            + (f", starts in about {one.starts_in_s:.0f} s" if one.starts_in_s is not None else "")
            for one in found
        ]
        show({"waiting": found}, "\n".join(lines) or "Nothing waits.", as_json)


@jobs.command()
@click.argument("job_id", metavar="JOB")
@as_json
def cancel(job_id: str, as_json: bool) -> None:
    """Stop a job: at once if queued, after the current step if running."""
    with workspace() as ws:
        job = lifecycle.cancel(ws, LOCAL, job_id)
        show(job, f"{job.name} will stop." if not job.over else f"{job.name} is stopped.", as_json)


@jobs.command()
@click.argument("job_id", metavar="JOB")
@as_json
def delete(job_id: str, as_json: bool) -> None:
    """Delete a job and everything it produced, unless something else uses it."""
    with workspace() as ws:
        job = lifecycle.get(ws, LOCAL, job_id)
        listing.remove(ws, LOCAL, job_id)
        show({"deleted": job.id}, f"{job.name} is deleted.", as_json)


def _lines(found: list[Job]) -> str:
    lines = [
        f"{j.id}  {j.state:10} {j.kind:9} {j.name}" + (f"  [{', '.join(j.tags)}]" if j.tags else "")
        for j in found
    ]
    return "\n".join(lines) or "No job yet."


def _table(found: RunComparison) -> str:
    """One column a job: first the settings that differ, then the last numbers."""
    rows: list[tuple[str, list[str]]] = [("", [job.name for job in found.runs])]
    rows += [(name, [_cell(value) for value in each]) for name, each in found.settings.items()]
    rows += [(name, [_cell(value) for value in each]) for name, each in found.finals.items()]
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[n]) for _, cells in rows) for n in range(len(found.runs))]
    lines = [
        "  ".join([name.ljust(first), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))])
        for name, cells in rows
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return shortened(text, WIDE)
