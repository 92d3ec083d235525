"""Objects of JSON whose fields another program decides."""

from pydantic import JsonValue

# such as a model's config.json, or the options that TRL and PEFT take: read with a check of type
JsonObject = dict[str, JsonValue]
