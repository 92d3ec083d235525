"""training start RECIPE.yaml; estimate.py and studies.py add the other training commands."""

from pathlib import Path

import click
import yaml

from engine import plugins
from engine.cli import common
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.errors import UserError, quoted
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe, put, read
from engine.core.yaml_values import read_yaml, why_not
from engine.services.jobs import lifecycle
from engine.services.training import estimate
from engine.services.training import methods as known_methods
from engine.workspace import Workspace

STUDIES = ("curve", "sweep")  # kinds of job that train many times


@click.group()
def training() -> None:
    """Estimate and start trainings, learning curves and hyperparameter searches."""


@training.command("start")
@click.argument("recipe", type=click.Path(path_type=Path))
@in_project
@click.option(
    "--set", "changes", multiple=True, help="Override a field of the recipe: FIELD=VALUE."
)
@click.option("--name", default="", help="Name of the job.")
@click.option("--anyway", is_flag=True, help="Start even if the estimate says it will not fit.")
@click.option("--no-wait", is_flag=True, help="Queue the job and return at once.")
@as_json
def start_training(
    recipe: Path,
    project: str | None,
    changes: tuple[str, ...],
    name: str,
    anyway: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Train with the settings in the YAML file RECIPE (examples: engine/recipes)."""
    values = values_of(recipe, changes)
    kind = str(values.pop("kind", ""))
    known = [*methods(), *STUDIES]
    if kind not in known:
        raise UserError(
            f"The recipe's kind is {quoted(kind or 'missing')}.",
            f"Set it to one of: {', '.join(known)}.",
        )
    with workspace() as ws:
        chosen = common.project(ws, project)
        start_job(
            ws, chosen.id, kind, values, name, anyway=anyway, no_wait=no_wait, as_json=as_json
        )


def start_job(
    ws: Workspace,
    project_id: str,
    kind: str,
    values: JsonObject,
    name: str,
    *,
    anyway: bool = False,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Queue a job of this kind; wait for it and print its result unless `no_wait`."""
    recipe = read(plugins.load("jobs", kind).Recipe, with_ids(ws, project_id, values))
    if isinstance(recipe, TrainRecipe):
        job = estimate.submit(ws, LOCAL, project_id, recipe, name, anyway=anyway)
    else:
        job = lifecycle.submit(ws, LOCAL, project_id, recipe, name)
    if no_wait:
        show(job, f"{job.name} is queued as {job.id}.", as_json)
        return
    with working(ws):
        job = wait(ws, job)
    found = [f"{name}: {value}" for name, value in job.result.model_dump(mode="json").items()]
    lines = [job.result.sentence] if job.result.sentence else found
    show(job, "\n".join([f"{job.name} is done.", *lines]), as_json)


def methods() -> list[str]:
    """The kinds of job that train."""
    return list(known_methods.known())


def values_of(path: Path, changes: tuple[str, ...]) -> JsonObject:
    """The settings in the file with the changes of --set; UserError where either is malformed."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path.name} is not UTF-8.", "Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        raise UserError(
            f"{path.name} is not YAML: {why_not(error)}.", "Correct the file and try again."
        ) from None
    if not isinstance(values, dict):
        raise UserError(f"{path.name} holds no settings.", "Start from engine/recipes/sft.yaml.")
    return changed(values, changes)


def changed(values: JsonObject, changes: tuple[str, ...]) -> JsonObject:
    """`values` with the changes of --set."""
    for change in changes:
        field, found, value = change.partition("=")
        if not found:
            raise UserError(f"--set {quoted(change)} has no '='.", "Write FIELD=VALUE.")
        try:
            put(values, field, read_yaml(value))
        except yaml.YAMLError as error:
            raise UserError(
                f"--set {quoted(change)} is not YAML: {why_not(error)}.", "Write FIELD=VALUE."
            ) from None
    return values


def with_ids(ws: Workspace, project_id: str, values: JsonObject) -> JsonObject:
    """`values` with the ids of the model and the dataset for their names."""
    found = dict(values)
    if "model" in found:
        found["model"] = common.model_id(ws, project_id, str(found["model"]))
    if "dataset" in found:
        found["dataset"] = common.dataset_id(ws, project_id, str(found["dataset"]))
    return found
