"""models list | fetch | search | add | remove | export."""

from pathlib import Path
from typing import Any

import click

from engine import plugins
from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, say, show, wait, working, workspace
from engine.core import hub_words
from engine.core.actor import LOCAL
from engine.core.hub import Catalog, HubBase, HubMatch
from engine.core.recipe import Recipe
from engine.core.units import memory_words, number_words
from engine.files import checked_new_folder
from engine.services import exports, hub, projects
from engine.services.models import bases, registry, template_choice

EXPORT: type[Recipe] = plugins.load("jobs", "export").Recipe
WRITTEN_BY_THE_SERVICE = ("card", "base", "revision")


@click.group(invoke_without_command=True)
@in_project
@click.option("--fetch", is_flag=True, hidden=True, help="The same as `models fetch`.")
@as_json
@click.pass_context
def models(context: click.Context, project: str | None, fetch: bool, as_json: bool) -> None:
    """List models and fetch the default one; without a subcommand, list them."""
    if not context.invoked_subcommand:
        _show_models(project, as_json, fetch=fetch)


@models.command("list")
@in_project
@as_json
def list_models(project: str | None, as_json: bool) -> None:
    """List the models of a project, base models first."""
    _show_models(project, as_json)


@models.command("fetch")
@as_json
def fetch_default(as_json: bool) -> None:
    """Fetch the default model, if it is not here yet, and list the models."""
    _show_models(None, as_json, fetch=True)


@models.command("template")
@click.argument("model")
@click.option("--use", "name", default=None, metavar="NAME", help="Template to give to the base.")
@as_json
def give_template(model: str, name: str | None, as_json: bool) -> None:
    """Give MODEL, a base without a chat template, one that you choose.

    Without --use the templates that fit its tokenizer are listed. The base stays as it is; with
    the template it is a base of its own.
    """
    with workspace() as ws:
        base = common.model_id(ws, "", model)
        if name is None:
            templates = template_choice.choices(ws, LOCAL, base)
            lines = [f"{one.name:8} {one.summary} {one.meaning}" for one in templates]
            show({"templates": templates}, "\n".join(lines), as_json)
            return
        new = template_choice.give(ws, LOCAL, base, name)
        show(new, f"{new.name} is a base now.", as_json)


def _show_models(project: str | None, as_json: bool, *, fetch: bool = False) -> None:
    with workspace() as ws:
        if fetch:
            registry.ensure_default(ws, LOCAL, say)
        known = projects.list_all(ws, LOCAL)
        chosen = common.project(ws, project).id if project or known else None
        models = registry.list_all(ws, LOCAL, chosen)
        lines = [f"{m.name:40} {m.kind:8} {m.source:8} {m.info.get('note', '')}" for m in models]
        text = "\n".join(lines) or "No model yet. Fetch the default: tuneloop models fetch"
        show({"models": models}, text, as_json)


@models.command("search")
@click.argument("text", default="")
@as_json
def search_hub(text: str, as_json: bool) -> None:
    """Search the Hugging Face Hub for base models; without TEXT, list good first ones.

    The list of good first bases needs no network and is shown where the Hub cannot be reached.
    """
    found = hub.search(LOCAL, text)
    lines = [_match_line(one) for one in found.models]
    if found.problem:
        lines.append(found.problem)
    if not found.models:
        lines += ["", *_catalog_lines(found.catalog)] if lines else _catalog_lines(found.catalog)
    show(found, "\n".join(lines), as_json)


