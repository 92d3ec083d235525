"""Objects of JSON whose fields another program decides."""

from collections.abc import Mapping

from pydantic import JsonValue

# such as a model's config.json, or the options that TRL and PEFT take
JsonObject = dict[str, JsonValue]


def number_in(values: Mapping[str, JsonValue], name: str, default: float) -> float:
    """The number under `name`; `default` where it is missing or no number."""
    found = values.get(name)
    return found if isinstance(found, int | float) else default
