"""Between rows and core types: JSON columns are TEXT, read and written here."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def to_json(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, so equal values have equal bytes."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def loaded(row: Mapping[Any, Any], *json_columns: str) -> dict[str, Any]:
    """The row as a dictionary with the named columns read from JSON."""
    values = dict(row)
    for name in json_columns:
        values[name] = json.loads(values[name])
    return values


def dumped(values: Mapping[str, object], *json_columns: str) -> dict[str, object]:
    """`values` with the named columns written as JSON."""
    return {**values, **{name: to_json(values[name]) for name in json_columns}}
