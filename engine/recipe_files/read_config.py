"""A configuration of another program, read as a stranger's file: small, plain, without tricks."""

import math
from datetime import date
from pathlib import Path

import yaml
from pydantic import JsonValue

from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.core.yaml_values import read_yaml, why_not

MOST_BYTES = 256_000
MOST_VALUES = 20_000  # with every alias counted as often as it is used
DEEPEST = 40
LARGEST = 2**63  # of a whole number; Python refuses to write those of 4,300 digits
FIX = "Give the configuration file of a training."


def read_config(path: Path) -> JsonObject:
    """The keys of a YAML or JSON file; UserError for anything else."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"{path.name} is larger than {MOST_BYTES // 1000} kB.", FIX)
    try:
        parsed = read_yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(f"{path.name} is not text in UTF-8.", FIX) from None
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is not YAML: {why_not(error)}.", FIX) from None
    if not isinstance(parsed, dict) or not parsed:
        raise UserError(f"{path.name} holds no settings.", FIX)
    budget = [MOST_VALUES]
    return {_name(key): _plain(value, budget, DEEPEST, path.name) for key, value in parsed.items()}


def _plain(value: object, budget: list[int], depth: int, name: str) -> JsonValue:
    """`value` in the types of JSON; UserError where aliases or depth make it endless."""
    budget[0] -= 1
    if budget[0] < 0 or depth < 0:
        raise UserError(f"{name} unfolds to more values than a configuration has.", FIX)
    if isinstance(value, dict):
        return {_name(key): _plain(each, budget, depth - 1, name) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each, budget, depth - 1, name) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise UserError(f"{name} holds a number of too many digits.", FIX)
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date) else _whole(str(value))


def _name(key: object) -> str:
    return _whole(hex(key) if isinstance(key, int) and abs(key) >= LARGEST else str(key))


def _whole(text: str) -> str:
    """The text with ? for each half of a character, which YAML can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