@models.command("add")
@click.argument("name")
@click.option("--revision", default=None, help="Commit, all 40 digits; the newest by default.")
@click.option("--dry-run", is_flag=True, help="Show what would be downloaded, and stop.")
@in_project
@as_json
def add_base(
    name: str, revision: str | None, dry_run: bool, project: str | None, as_json: bool
) -> None:
    """Download the base NAME (ORGANISATION/NAME) from the Hugging Face Hub.

    What it is and whether it can be trained here is shown first. The download is pinned to the
    commit and goes on where it was when it is started again after a failure.
    """
    with workspace() as ws:
        base = hub.look(ws, LOCAL, name, revision)
        if dry_run:
            show(base, _facts(base), as_json)
            return
        # the refusal that follows names the first obstacle
        say(_facts(base, named=0 if base.model_id else 1))
        if base.model_id:
            show(registry.get(ws, LOCAL, base.model_id), f"{base.name} is here.", as_json)
            return
        chosen = common.project(ws, project, make=True)
        with working(ws):
            job = wait(ws, hub.add(ws, LOCAL, chosen.id, base.name, base.revision))
        added = registry.get(ws, LOCAL, job.result.model_id or "")
        show(added, job.result.sentence, as_json)


@models.command("remove")
@click.argument("name")
@as_json
def remove_base(name: str, as_json: bool) -> None:
    """Remove the base NAME; refused while a model needs it. A folder of yours is not deleted."""
    with workspace() as ws:
        base = bases.by_name(ws, LOCAL, name)
        freed = bases.remove(ws, LOCAL, base.id)
        text = f"{base.name} is removed; {memory_words(freed)} are free again."
        show({"removed": base.id, "freed_bytes": freed}, text, as_json)


def _match_line(one: HubMatch) -> str:
    many = number_words(one.parameters) if one.parameters else "?"
    return f"{one.name:55} {many:>6}  {one.licence or 'licence not named'}{_gated(one.gated)}"


def _catalog_lines(catalog: Catalog) -> list[str]:
    head = f"Good first bases, as of {catalog.dated}:"
    return [head] + [
        f"{one.name:40} {number_words(one.parameters):>5}  {one.licence:10} "
        f"{one.context:>7,} tokens  {one.good_for}{_gated(one.gated)}"
        + (f" ({hub_words.unchecked(one).lower()})" if one.unchecked else "")
        for one in catalog.bases
    ]


def _gated(gated: bool) -> str:
    return " (gated)" if gated else ""


def _facts(base: HubBase, named: int = 0) -> str:
    """What a person wants to know before gigabytes come: a line each.

    The first `named` of its obstacles are left out.
    """
    lines = [f"{label:17} {value}" for label, value in hub_words.facts(base)]
    lines.append(hub_words.ESTIMATE)
    return "\n".join(lines + [" ".join(one) for one in hub_words.obstacles(base)[named:]])


@models.command("export")
@click.argument("model")
@click.option("--to", required=True, type=click.Choice(plugins.names("exporters")), help="Format.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@recipe_options.options(EXPORT, skip=("model", "to", *WRITTEN_BY_THE_SERVICE))
@in_project
@as_json
def export_model(
    model: str, to: str, out: Path, project: str | None, as_json: bool, **options: Any
) -> None:
    """Write MODEL to a new folder in a format of other programs, and check that it answers alike.

    The certificate lets the exported files answer held-out questions in their own program and
    compares every answer with the model's.
    """
    checked_new_folder(out)
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = recipe_options.given(options) | {"to": to}
        values["model"] = common.model_id(ws, chosen.id, model)
        if values.get("dataset"):
            values["dataset"] = common.dataset_id(ws, chosen.id, str(values["dataset"]))
        with working(ws):
            job = wait(ws, exports.start(ws, LOCAL, chosen.id, values))
        export = exports.result(ws, LOCAL, job.id)
        exports.copy(ws, LOCAL, job.id, out)
    size = sum(file.bytes for file in export.files) / 1e6
    pushed = f"\nPushed to {export.url} (commit {export.commit})." if export.url else ""
    text = f"{out}: {len(export.files)} files, {size:,.1f} MB.\n{export.sentence}{pushed}"
    known = {"path": str(out), "files": export.files, "certificate": export.certificate}
    show(known | {"url": export.url, "commit": export.commit}, text, as_json)
