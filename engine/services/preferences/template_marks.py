"""Rows whose texts hold marks of a chat template: a model would end or start turns with them."""

from collections import Counter
from collections.abc import Sequence

from engine import plugins
from engine.core.examples import Example
from engine.services.data.prepared_rows import FixFunction

FIX = "drop_template_residue"  # what is offered for a file with such rows


def unmarked(rows: Sequence[Example], counts: Counter[str]) -> list[int]:
    """The places of the rows without such marks; `counts` gets the others as `template`."""
    placed = [row.model_copy(update={"source_row": n}) for n, row in enumerate(rows)]
    drop: FixFunction = plugins.load("fixes", FIX)
    kept = [row.source_row for row in drop(placed)]
    counts["template"] += len(rows) - len(kept)
    return kept


def without_marks(rows: Sequence[Example], counts: Counter[str]) -> list[Example]:
    """The rows without such marks, numbered anew."""
    kept = [rows[place] for place in unmarked(rows, counts)]
    return [row.model_copy(update={"source_row": n}) for n, row in enumerate(kept, 1)]
