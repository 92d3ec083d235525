"""Which rows are held out: decided once, by content and seed alone."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from engine.core import near_copies
from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.normalise import prompt_key

FEWEST = 8  # rows; below this a held-out part says nothing


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
    return sorted(_linked(examples), key=lambda family: _draw(examples, family, seed))


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
    for family in families[:-1]:  # one family at least stays for training
        if len(chosen) + len(family) <= wanted:
            chosen.update(family)
    return chosen or set(sorted(families, key=len)[0])


def _linked(examples: Sequence[Example]) -> list[list[int]]:
    """Indices of rows linked by prompt, group or near equality, directly or through others."""
    parent = list(range(len(examples)))
    for near in near_copies.families(examples):
        for n in near:
            parent[_root(parent, n)] = _root(parent, near[0])
    first: dict[tuple[str, str], int] = {}
    for n, example in enumerate(examples):
        links = [("prompt", prompt_key(example))]
        if example.group is not None:
            links.append(("group", example.group))
        for link in links:
            parent[_root(parent, n)] = _root(parent, first.setdefault(link, n))
    families: dict[int, list[int]] = defaultdict(list)
    for n in range(len(examples)):
        families[_root(parent, n)].append(n)
    return list(families.values())


def _root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


def _draw(examples: Sequence[Example], family: list[int], seed: int) -> str:
    key = min(prompt_key(examples[n]) for n in family)
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
