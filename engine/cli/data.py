"""data check | add | fetch | list | preview | export | fix | undo."""

from collections.abc import Sequence
from pathlib import Path

import click

from engine.checks.run import report
from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.core.column_mapping import ColumnMapping, mapping_of
from engine.core.dataset import HELD_OUT_SHARE, Dataset, Split
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.finding import Finding
from engine.formats.read import read_file
from engine.models import default
from engine.services.data import bundle, cleaning, datasets, hub, openai_files, template_use
from engine.services.data import preview as data_preview
from engine.services.models import registry
from engine.workspace import Settings

KINDS = ("sft", "preference", "unpaired", "text", "prompts")
FILE = click.Path(path_type=Path)
layout_option = click.option(
    "--layout", default=None, help="Read the file in this layout instead of detecting it."
)

map_option = click.option(
    "--map", "pairs", multiple=True, metavar="ROLE=COLUMN",
    help="Map a column to a role, such as --map prompt=frage --map answer=antwort.",
)  # fmt: skip
kind_option = click.option(
    "--kind", type=click.Choice(KINDS), help="Type of the rows; use it with --map."
)
no_header_option = click.option(
    "--no-header", is_flag=True,
    help="The first line is a row: columns are called 1, 2, ...; use it with --map.",
)  # fmt: skip
sheet_option = click.option(
    "--sheet", default=None, metavar="NAME",
    help="Sheet of an Excel workbook; its first filled one by default.",
)  # fmt: skip
group_option = click.option(
    "--group",
    metavar="COLUMN",
    help="Rows with equal values in this column stay on one side of the split.",
)


@click.group()
def data() -> None:
    """Check data files and add them as dataset versions."""


