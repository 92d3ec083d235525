"""Contamination: which evaluation rows a model was trained on and may have memorised."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from engine.core.dataset import Row
from engine.core.evaluation import Overlap
from engine.core.examples import Example, Prompt, Text, prompt_of
from engine.core.near_duplicates import MOST, alike

SHOWN = 50


def overlap(asked: Sequence[Row], learned: Iterable[Example], count: int) -> Overlap:
    """Which rows asked have the words of a training prompt, or nearly the words.

    `count` training prompts are learned; of very many, some taken evenly are compared.

    System messages do not count, nor do answers; texts ask nothing. Nearly the same is what
    engine/core/near_duplicates.py says it is.
    """
    rows = [row for row in asked if not isinstance(row.example, Text)]
    every = -(-count // max(1, MOST - len(rows))) or 1
    known = [e for e in islice(learned, None, None, every) if not isinstance(e, Text)]
    prompts = [Prompt(prompt=prompt_of(e)) for e in (*(row.example for row in rows), *known)]
    groups, near = alike(prompts)
    taught = [any(n >= len(rows) for n in group) for group in groups]
    same = _questions(groups, taught, rows)
    close = _questions(
        groups,
        [not own and any(taught[n] for n in others)
         for own, others in zip(taught, near, strict=True)],
        rows,
    )  # fmt: skip
    return Overlap(
        count=len(same),
        near_count=len(close),
        rows=tuple(same[:SHOWN]),
        near=tuple(close[:SHOWN]),
        asked=len(asked),
        compared=len(known),
        message=_message(len(same), len(close), len(asked)),
    )


def _questions(groups: list[list[int]], flags: Iterable[bool], rows: Sequence[Row]) -> list[int]:
    def flagged() -> Iterator[int]:
        for group, flag in zip(groups, flags, strict=True):
            if flag:
                yield from (rows[n].index for n in group if n < len(rows))

    return sorted(flagged())


def _message(same: int, near: int, asked: int) -> str:
    if not same and not near:
        return f"None of the {asked:,} questions asked is in the rows the models were trained on."
    parts = [f"{same:,} of the {asked:,} questions asked" if same else ""]
    parts += [f"nearly {near:,} of {asked:,}" if near and not same else ""]
    subject = parts[0] or f"{near:,} of the {asked:,} questions asked, nearly word for word,"
    verb = "are" if (same or near) != 1 else "is"
    also = f", and {near:,} more nearly word for word" if same and near else ""
    return (
        f"{subject} {verb} in the training rows of a model{also}: "
        "it may have memorised the answers."
    )
