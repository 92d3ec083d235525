"""Where a base model comes from: its published name, its commit and its licence, where known."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from engine.models import default

PUBLISHED = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?: at (?P<revision>[0-9a-f]{7,64}))?")


class BaseOrigin(NamedTuple):
    """`name` is the published one, or that of the folder; `changed` says how it differs from it."""

    name: str
    revision: str | None = None
    licence: str | None = None
    changed: str = ""


def of_base(folder: Path) -> BaseOrigin:
    """What the card beside the weights says; the folder's name alone where there is none."""
    try:
        card = json.loads((folder / default.CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return BaseOrigin(folder.name)
    note = str(card.get("note", ""))
    published = PUBLISHED.match(note)
    licence = card.get("licence")
    return BaseOrigin(
        name=published["name"] if published else folder.name,
        revision=published["revision"] if published else None,
        licence=licence if isinstance(licence, str) else None,
        changed=note[published.end() :].strip(", ") if published else "",
    )
