"""Which rows are held out, by content and seed alone; near copies and groups stay together.

What is nearly the same is decided in core/near_duplicates.py.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from engine.core import near_duplicates
from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.normalise import prompt_key

FEWEST = 8  # rows; below this a held-out part says nothing


class Families(Sequence[Sequence[int]]):
    """Families as two arrays, which a file holds as they are: a million take 8 MB."""

    def __init__(self, members: NDArray[np.int32], ends: NDArray[np.int32]) -> None:
        self._members = members  # of one family after another
        self._ends = ends  # of each family among the members

    @classmethod
    def of(cls, found: Sequence[Sequence[int]]) -> "Families":
        """These families."""
        members = np.fromiter((n for family in found for n in family), np.int32)
        return cls(members, np.cumsum([len(family) for family in found], dtype=np.int32))

    @classmethod
    def load(cls, path: Path) -> "Families":
        """What `save` wrote; ValueError or OSError where it cannot be read."""
        with path.open("rb") as file:
            return cls(np.load(file, allow_pickle=False), np.load(file, allow_pickle=False))

    def save(self, path: Path) -> None:
        """Write both arrays to one file."""
        with path.open("wb") as file:
            np.save(file, self._members)
            np.save(file, self._ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Sequence[int]]:
        start = 0
        for end in self._ends.tolist():
            yield self._members[start:end].tolist()
            start = end

    @overload
    def __getitem__(self, place: int) -> Sequence[int]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Sequence[int]]: ...
    def __getitem__(self, place: int | slice) -> Sequence[int] | list[Sequence[int]]:
        if isinstance(place, slice):
            return [self[n] for n in range(len(self))[place]]
        start, end = self._ends[place - 1] if place % len(self) else 0, self._ends[place]
        found: list[int] = self._members[start:end].tolist()
        return found


def split(examples: Sequence[Example], held_out: float, seed: int) -> list[Split]:
    """The split of each example: about `held_out` of the rows are held out, at least one.

    Rows that ask the same (after normalisation), say nearly the same or share a group stay on one
    side, so the share is met as nearly as their sizes allow. The same rows and seed give the same
    split in any order. More than 50,000 rows are not compared for being nearly the same, which the
    check of near copies says. UserError for a share that these rows cannot meet.
    """
    if not compares(len(examples), held_out):
        return ["train" for _ in examples]
    return hold_out(families(examples, seed), held_out)


def families(examples: Sequence[Example], seed: int) -> list[list[int]]:
    """The examples by number in families that are never split, in the order of drawing."""
    asked, groups = [], []
    for example in examples:  # one pass: they may lie on the disk
        asked.append(prompt_key(example))
        groups.append(example.group)
    linked = _linked(near_duplicates.families(examples), asked, groups)
    return sorted(linked, key=lambda family: _draw(asked, family, seed))


def hold_out(families: Sequence[Sequence[int]], held_out: float) -> list[Split]:
    """What `split` gives for examples whose families are known already."""
    rows = sum(map(len, families))
    if not compares(rows, held_out):
        return ["train"] * rows
    chosen = _fill(families, max(1, round(held_out * rows)))
    return ["held_out" if n in chosen else "train" for n in range(rows)]


def compares(rows: int, held_out: float) -> bool:
    """Whether rows must be compared for such a split; UserError where it is not to be had."""
    if not 0 <= held_out < 1:
        raise UserError(f"The held-out share is {held_out}.", "Give a number from 0 to below 1.")
    if held_out > 0 and rows < FEWEST:
        raise UserError(
            f"{rows} rows are too few to hold some out; it takes {FEWEST}.",
            "Add rows, or set the held-out share to 0.",
        )
    return held_out > 0


def _fill(families: Sequence[Sequence[int]], wanted: int) -> set[int]:
    """Families in their order while they fit; the smallest one where none fits."""
    if len(families) == 1:
        raise UserError(
            "All rows ask or say the same or share one group, so none can be held out.",
            "Add rows with other prompts, or set the held-out share to 0.",
        )
    chosen: set[int] = set()
    for family in islice(families, len(families) - 1):  # one at least stays for training
        if len(chosen) + len(family) <= wanted:
            chosen.update(family)
    smallest = min(range(len(families)), key=lambda n: len(families[n]))
    return chosen or set(families[smallest])


def _linked(alike: list[list[int]], asked: list[str], groups: list[str | None]) -> list[list[int]]:
    """Indices of rows linked by prompt, group or near equality, directly or through others."""
    parent = list(range(len(asked)))
    for near in alike:
        for n in near:
            parent[_root(parent, n)] = _root(parent, near[0])
    first: dict[tuple[str, str], int] = {}
    for n, (prompt, group) in enumerate(zip(asked, groups, strict=True)):
        links = [("prompt", prompt)]
        if group is not None:
            links.append(("group", group))
        for link in links:
            parent[_root(parent, n)] = _root(parent, first.setdefault(link, n))
    families: dict[int, list[int]] = defaultdict(list)
    for n in range(len(asked)):
        families[_root(parent, n)].append(n)
    return list(families.values())


def _root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


def _draw(asked: list[str], family: list[int], seed: int) -> str:
    key = min(asked[n] for n in family)
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
