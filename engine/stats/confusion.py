"""Which label was given where another was right."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.core.errors import UserError
from engine.core.normalise import normal

MOST_LABELS = 200
OTHER = "(no known label)"


class Confusion(NamedTuple):
    """`counts[right][given]` over `labels`; the last may stand for answers that are no label."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def label(text: str) -> str:
    """`text` as a label: case, outer spaces, quotes and closing punctuation do not count."""
    return normal(text).strip(" .,;:!?\"'`*\N{IDEOGRAPHIC FULL STOP}")


def right_and_given(
    predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> list[tuple[str, str]]:
    """The right label of each row and the one given; any accepted label is right if given."""
    pairs = []
    for prediction, accepted in zip(predictions, references, strict=True):
        given, right = label(prediction), [label(text) for text in accepted]
        pairs.append((given if given in right else right[0], given))
    return pairs


def labels_of(references: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All accepted labels, sorted; UserError for more than 200, which are no labels but texts."""
    known = {label(text) for accepted in references for text in accepted}
    if len(known) > MOST_LABELS:
        raise UserError(
            f"The references are {len(known):,} different texts, not labels.",
            f"Use macro F1 for at most {MOST_LABELS} labels.",
        )
    return tuple(sorted(known))


def confusion(predictions: Sequence[str | None], references: Sequence[Sequence[str]]) -> Confusion:
    """How often each label was given where each was right; failed answers (None) are left out."""
    labels = labels_of(references)
    rows = [(p, r) for p, r in zip(predictions, references, strict=True) if p is not None]
    pairs = right_and_given([p for p, _ in rows], [r for _, r in rows])
    place = {name: number for number, name in enumerate(labels)}
    other = any(given not in place for _, given in pairs)
    size = len(labels) + other
    counts = np.zeros((size, size), dtype=int)
    for right, given in pairs:
        counts[place[right], place.get(given, len(labels))] += 1
    names = (*labels, OTHER) if other else labels
    return Confusion(names, tuple(tuple(map(int, row)) for row in counts))
