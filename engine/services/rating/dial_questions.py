"""Questions that no blind round asks any more: a strength dial measured models on them.

Whoever chooses a model by its answers to a question cannot test it blind on the same one.
"""

from collections import defaultdict
from collections.abc import Set

from engine.core.actor import Actor, Role
from engine.core.errors import NotFound
from engine.core.examples import prompt_of
from engine.core.normalise import question_mark
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.workspace import Workspace

KIND = "dial"


def questions(ws: Workspace, actor: Actor, project_id: str) -> frozenset[int]:
    """The marks of these questions in a project (`core.normalise.question_mark`)."""
    actor.require(Role.TRAINER)
    rows: dict[str, set[int]] = defaultdict(set)
    for job in lifecycle.list_all(ws, actor, project_id, (KIND,)):
        rows[job.recipe["dataset"]].update(job.recipe["rows"])
    return frozenset().union(*(_marks(ws, actor, *each) for each in rows.items()))


def _marks(ws: Workspace, actor: Actor, dataset_id: str, rows: Set[int]) -> set[int]:
    """The marks of these rows; a dataset is read once, however many dials measured on it."""
    try:
        dataset = datasets.get(ws, actor, dataset_id)
    except NotFound:  # it was deleted, so no round can ask its rows
        return set()
    return {
        question_mark(prompt_of(row.example))
        for row in datasets.each_row(ws, dataset)
        if row.index in rows
    }
