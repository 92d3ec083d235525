"""training eject | recipe export | recipe import: trainings that leave and arrive."""

from pathlib import Path

import click
import yaml

from engine import plugins
from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.cli.training import training
from engine.core.actor import LOCAL
from engine.files import write_new
from engine.services.training import recipe_import, run_files
from engine.services.training.recipe_import import FAMILY as SOURCES
from engine.services.training.recipe_import import KINDS
from engine.services.training.run_files import FAMILY

FOLDER = click.Path(path_type=Path)


@training.command("eject")
@click.argument("run", metavar="RUN")
@click.argument("folder", metavar="DIR", type=FOLDER)
@in_project
@as_json
def eject(run: str, folder: Path, project: str | None, as_json: bool) -> None:
    """Write RUN to the new folder DIR as a script that needs no Tuneloop.

    RUN is the name or id of a finished SFT or DPO training. The script checks data and weights by
    their hashes, trains with transformers, TRL and PEFT, and compares its losses with the run's.
    """
    _write(run, "eject", folder, project, as_json)


@training.group()
def recipe() -> None:
    """Export the recipe of a run to other programs, and import theirs."""


@recipe.command("export")
@click.argument("run", metavar="RUN")
@click.option(
    "--to",
    required=True,
    type=click.Choice(plugins.names(FAMILY)),
    help="The program that trains with it.",
)
@click.option("--out", type=FOLDER, help="A new folder; RUN-PROGRAM in this folder by default.")
@in_project
@as_json
def export_recipe(run: str, to: str, out: Path | None, project: str | None, as_json: bool) -> None:
    """Write the recipe of RUN with its rows to a new folder, as another program reads them."""
    _write(run, to, out, project, as_json)


def _write(run: str, to: str, out: Path | None, project: str | None, wants_json: bool) -> None:
    with workspace() as ws:
        job = common.job(ws, common.project(ws, project).id, run)
        folder = out or Path(f"{job.id}-{to}")
        written = run_files.write(ws, LOCAL, job.id, to, folder)
    size = sum(file.bytes for file in written.files) / 1e6
    lines = [f"{folder}: {len(written.files)} files, {size:,.1f} MB.", *written.notes]
    show({"path": str(folder), **written._asdict()}, "\n".join(lines), wants_json)


@recipe.command("import")
@click.argument("file", type=FOLDER)
@click.option(
    "--from",
    "source",
    type=click.Choice(plugins.names(SOURCES)),
    help="The program it is of; recognised by its keys by default.",
)
@click.option("--kind", type=click.Choice(KINDS), help="The method, where FILE does not say it.")
@click.option("--out", type=FOLDER, help="Also write the recipe as YAML, for `training start`.")
@as_json
def import_recipe(
    file: Path, source: str | None, kind: str | None, out: Path | None, as_json: bool
) -> None:
    """Read the YAML of Axolotl, LLaMA-Factory or TRL in FILE as a recipe.

    Every key that has no equal is listed with the reason.
    """
    imported = recipe_import.read(file, source, kind)
    text = yaml.safe_dump(imported.recipe, sort_keys=False, allow_unicode=True)
    if out:
        write_new(out, text.encode())
    lost = [f"# no equal: {one.key}: {one.value}  ({one.why})" for one in imported.unmatched]
    show(imported, "\n".join([text.rstrip(), *lost]), as_json)
