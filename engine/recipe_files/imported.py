"""A configuration of another program on its way to a recipe: every key ends in it or in a list."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from engine import plugins
from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe
from engine.core.shortened import shortened
from engine.methods import allowed_options
from engine.methods.refused_options import IDLE, IDLE_LORA

LONGEST = 80  # characters of a value in a list
EMPTY = "It is empty."
NO_EQUAL = "Tuneloop has no equal."


class Unmatched(BaseModel):
    """A key that has no equal here, its value shortened, and why."""

    model_config = ConfigDict(frozen=True)

    key: str
    value: str
    why: str


class ImportedRecipe(BaseModel):
    """`recipe` starts a training; `matched` says where each key went; `unmatched` has the rest."""

    model_config = ConfigDict(frozen=True)

    source: str
    recipe: JsonObject
    matched: dict[str, str]
    unmatched: tuple[Unmatched, ...]


class _Given(NamedTuple):
    """A setting and the key that it came from; a default of the program has no key."""

    value: JsonValue
    key: str


class Importing:
    """What is left of the file's keys, and the settings found so far by their field."""

    def __init__(self, values: Mapping[str, JsonValue]) -> None:
        self._left = dict(values)
        self._set: dict[str, _Given] = {}
        self._matched: dict[str, str] = {}
        self._unmatched: list[Unmatched] = []
        for key, value in values.items():
            if value is None or value == "":
                self.lose(key, EMPTY)

    def peek(self, key: str) -> JsonValue:
        """The value of a key that is still left, or None."""
        return self._left.get(key)

    def take(self, key: str, field: str) -> JsonValue:
        """The value of `key`, which is understood and stands for `field`; None where missing."""
        if key not in self._left:
            return None
        self._matched[key] = field
        return self._left.pop(key)

    def put(self, key: str, field: str, value: JsonValue) -> None:
        """Set `field`, such as lora.r, to what `key` means; an empty key is a default."""
        self._set[field] = _Given(value, key)

    def move(self, key: str, field: str) -> None:
        """Take `key` as it is for `field`."""
        if key in self._left:
            self.put(key, field, self.take(key, field))

    def move_all(self, fields: Mapping[str, str]) -> None:
        """The same for a table from key to field."""
        for key, field in fields.items():
            self.move(key, field)

    def default(self, field: str, value: JsonValue) -> None:
        """What the other program does where its file says nothing, and Tuneloop does otherwise."""
        self._set.setdefault(field, _Given(value, ""))

    def wrap(self, field: str) -> None:
        """A single value of a field that is a list here becomes a list."""
        given = self._set.get(field)
        if given and not isinstance(given.value, list):
            self._set[field] = _Given([given.value], given.key)

    def has(self, field: str) -> bool:
        """Whether a field is set by now."""
        return field in self._set

    def number(self, field: str, default: int) -> int:
        """The whole number under a field, or the default."""
        given = self._set.get(field)
        return given.value if given and isinstance(given.value, int) else default

    def lose(self, key: str, why: str, part: str = "", value: JsonValue = None) -> None:
        """Put a key, or a `part` of it with its value, on the list."""
        given = self._left.pop(key, None) if not part else value
        self._matched.pop(key, None) if not part else None
        name = f"{key}.{part}" if part else key
        self._unmatched.append(Unmatched(key=name, value=_short(given), why=why))

    def finished(self, source: str, kind: str, reasons: Mapping[str, str]) -> ImportedRecipe:
        """The recipe; all that is left goes on the list, and so does what the recipe refuses."""
        for key in list(self._left):
            self.lose(key, reasons.get(key) or IDLE_REASONS.get(key) or NO_EQUAL)
        self._refuse_options()
        recipe = self._valid(plugins.load("jobs", kind).Recipe)
        return ImportedRecipe(
            source=source,
            recipe={"kind": kind, **recipe},
            matched=self._matched,
            unmatched=tuple(self._unmatched),
        )

    def _refuse(self, field: str, why: str) -> None:
        value, key = self._set.pop(field)
        if key:
            self._matched.pop(key, None)
            self._unmatched.append(Unmatched(key=key, value=_short(value), why=why))

    def _refuse_options(self) -> None:
        """Options of TRL and PEFT that may not be set here, each with the reason."""
        full = self._set.get("tuning", _Given("lora", "")).value == "full"
        for field in list(self._set):
            where, _, name = field.partition(".")
            value = self._set[field].value
            idle = {"trl": IDLE, "lora": IDLE_LORA}.get(where, {})
            if name and name in idle:
                self._refuse(field, _sentence(idle[name]))
            elif where == "lora" and full:
                self._refuse(field, "All weights are trained, so LoRA settings change nothing.")
            elif where in ("trl", "lora"):
                options = ({name: value}, {}) if where == "trl" else ({}, {name: value})
                try:
                    allowed_options.check(*options)
                except UserError as error:
                    self._refuse(field, error.problem)

    def _valid(self, recipe: type[TrainRecipe]) -> JsonObject:
        """The settings as fields; those of a wrong type or out of range go on the list."""
        while True:
            values = _nested({field: given.value for field, given in self._set.items()})
            try:
                recipe.model_validate({"model": "?", "dataset": "?", **values})
            except ValidationError as error:
                first = error.errors()[0]
                field = str(first["loc"][0]) if first["loc"] else ""
                wrong = [one for one in self._set if one.partition(".")[0] == field]
                if not wrong:
                    raise UserError(f"{first['msg']}.", "Correct the file.") from None
                for one in wrong:
                    self._refuse(one, _sentence(str(first["msg"])))
            else:
                return values


IDLE_REASONS = {name: f"{why[:1].upper()}{why[1:]}." for name, why in IDLE.items()}


def _nested(settings: Mapping[str, JsonValue]) -> JsonObject:
    found: JsonObject = {}
    for field, value in settings.items():
        where, _, name = field.partition(".")
        if name:
            inner = found.setdefault(where, {})
            if isinstance(inner, dict):
                inner[name] = value
        else:
            found[where] = value
    return found


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:].rstrip('.')}."


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(text, LONGEST)
