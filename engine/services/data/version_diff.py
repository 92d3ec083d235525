"""Two versions of a dataset compared row by row, by marks of the rows: texts stay on the disk."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from engine.core.dataset import Row, Split
from engine.core.normalise import prompt_key
from engine.formats.content_hash import content_of, from_line
from engine.services.data.prepared_rows import shown
from engine.services.data.row_file import RowFile, sides_in

SAMPLES = 5
Pair = tuple[int | None, int | None]  # places in the older and the newer version


class Part(NamedTuple):
    """Rows of one sort: how many, and the first few as (older, newer), None where there is none."""

    rows: int
    samples: tuple[tuple[Row | None, Row | None], ...]


class Difference(NamedTuple):
    """From the older version to the newer one; a row on another side is also kept or changed."""

    added: Part
    removed: Part
    changed: Part
    kept: Part
    moved_side: Part


class VersionFiles(BaseModel):
    """Where a version lies: its rows, and the sides of them."""

    model_config = ConfigDict(frozen=True)

    rows: RowFile
    sides: Path


class CompareRows(BaseModel):
    """What is new, gone, changed and on another side; `related` where fixes made one of the other.

    Rows are the same by content; changed rows by the same question, and of related versions also
    by their number in the file.
    """

    older: VersionFiles
    newer: VersionFiles
    related: bool

    def run(self) -> Difference:
        """The counts, and a few rows of each sort; UserError when rows have gone or changed."""
        older, newer = _Version(self.older), _Version(self.newer)
        places = range(len(older.marks)), range(len(newer.marks))
        same, gone, new = _match(older, newer, *places, "content")
        changed, gone, new = _match(older, newer, gone, new, "question")
        if self.related:
            more, gone, new = _match(older, newer, gone, new, "number")
            changed += more
        moved = [(a, b) for a, b in (*same, *changed) if older.sides[a] != newer.sides[b]]
        parts: dict[str, Sequence[Pair]] = {
            "added": [(None, place) for place in new],
            "removed": [(place, None) for place in gone],
            "changed": changed,
            "kept": same,
            "moved_side": moved,
        }
        named = [pair for pairs in parts.values() for pair in pairs[:SAMPLES]]
        left = older.rows(a for a, _ in named)
        right = newer.rows(b for _, b in named)
        return Difference(
            **{
                sort: Part(
                    rows=len(pairs),
                    samples=tuple((left.get(a), right.get(b)) for a, b in pairs[:SAMPLES]),
                )
                for sort, pairs in parts.items()
            }
        )


class _Marks(NamedTuple):
    """What stands for a row."""

    content: bytes
    question: bytes
    number: int


class _Version:
    def __init__(self, files: VersionFiles) -> None:
        self.files = files
        self.sides: list[Split] = sides_in(files.sides)
        self.marks = list(self._marked())

    def _marked(self) -> Iterator[_Marks]:
        for line in self.files.rows.lines():
            example = from_line(line)
            question = prompt_key(example).encode(errors="replace")
            yield _Marks(_mark(content_of(line)), _mark(question), example.source_row)

    def rows(self, places: Iterable[int | None]) -> dict[int | None, Row]:
        """The rows at these places."""
        wanted = set(places)
        return {
            place: Row(index=place, split=self.sides[place], example=shown(from_line(line)))
            for place, line in enumerate(self.files.rows.lines())
            if place in wanted
        }


def _mark(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _match(
    older: _Version, newer: _Version, left: Iterable[int], right: Sequence[int], key: str
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Rows of equal keys paired one to one in their order, and what is left of both."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for place in reversed(right):
        waiting[getattr(newer.marks[place], key)].append(place)
    paired, gone = [], []
    for place in left:
        if there := waiting.get(getattr(older.marks[place], key)):
            paired.append((place, there.pop()))
        else:
            gone.append(place)
    return paired, gone, sorted(place for rest in waiting.values() for place in rest)
