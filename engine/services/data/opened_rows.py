"""The few rows of a version that a page shows of it, found without holding the others."""

from typing import NamedTuple

from engine.core.actor import Actor
from engine.core.dataset import Split
from engine.core.examples import Example
from engine.formats.content_hash import ROW_NUMBER, from_line
from engine.services.data import datasets
from engine.services.data.prepared_rows import NAMED, shown
from engine.workspace import Workspace

# A quote inside a text is escaped, so these bytes are a turn of the system and nothing else.
SYSTEM_TURN = b'"role":"system"'


class OpenedRows(NamedTuple):
    """`first` are rows to train on, held-out ones where there are no others."""

    first: list[Example]
    named: list[Example]  # those that the findings name first
    lack_system: bool  # whether a conversation is without a system message


def opened(ws: Workspace, actor: Actor, dataset_id: str, few: int) -> OpenedRows:
    """What a page shows of a version; UserError when its rows have gone or changed."""
    dataset = datasets.get(ws, actor, dataset_id)
    sides = datasets.splits_of(ws, dataset)
    first_side: Split = "train" if dataset.train_rows else "held_out"
    wanted = {row for finding in dataset.findings for row in finding.rows[:NAMED] if row}
    found = OpenedRows([], [], False)
    lacking = False
    for place, line in enumerate(datasets.row_file(ws, dataset).lines()):
        lacking = lacking or (dataset.kind != "text" and SYSTEM_TURN not in line)
        if len(found.first) < few and sides[place : place + 1] == [first_side]:
            found.first.append(shown(from_line(line)))
        if (number := ROW_NUMBER.search(line)) and int(number[0].split(b":")[1]) in wanted:
            found.named.append(shown(from_line(line)))
    return found._replace(lack_system=lacking)
