"""Write the reference pages of the guide from the code: commands, recipes, events.

python -m engine.cli.reference FOLDER     writes commands.md, json.md, recipes.md and events.md
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from typing_extensions import is_typeddict

from engine import plugins
from engine.cli.app import cli
from engine.cli.json_shapes import SHAPES
from engine.core import errors
from engine.core.event import EVENTS
from engine.core.job import State
from engine.core.job_result import RESULTS
from engine.core.recipe import Recipe, TrainRecipe

GENERATED = "> Written from the code by `make docs`; a test compares it with the code.\n"
PLAIN: dict[Any, str] = {
    str: "text", int: "integer", float: "number", bool: "true or false", Any: "any",
    JsonValue: "any",
    NoneType: "null", Path: "text", dict: "object", list: "list", tuple: "list",
}  # fmt: skip
OWN_EXITS = {
    0: "done",
    1: "the thing asked for did not end well: an error among the findings, a training that cannot "
    "fit",
    130: "interrupted (Ctrl-C)",
}


def pages() -> dict[str, str]:
    """The text of each page by its file's name."""
    return {
        "commands.md": commands(),
        "json.md": json_types(),
        "recipes.md": recipes(),
        "events.md": events(),
    }


def commands() -> str:
    """Every command with its arguments and options, exit codes, and what --json prints."""
    parts = [
        "# Commands\n", GENERATED,
        "Every action of the pages is a command. After `make run` the program is\n"
        "`.venv/bin/tuneloop`. `--help` works everywhere; `--json` is for scripts.\n",
        _exit_codes(),
    ]  # fmt: skip
    parts += [_command(words, command) for words, command in every(cli) if words]
    return "\n".join(parts)


def json_types() -> str:
    """The fields of every object that --json prints."""
    rules = (
        "`--json` prints one object on standard output and nothing else; messages go to standard\n"
        "error. Times are seconds since 1970, rates run from 0 to 1. Fields may be added; those\n"
        "listed here keep their names. Which command prints what: [Commands](commands.md).\n"
    )
    return "\n".join(["# JSON types\n", GENERATED, rules, *map(_type, _types())])


def recipes() -> str:
    """The fields of every kind of job."""
    parts = [
        "# Recipes\n", GENERATED,
        "A recipe holds the settings of a job: the form, the YAML file and `--set FIELD=VALUE`\n"
        "read the same fields. A file names its `kind`; examples lie in `engine/recipes`.\n",
        _fields_of("Every training", TrainRecipe, "What every training method takes."),
    ]  # fmt: skip
    known = {kind: plugins.load("jobs", kind).Recipe for kind in plugins.BUILT_IN["jobs"]}
    for kind, recipe in known.items():
        about = (recipe.__doc__ or "").strip().split("\n")[0]
        parts.append(_fields_of(f"`{kind}`", recipe, about))
    return "\n".join(parts)


def events() -> str:
    """What a job reports, the states it can be in, and the plug-in names."""
    rows = [
        f"| `{kind}` | {_first_line(event)} | {_data_words(fields(event)['data'])} |"
        for kind, event in EVENTS.items()
    ]
    states = ", ".join(f"`{state}`" for state in State)
    results = [f"| `{kind}` | {_shape(result)} |" for kind, result in RESULTS.items()]
    families = [
        f"| `{family}` | {', '.join(f'`{name}`' for name in table)} |"
        for family, table in plugins.BUILT_IN.items()
    ]
    return "\n".join([
        "# Events and job states\n", GENERATED,
        "`tuneloop jobs show JOB --json` prints a job and its events. `seq` rises by one; ask for "
        "what is new by remembering the last. A page reads the same rows every two seconds.\n",
        "## Events\n", "| kind | | data |", "| --- | --- | --- |", *rows, "",
        "## States of a job\n", f"{states}. The last three never change.\n",
        "## Results\n",
        "A job that is done has a result of its kind; only fields that were found are printed.\n",
        "| kind of job | result |", "| --- | --- |", *results, "",
        "## Names of plug-ins\n",
        "Other packages add to a family with an entry point of the group `tuneloop.FAMILY`.\n",
        "| family | built in |", "| --- | --- |", *families, "",
    ])  # fmt: skip


def every(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Each listed command below `command` with its words, groups before what is in them."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from every(below, (*path, name))


def fields(record: type) -> Mapping[str, Any]:
    """The type of each field of a record, by name and in order."""
    if issubclass(record, BaseModel):
        return {name: field.annotation for name, field in record.model_fields.items()}
    return get_type_hints(record)


def _exit_codes() -> str:
    found = dict(OWN_EXITS)
    known: list[type[errors.UserError]] = [errors.UserError, *errors.UserError.__subclasses__()]
    for error in known:
        found.setdefault(error.exit_code, _first_line(error))
    rows = [f"| {code} | {about} |" for code, about in sorted(found.items())]
    return "\n".join(["## Exit codes\n", "| code | meaning |", "| --- | --- |", *rows, ""])


def _command(words: str, command: click.Command) -> str:
    level = "##" if " " not in words else "###"
    usage = " ".join(["tuneloop", words, *_usage(command)])
    parts = [f"{level} {words}\n", f"```\n{usage}\n```\n", _help(command)]
    rows = [
        f"| {_names(each)} | {_about(each)} |"
        for each in command.params
        if isinstance(each, click.Option) and not each.hidden
    ]
    if rows:
        parts += ["| option | |", "| --- | --- |", *rows, ""]
    if words in SHAPES:
        parts.append(f"Prints with `--json`: {_shape(SHAPES[words])}\n")
    return "\n".join(parts)


def _usage(command: click.Command) -> list[str]:
    words = [each.make_metavar(click.Context(command)) for each in command.params
             if isinstance(each, click.Argument)]  # fmt: skip
    group = ["COMMAND"] if isinstance(command, click.Group) else []
    return [*words, *group, "[OPTIONS]"] if len(command.params) > len(words) else [*words, *group]


def _help(command: click.Command) -> str:
    lines = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    return "\n\n".join(lines) + "\n"


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(cli))}"
    return f"`{option.opts[-1]}{value}`".replace("|", "\\|")


