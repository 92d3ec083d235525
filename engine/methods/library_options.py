"""Options of TRL and PEFT under their own names, checked before a model is loaded.

Their dataclasses take the string "2e-5" for a number and pydantic drops unknown names: each check
lets through what the other catches, so both are made here.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from engine.core.errors import UserError, quoted

Config = TypeVar("Config")
_PISSA_NITER = re.compile(r"pissa_niter_[1-9][0-9]?")


def build(config_class: type[Config], values: Mapping[str, Any]) -> Config:
    """`config_class(**values)` with every name known and every value of the declared type.

    UserError names the wrong option, and the one it was probably meant to be.
    """
    known = {field.name for field in fields(config_class) if field.init}  # type: ignore[arg-type]
    for name in values:
        refuse_unknown(config_class.__name__, name, known)
    hints = get_type_hints(config_class)
    converted = {
        name: _convert(config_class, name, hints[name], value) for name, value in values.items()
    }
    try:
        return config_class(**converted)
    except (ValueError, TypeError, ImportError, NotImplementedError) as error:
        reason = str(error).rstrip(".")
        raise UserError(f"{config_class.__name__} refuses: {reason}.", "Change it.") from error


def refuse_unknown(config: str, name: str, known: Collection[str]) -> None:
    """UserError where `name` is none of the options of the class `config`, with the nearest."""
    if name in known:
        return
    raise UserError(
        f"{config} has no option {quoted(name)}.{nearest(name, known)}",
        "Correct the name or leave it out.",
    )


def nearest(name: str, known: Collection[str]) -> str:
    """A question after the known name that is most like this one, or nothing."""
    close = get_close_matches(name, known, 1)
    return f" Did you mean {close[0]!r}?" if close else ""


def refuse_doubles(curated: Iterable[str], extra: Iterable[str], where: str) -> None:
    """Raise UserError where `extra`, the names given under `where`, has one of `curated`."""
    for name in sorted(set(curated) & set(extra)):
        raise UserError(
            f"{name!r} is set under {where}:, but it is a setting of its own.",
            f"Write {name} beside {where}:, not inside it.",
        )


def _convert(config_class: type, name: str, hint: Any, value: Any) -> Any:
    if name == "init_lora_weights" and _PISSA_NITER.fullmatch(str(value)):
        return value  # PEFT's own type writes the number as "[number of iters]"
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return value  # a type that pydantic cannot describe is left to upstream's own check
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].lower()
        raise UserError(
            f"{config_class.__name__}'s option {name!r} is {value!r}: {reason}.",
            "Give a value of the right kind.",
        ) from None
