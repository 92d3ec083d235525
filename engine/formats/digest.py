"""How examples are kept: canonical JSON lines, and the hash that names their content."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from engine.core.errors import UserError
from engine.core.examples import EXAMPLE_ADAPTER, Example


def to_jsonl(examples: Sequence[Example]) -> bytes:
    """One JSON object a line in UTF-8, keys sorted: the same examples give the same bytes."""
    return b"".join(_line(example.model_dump(mode="json")) for example in examples)


def from_jsonl(data: bytes) -> list[Example]:
    """What `to_jsonl` was given; UserError names the line that is damaged."""
    examples: list[Example] = []
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n") if data else [], 1):
        try:
            examples.append(EXAMPLE_ADAPTER.validate_json(line))
        except ValidationError:
            raise UserError(
                f"Line {number} of the stored dataset is damaged.", "Add the dataset again."
            ) from None
    return examples


def sha256_of(examples: Sequence[Example]) -> str:
    """64 hex digits over the content in its order; row numbers of the file do not count."""
    content = hashlib.sha256()
    for example in examples:
        content.update(_line(example.model_dump(mode="json", exclude={"source_row"})))
    return content.hexdigest()


def _line(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"
