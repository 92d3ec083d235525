"""Files of an archive that are called train and test -> the split that their makers made."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from engine.core.dataset import Split
from engine.core.examples import Example

TRAIN = frozenset({"train", "training"})
HELD_OUT = frozenset(
    {"test", "testing", "eval", "evaluation", "validation", "valid", "val", "dev", "heldout"}
)


def sides_of(names: Sequence[str]) -> list[Split] | None:
    """The side of each file by the words of its path; None unless all say one and both occur."""
    sides = [_side(name) for name in names]
    if None in sides or len(set(sides)) < 2:
        return None
    return [side for side in sides if side]


def own_sides(examples: Iterable[Example], starts: Sequence[tuple[int, Split]]) -> list[Split]:
    """The side of each example by the row at which its file begins; none unless both occur."""
    if not starts:
        return []
    rows = [row for row, _ in starts]
    sides = [starts[max(0, bisect_right(rows, example.source_row) - 1)][1] for example in examples]
    return sides if len(set(sides)) == 2 else []


def _side(name: str) -> Split | None:
    words = set(re.split(r"[^a-z]+", name.lower()))
    if "held" in words and "out" in words:
        words.add("heldout")
    train, held_out = bool(words & TRAIN), bool(words & HELD_OUT)
    if train == held_out:
        return None
    return "train" if train else "held_out"