@data.command()
@click.argument("file", type=FILE)
@layout_option
@map_option
@kind_option
@no_header_option
@group_option
@sheet_option
@click.option(
    "--model",
    default=None,
    metavar="NAME",
    help="Base whose chat template reads the rows; the default base where it is there.",
)
@click.option("--openai", is_flag=True, help="Check it by the rules of OpenAI's fine-tuning.")
@as_json
def check(
    file: Path, layout: str | None, pairs: tuple[str, ...], kind: str | None, no_header: bool,
    group: str | None, sheet: str | None, model: str | None, openai: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Report the contents of FILE and its problems, without storing anything.

    Problems include rows that the chat template of the base refuses or shows otherwise.

    The exit code is 0 when FILE is usable, 1 when a finding is an error, 2 when FILE cannot be
    read.
    """
    if openai:
        _check_openai(file, as_json)
        return
    mapping = _mapping(pairs, kind, no_header)
    parsed = read_file(file, file.name, layout, mapping, group, sheet)
    found = report(parsed)
    every = tuple(template_use.together(found.findings, _of_template(parsed.examples, model)))
    found = found.model_copy(update={"findings": every})
    lines = [f"{found.layout} ({found.kind}), {found.rows} rows"]
    for item in found.findings:
        rows = ", ".join(map(str, item.rows[:5]))
        where = f" (rows {rows}{', …' if item.count > 5 else ''})" if rows else ""
        lines.append(f"  {item.severity:8} {item.message}{where} {item.hint}".rstrip())
    show(found, "\n".join(lines), as_json)
    if any(item.severity == "error" for item in found.findings):
        click.get_current_context().exit(1)


@data.command()
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@in_project
@click.option("--held-out", default=None, type=click.FloatRange(0, 0.5),
              help=f"Share of the rows held out: {HELD_OUT_SHARE} by default. Given, it also "
              "replaces the split of train and test files.")  # fmt: skip
@layout_option
@map_option
@kind_option
@no_header_option
@group_option
@sheet_option
@as_json
def add(
    files: tuple[Path, ...], project: str | None, held_out: float | None, layout: str | None,
    pairs: tuple[str, ...], kind: str | None, no_header: bool, group: str | None,
    sheet: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Add FILE as a new dataset version, with a part held out for evaluation.

    Several files become one version. Where they are called train and test (or validation), alone
    or in a ZIP, the rows of the test files are the held-out part.
    """
    mapping = _mapping(pairs, kind, no_header)
    with workspace() as ws, bundle.together(ws, files) as (file, name):
        chosen = common.project(ws, project, make=True)
        kept = datasets.add(
            ws, LOCAL, chosen.id, file, name,
            held_out=HELD_OUT_SHARE if held_out is None else held_out,
            own_split=held_out is None, layout=layout, mapping=mapping, group=group, sheet=sheet,
        )  # fmt: skip
        show(kept, f"{_line(kept)}, in project {chosen.name}", as_json)


@data.command()
@click.argument("name", metavar="OWNER/NAME")
@in_project
@click.option("--file", default=None, help="File to use if the dataset has several.")
@click.option("--held-out", default=HELD_OUT_SHARE, show_default=True,
              type=click.FloatRange(0, 0.5), help="Share of the rows held out.")  # fmt: skip
@map_option
@kind_option
@group_option
@as_json
def fetch(
    name: str, project: str | None, file: str | None, held_out: float, pairs: tuple[str, ...],
    kind: str | None, group: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Add a dataset from the Hugging Face Hub as a new version; its code is never run."""
    mapping = _mapping(pairs, kind)
    with workspace() as ws:
        chosen = common.project(ws, project, make=True)
        kept = hub.fetch(
            ws, LOCAL, chosen.id, name, file=file, held_out=held_out, mapping=mapping, group=group
        )
        show(kept, f"{_line(kept)}, in project {chosen.name}", as_json)


@data.command("list")
@in_project
@as_json
def list_all(project: str | None, as_json: bool) -> None:
    """List the dataset versions of a project."""
    with workspace() as ws:
        versions = datasets.list_all(ws, LOCAL, common.project(ws, project).id)
        show({"datasets": versions}, "\n".join(map(_line, versions)) or "No dataset yet.", as_json)


@data.command()
@click.argument("file", type=FILE)
@click.option("--rows", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--max-length", default=512, show_default=True, type=click.IntRange(16))
@layout_option
@map_option
@kind_option
@no_header_option
@sheet_option
@as_json
def preview(
    file: Path, rows: int, max_length: int, layout: str | None, pairs: tuple[str, ...],
    kind: str | None, no_header: bool, sheet: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show rows of FILE as the default model sees them; tokens that carry loss are underlined."""
    with workspace() as ws:
        mapping = _mapping(pairs, kind, no_header)
        parsed = read_file(file, file.name, layout, mapping, sheet=sheet)
        base = common.model_id(ws, "", "default")
        found = data_preview.preview_rows(ws, LOCAL, parsed.examples[:rows], base, max_length)
        text = "\n\n".join(
            row.refusal
            or "".join(click.style(piece.text, underline=piece.trained) for piece in row.pieces)
            for row in found
        )
        rows_seen = [[piece._asdict() for piece in row.pieces] for row in found]
        added = data_preview.default_system(ws, LOCAL, base)
        if added and data_preview.lack_system(parsed.examples[:rows]):
            common.say(f"The chat template adds this system prompt to rows without one: {added}")
        show({"rows": rows_seen, "default_system_prompt": added}, text, as_json)


@data.command("export")
@click.argument("dataset")
@click.option("--to", required=True, type=click.Choice(["openai"]), expose_value=False,
              help="The program that reads it.")  # fmt: skip
@click.option("--out", required=True, type=FILE, help="A new file.")
@click.option("--split", type=click.Choice(["train", "held_out"]), help="One side; all by default.")
@in_project
@as_json
def export_dataset(
    dataset: str, out: Path, split: Split | None, project: str | None, as_json: bool
) -> None:
    """Write DATASET as a file of OpenAI's fine-tuning: chats, or pairs for preferences.

    What is written is checked by OpenAI's rules.
    """
    with workspace() as ws:
        wanted = common.dataset_id(ws, common.project(ws, project).id, dataset)
        found = openai_files.write(ws, LOCAL, wanted, out, split)
    left = [f"Left out: {n} {why}." for why, n in found.left_out.items()]
    text = "\n".join([f"{found.path}: {found.rows} examples.", *left, *found.warnings])
    show(found, text, as_json)


@data.command()
@click.argument("dataset")
@in_project
@click.option("--fix", "names", multiple=True, metavar="NAME", help="A fix, by its name.")
@click.option("--system-prompt", default=None, metavar="TEXT",
              help="System prompt for rows that have none.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Count the changes, without a new version.")
@as_json
def fix(
    dataset: str, project: str | None, names: tuple[str, ...], system_prompt: str | None,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Apply fixes to DATASET as a new version; its rows keep their side of the split.

    The findings of `tuneloop data check --json` name the fixes.
    """
    fixes = [*names, *([] if system_prompt is None else [cleaning.system_prompt(system_prompt)])]
    with workspace() as ws:
        before = common.dataset_id(ws, common.project(ws, project).id, dataset)
        if dry_run:
            change = cleaning.preview(ws, LOCAL, before, fixes)
            text = f"{change.removed} rows removed, {change.changed} changed"
            counts = change._asdict()
            del counts["samples"]
            show(counts, f"{text}: {change.rows_before} become {change.rows_after}", as_json)
            return
        new = cleaning.apply(ws, LOCAL, before, fixes)
        show(new, _line(new), as_json)


@data.command()
@click.argument("dataset")
@in_project
@as_json
def undo(dataset: str, project: str | None, as_json: bool) -> None:
    """Remove DATASET, a version made by fixes, and return to the version before it."""
    with workspace() as ws:
        wanted = common.dataset_id(ws, common.project(ws, project).id, dataset)
        earlier = cleaning.undo(ws, LOCAL, wanted)
        show(earlier, _line(earlier), as_json)


def _check_openai(file: Path, wants_json: bool) -> None:
    """Print what OpenAI would refuse; exit code 1 where that is anything."""
    found = openai_files.check(file)
    lines = [f"{found.examples} examples"]
    lines += [f"  line {one.line}: {one.problem}" for one in found.problems]
    problems = [one._asdict() for one in found.problems]
    shown = {"examples": found.examples, "problems": problems, "warnings": found.warnings}
    show(shown, "\n".join([*lines, *found.warnings]), wants_json)
    if found.problems:
        click.get_current_context().exit(1)


def _of_template(examples: Sequence[Example], model: str | None) -> list[Finding]:
    """What the template of this base makes of the rows, or that of the default base if it is there.

    Without a name nothing is opened or fetched, and a base without a template is only mentioned.
    """
    if model is not None:
        with workspace() as ws:
            chosen = registry.get(ws, LOCAL, common.model_id(ws, "", model))
            return template_use.of_examples(examples, registry.files(ws, chosen).base)
    base = default.present(Settings.from_environment().home)
    if base is None:
        return []
    try:
        return template_use.of_examples(examples, base)
    except UserError as error:
        common.say(error.problem)
        return []


def _mapping(
    pairs: tuple[str, ...], kind: str | None, no_header: bool = False
) -> ColumnMapping | None:
    """The mapping of --map, --kind and --no-header; None where none is given."""
    if no_header and not pairs:
        raise UserError(
            "--no-header needs --map.",
            "Give for example --map prompt=1 --map answer=2.",
        )
    if not pairs and not kind:
        return None
    given = [pair.partition("=") for pair in pairs]
    wrong = [pair for pair, (role, sign, column) in zip(pairs, given, strict=True) if not column]
    if wrong or not pairs:
        raise UserError(
            f"{wrong[0]!r} is not ROLE=COLUMN." if wrong else "--kind needs --map.",
            "Give for example --map prompt=frage --map answer=antwort.",
        )
    return mapping_of(
        {role.strip(): column.strip() for role, _, column in given}, kind, not no_header
    )


def _line(one: Dataset) -> str:
    return (
        f"{one.label}: {one.kind}, {one.rows} rows ({one.layout}), "
        f"{one.train_rows} to train and {one.held_out_rows} held out"
    )
