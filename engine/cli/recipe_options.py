"""Options of a command made from a recipe's fields, so that both know the same ones."""

from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from engine.core.recipe import Recipe

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
PLAIN = (str, int, float)


def options(
    recipe: type[Recipe],
    skip: tuple[str, ...] = (),
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[F], F]:
    """A click decorator with an option for each plain field; one that is not given is None.

    `aliases` are further spellings of an option, by field.
    """
    also = aliases or {}

    def decorated(command: F) -> F:
        for name, field in reversed(recipe.model_fields.items()):
            kind = _type(field)
            if name not in skip and kind is not None:
                flags = [_flag(name, kind), *also.get(name, ())]
                command = click.option(*flags, name, type=kind, default=None, help=_help(field))(
                    command
                )
        return command

    return decorated


def given(values: Mapping[str, T | None]) -> dict[str, T]:
    """The options that somebody wrote."""
    return {name: value for name, value in values.items() if value is not None}


def _flag(name: str, kind: Any) -> str:
    dashed = name.replace("_", "-")
    return f"--{dashed}/--no-{dashed}" if kind is bool else f"--{dashed}"


def _type(field: FieldInfo) -> Any:
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    if get_origin(field.annotation) is Literal:
        return click.Choice(kinds)
    base = kinds[0] if len(kinds) == 1 else field.annotation
    if base is bool:
        return bool
    if base not in PLAIN:
        return None  # lists and tables are written in the recipe file
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    if base is int:
        return click.IntRange(low, high)  # type: ignore[arg-type]
    return click.FloatRange(low, high) if base is float else str  # type: ignore[arg-type]


def _help(field: FieldInfo) -> str:
    text = f"{field.description}."
    if isinstance(field.default, bool):
        return f"{text}  [default: {'on' if field.default else 'off'}]"
    short = isinstance(field.default, PLAIN) and len(str(field.default)) in range(1, 20)
    return f"{text}  [default: {field.default}]" if short else text
