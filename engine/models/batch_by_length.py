"""Rows of different length in even batches, of a size that answer.py decides."""

from collections.abc import Callable, Iterator


def even(
    lengths: dict[int, int], max_new_tokens: int, most: Callable[[int], int]
) -> Iterator[list[int]]:
    """Row numbers by falling length, in batches as even as what fits allows; the longest first.

    `most` says how many rows of a width fit. A batch that would not fit into the memory fails at
    the start, not after an hour.
    """
    order = sorted(lengths, key=lambda row: (-lengths[row], row))
    while order:
        fitting = most(lengths[order[0]] + max_new_tokens)
        size = -(-len(order) // -(-len(order) // fitting))
        yield order[:size]
        order = order[size:]
