"""Shared by the commands: workspace, project, ids for names, waiting for a job, printing."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from engine import worker
from engine.core.actor import LOCAL
from engine.core.errors import NotFound, Unfinished
from engine.core.event import Event, LogEvent, ProgressEvent
from engine.core.job import Job, State
from engine.core.project import Project
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.workspace import Workspace, open_workspace

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for scripts.")
in_project = click.option(
    "--project", default=None, help="Project name or id; the newest by default."
)
POLL_EVERY_S = 0.5
LISTED = 8  # names in a message


class AliasGroup(click.Group):
    """A group that also answers to earlier spellings, which its help does not list."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.aliases: dict[str, click.Command] = {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or the one that had this name before."""
        return super().get_command(ctx, cmd_name) or self.aliases.get(cmd_name)


@contextmanager
def workspace() -> Iterator[Workspace]:
    """The workspace of the environment, closed at the end."""
    ws = open_workspace()
    try:
        yield ws
    finally:
        ws.close()


def plain(value: Any) -> Any:
    """`value` as plain JSON types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def show(value: Any, text: str, wants_json: bool) -> None:
    """One JSON object for scripts, or text for people."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2) if wants_json else text)


def project(ws: Workspace, wanted: str | None, *, make: bool = False) -> Project:
    """The project by name or id, the newest when none is named; made where `make` allows it."""
    known = projects.list_all(ws, LOCAL)
    for one in known:
        if wanted in (None, one.id, one.name):
            return one
    if make:
        return projects.find_or_create(ws, LOCAL, wanted)
    if wanted is None:
        raise NotFound("There is no project yet.", "Add data first: tuneloop data add FILE.")
    raise NotFound(f"There is no project {wanted!r}.", f"Known: {_names(p.name for p in known)}.")


def dataset_id(ws: Workspace, project_id: str, wanted: str) -> str:
    """The id of a dataset named by id, name@version, or name alone for the newest version."""
    known = datasets.list_all(ws, LOCAL, project_id)
    for one in known:
        if wanted in (one.id, one.label, one.name):
            return one.id
    raise NotFound(f"There is no dataset {wanted!r}.", f"Known: {_names(d.label for d in known)}.")


def model_id(ws: Workspace, project_id: str, wanted: str) -> str:
    """The id of a model named by id or name, the newest of equal names; `default` is the base."""
    known = registry.list_all(ws, LOCAL, project_id)
    if wanted == "default":
        return registry.default_model(ws, LOCAL, say).id
    for one in reversed(known):
        if wanted in (one.id, one.name):
            return one.id
    raise NotFound(f"There is no model {wanted!r}.", f"Known: {_names(m.name for m in known)}.")


def job(ws: Workspace, project_id: str, wanted: str) -> Job:
    """The job with this id or name, the newest of equal names."""
    known = lifecycle.list_all(ws, LOCAL, project_id)
    for one in known:
        if wanted in (one.id, one.name):
            return one
    names = _names(one.name for one in known[:LISTED])
    raise NotFound(f"There is no job {wanted!r}.", f"The newest: {names}.")


def say(text: str) -> None:
    """A line for the person, beside whatever the command prints."""
    click.echo(text, err=True)


@contextmanager
def working(ws: Workspace) -> Iterator[None]:
    """A worker for as long as the command needs one; one that is alive already is used."""
    if lifecycle.worker_alive(ws, LOCAL):
        yield
        return
    process = worker.start(ws)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def wait(ws: Workspace, job: Job) -> Job:
    """The job when it is over, with a progress bar meanwhile; Ctrl-C asks it to stop."""
    seen = 0
    with Watching(job.name) as watching:
        try:
            while not job.over:
                time.sleep(POLL_EVERY_S)
                for event in lifecycle.watch(ws, LOCAL, job.id, seen):
                    seen = event.seq
                    watching.show_event(event)
                job = lifecycle.get(ws, LOCAL, job.id)
        except KeyboardInterrupt:
            lifecycle.cancel(ws, LOCAL, job.id)
            raise click.Abort from None
    if job.state is not State.DONE:
        raise Unfinished(job.error or f"{job.name} was {job.state}.")
    return job


class Watching:
    """A progress bar on a terminal; a line for each new stage where output goes to a file."""

    def __init__(self, name: str) -> None:
        self.console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn())
        share = TextColumn("{task.percentage:>3.0f} %")
        self.bar = Progress(*columns, share, TimeElapsedColumn(), console=self.console)
        self.task = self.bar.add_task(name, total=None)
        self.label = ""

    def __enter__(self) -> "Watching":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show_event(self, event: Event) -> None:
        """Show what a job said."""
        if isinstance(event, LogEvent):
            self.console.print(event.data["text"], markup=False)
        if not isinstance(event, ProgressEvent):
            return
        done, total = event.data["done"], event.data["total"]
        label = str(event.data.get("label", self.label))
        self.bar.update(self.task, completed=done, total=total, description=label)
        if label != self.label and not self.console.is_terminal and not label.startswith("Step "):
            # a share: what is counted may be steps, bytes, or each question twice
            say(f"{100 * done / total:.0f} %: {label}" if total else label)
        self.label = label


def _names(found: Iterable[str]) -> str:
    return ", ".join(found) or "none yet"
