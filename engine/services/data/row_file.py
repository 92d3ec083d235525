"""A file of examples that was written once and never changes, read row by row."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from engine.core.dataset import Split
from engine.core.errors import NotFound, UserError
from engine.core.examples import Example
from engine.formats.content_hash import content_of, read_lines

SIDE = re.compile(r'"(train|held_out)"')
GONE = ("This upload is no longer on the server.", "Drop the file again.")


class RowFile(BaseModel):
    """Where the rows lie and what their content hashes to; `label` is empty for an upload."""

    model_config = ConfigDict(frozen=True)

    path: Path
    sha256: str
    label: str = ""

    def examples(self) -> Iterator[Example]:
        """One after another; UserError when the file has gone, or at its end when it has changed.

        Whoever stops before the end has read rows that nobody has compared with the hash.
        """
        try:
            yield from read_lines(self.lines())
        except UserError as error:
            raise error if self.label else NotFound(*GONE) from None

    def lines(self) -> Iterator[bytes]:
        """The same as they are stored, a JSON object each."""
        content = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                for line in file:
                    content.update(content_of(line))
                    yield line
        except OSError:
            raise self._refusal("are not in the data folder") from None
        if content.hexdigest() != self.sha256:
            raise self._refusal("have changed on the disk")

    def size(self) -> int:
        """Bytes of the file; UserError when it has gone."""
        try:
            return self.path.stat().st_size
        except OSError:
            raise self._refusal("are not in the data folder") from None

    def _refusal(self, what: str) -> UserError:
        if not self.label:
            return NotFound(*GONE)
        return UserError(f"The rows of {self.label} {what}.", "Add the file again.")


def sides_in(path: Path) -> list[Split]:
    """The side of each row that a file of sides names; OSError when it has gone."""
    # not parsed as JSON: that would make a text of its own for each of a million rows
    return [
        "train" if side[1] == "train" else "held_out" for side in SIDE.finditer(path.read_text())
    ]