def _about(option: click.Option) -> str:
    parts = [_cell(option.help or "")]
    if option.required:
        parts.append("Required.")
    elif option.show_default and option.default not in (None, False, ()):
        parts.append(f"Default: `{option.default}`.")
    return " ".join(filter(None, parts))


def _shape(shape: Any) -> str:
    if isinstance(shape, str):
        return shape
    if isinstance(shape, list):
        return f"[{_shape(shape[0])}, ...]"
    if isinstance(shape, dict):
        return "{" + ", ".join(_entry(key, value) for key, value in shape.items()) + "}"
    return f"[{shape.__name__}](json.md#{shape.__name__.lower()})"


def _entry(key: str, value: Any) -> str:
    return f"the fields of {_shape(value)}" if key == "..." else f"`{key}`: {_shape(value)}"


def _types() -> list[type]:
    """The types that the shapes and the results name, and those of their fields, by name."""
    found: dict[str, type] = {}

    def visit(shape: Any) -> None:
        if isinstance(shape, type) and _is_record(shape):
            if shape.__name__ not in found:
                found[shape.__name__] = shape
                visit(fields(shape))
            return
        inside = shape.values() if isinstance(shape, dict) else shape
        for each in inside if isinstance(shape, dict | list) else get_args(shape):
            visit(each)

    visit(SHAPES)
    visit(list(RESULTS.values()))
    visit([fields(event)["data"] for event in EVENTS.values()])
    return [found[name] for name in sorted(found)]


def _is_record(kind: type) -> bool:
    return issubclass(kind, BaseModel) or hasattr(kind, "_fields") or is_typeddict(kind)


def _data_words(data: Any) -> str:
    """What an event carries: its fields by name, or the type that has them."""
    if get_origin(data) in (Union, UnionType):
        return " or ".join(map(_data_words, get_args(data)))
    if is_typeddict(data):
        named = data.__annotations__
        optional: frozenset[str] = data.__optional_keys__
        return ", ".join(f"`{name}`{' (may be missing)' * (name in optional)}" for name in named)
    if get_origin(data) is dict:
        return "numbers by name"
    return f"[{data.__name__}](json.md#{data.__name__.lower()})"


def _type(record: type) -> str:
    rows = [f"| `{name}` | {_words(each, linked=True)} |" for name, each in fields(record).items()]
    return "\n".join(
        [f"## {record.__name__}\n", _first_line(record), "", "| field | type |", "| --- | --- |",
         *rows, ""]
    )  # fmt: skip


def _fields_of(title: str, recipe: type[Recipe], about: str) -> str:
    shared = TrainRecipe.model_fields if recipe is not TrainRecipe else {}
    training = issubclass(recipe, TrainRecipe) and recipe is not TrainRecipe
    rows = [
        f"| `{name}` | {_words(field.annotation)} | {_default(field)} | {_limits(field)} |"
        for name, field in recipe.model_fields.items()
        if not (training and name in shared and _same(field, shared[name]))
    ]
    more = "Takes the fields of every training, and:\n" if training else ""
    return "\n".join([
        f"## {title}\n", f"{about}\n", more,
        "| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows, "",
    ])  # fmt: skip


def _same(field: FieldInfo, shared: FieldInfo) -> bool:
    return (field.default, field.description) == (shared.default, shared.description)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined and field.default_factory is not None:
        value = field.default_factory()  # type: ignore[call-arg]
    plain = to_jsonable_python(value)
    return "none" if plain in (None, [], {}, "") else f"`{_cell(str(plain))}`"


def _limits(field: FieldInfo) -> str:
    bounds = {Ge: ("ge", "from"), Gt: ("gt", "above"), Le: ("le", "to"), Lt: ("lt", "below")}
    found = [
        f"{word} {getattr(each, name):g}"
        for each in field.metadata
        for kind, (name, word) in bounds.items()
        if isinstance(each, kind)
    ]
    return _cell(field.description or "") + (f" ({' '.join(found)})" if found else "")


def _words(annotation: Any, *, linked: bool = False) -> str:
    """A type as a reader of JSON knows it; `linked` where the page describes the records."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _words(get_args(annotation)[0], linked=linked)
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_words(each, linked=linked) for each in get_args(annotation))
    if get_origin(annotation) in (list, tuple, frozenset, set, Sequence):
        inner = [each for each in get_args(annotation) if each is not Ellipsis]
        return f"list of {_words(inner[0], linked=linked)}" if inner else "list"
    if get_origin(annotation) in (dict, Mapping):
        return f"object of {_words(get_args(annotation)[1], linked=linked)}"
    return _plain_words(annotation, linked)


def _plain_words(annotation: Any, linked: bool) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    if isinstance(annotation, type) and _is_record(annotation):
        name = annotation.__name__
        return (
            f"[{name}](#{name.lower()})" if linked else f"object of {', '.join(fields(annotation))}"
        )
    return PLAIN.get(annotation, str(annotation))


def _first_line(thing: type) -> str:
    about = (thing.__doc__ or "").strip()
    return "" if about.startswith(f"{thing.__name__}(") else _cell(about.split("\n")[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
