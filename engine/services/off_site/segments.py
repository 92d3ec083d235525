"""A closed segment: some votes as one file that proves itself whole, never changed afterwards."""

import hashlib
import json
import re
from typing import NamedTuple

from pydantic import TypeAdapter

from engine.core.errors import UserError
from engine.store.json_columns import to_json
from engine.store.kept_votes import VoteRows

FORMAT = 1
FOLDER = "votes/"
NAME = re.compile(r"votes/(\d{12})-([0-9a-f]{32})\.json")
_ROWS: TypeAdapter[VoteRows] = TypeAdapter(VoteRows)


class Segment(NamedTuple):
    """Its place in the order of all, its name in the bucket, and its content."""

    number: int
    name: str
    content: bytes


def closed(number: int, rows: VoteRows) -> Segment:
    """The rows as a segment; its name carries the hash of its content."""
    content = to_json({"format": FORMAT, **rows}).encode()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Segment(number, f"{FOLDER}{number:012}-{digest}.json", content)


def number_of(name: str) -> int | None:
    """The place of a segment in the order of all; None for a name that is none."""
    matched = NAME.fullmatch(name)
    return int(matched[1]) if matched else None


def read(name: str, content: bytes) -> VoteRows:
    """The rows of a segment; UserError where its content is not what its name says."""
    matched = NAME.fullmatch(name)
    if not matched or hashlib.sha256(content).hexdigest()[:32] != matched[2]:
        raise UserError(
            f"The vote segment {name} in the bucket is damaged.",
            "Put the file back as it was, or remove it to start without its votes.",
        )
    known = json.loads(content)
    if known.pop("format") != FORMAT:
        raise UserError(
            f"The vote segment {name} was written by a newer Tuneloop.", "Install that version."
        )
    return _ROWS.validate_python(known)
