"""A split that the files themselves make: that it is kept, and what both of its sides share."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.dataset import Split
from engine.core.examples import Example
from engine.core.finding import Finding


def findings(
    examples: Sequence[Example], sides: Sequence[Split], families: Sequence[Sequence[int]]
) -> list[Finding]:
    """That the sides are kept; held-out rows that ask or nearly say what a training row does.

    `families` are places of rows that ask the same, say nearly the same or share a group.
    """
    shared = {
        place
        for family in families
        if len({sides[place] for place in family}) == 2
        for place in family
        if sides[place] == "held_out"
    }
    rows = [example.source_row for place, example in enumerate(examples) if place in shared]
    train, held_out = sides.count("train"), sides.count("held_out")
    return [
        *finding(
            "shared_between_own_sides",
            "warning",
            rows,
            "of the test files ask or nearly say what a training row does",
            "Scores on them are too good: remove them, or give a held-out share to split anew.",
        ),
        Finding(
            id="own_split",
            severity="info",
            count=len(sides),
            message=f"The split of the files is kept: {train:,} rows of the training files, "
            f"{held_out:,} of the test files held out.",
        ),
    ]
