"""How examples are kept: canonical JSON lines, and the hash that names their content.

A file of examples is read line by line, so that nobody has to hold a whole dataset in memory.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, overload

from pydantic import ValidationError

from engine.core.errors import UserError
from engine.core.examples import EXAMPLE_ADAPTER, Example

# A quote inside a text is escaped, so these bytes are the field and never a part of a text.
ROW_NUMBER = re.compile(rb',"source_row":\d+')


class ExampleFile(Sequence[Example]):
    """The examples of a file of JSON lines, read from it whenever they are asked for."""

    def __init__(self, path: Path, starts: Sequence[int]) -> None:
        self._path = path
        self._starts = starts  # of the lines, in bytes

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Example]:
        with self._path.open("rb") as file:
            yield from map(from_line, file)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        with self._path.open("rb") as file:
            if isinstance(place, int):
                return _line_at(file, self._starts[place])
            return [_line_at(file, start) for start in self._starts[place]]


class ExampleWriter:
    """Writes examples one by one to a file of JSON lines, and takes the hash of their content."""

    def __init__(self, file: IO[bytes]) -> None:
        self.starts = array("q")
        self._file = file
        self._content = hashlib.sha256()
        self._end = 0

    def add(self, example: Example) -> Example:
        """Write an example and hand it on."""
        line = to_line(example)
        self._content.update(content_of(line))
        self._file.write(line)
        self.starts.append(self._end)
        self._end += len(line)
        return example

    @property
    def sha256(self) -> str:
        """What `sha256_of` gives for the examples written."""
        return self._content.hexdigest()


def to_line(example: Example) -> bytes:
    """One JSON object and a line break in UTF-8, keys sorted: equal examples give equal bytes."""
    fields = example.model_dump(mode="json")
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def from_line(line: bytes) -> Example:
    """What `to_line` was given; ValueError where the line is damaged."""
    return EXAMPLE_ADAPTER.validate_json(line)


def content_of(line: bytes) -> bytes:
    """A line of `to_line` without the number of the row in its file."""
    return ROW_NUMBER.sub(b"", line, count=1)


def read_lines(lines: Iterable[bytes]) -> Iterator[Example]:
    """The example of each line; UserError names the line that is damaged."""
    for number, line in enumerate(lines, 1):
        try:
            yield from_line(line)
        except ValidationError:
            raise UserError(
                f"Line {number} of the stored dataset is damaged.", "Add the dataset again."
            ) from None


def sha256_of(examples: Iterable[Example]) -> str:
    """64 hex digits over the content in its order; row numbers of the file do not count."""
    content = hashlib.sha256()
    for example in examples:
        content.update(content_of(to_line(example)))
    return content.hexdigest()


def _line_at(file: IO[bytes], start: int) -> Example:
    file.seek(start)
    return from_line(file.readline())
