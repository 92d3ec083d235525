"""Said before an evaluation starts: how many of its questions a model was trained on."""

from collections.abc import Iterator
from contextlib import suppress

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Row, Split
from engine.core.errors import UserError
from engine.core.evaluation import Overlap
from engine.jobs.contamination import overlap
from engine.services import access
from engine.services.data import datasets
from engine.services.models.registry import lineage
from engine.store.connect import reading
from engine.workspace import Workspace

MOST = 10_000  # rows that are held at once


def check(
    ws: Workspace,
    actor: Actor,
    dataset_id: str,
    model_ids: list[str],
    split: Split | None = "held_out",
    max_rows: int = 100,
) -> Overlap:
    """Rows asked that are in the training rows of any version a model, or an ancestor, learned.

    The first `max_rows` rows of the split, as the evaluation asks them, and at most `MOST`.
    """
    asked = datasets.rows(ws, actor, dataset_id, split, min(max_rows, MOST))
    learned = _learned(ws, actor, model_ids)
    rows = (row.example for one in learned for row in _training_rows(ws, one))
    return overlap(asked, rows, sum(one.train_rows for one in learned))


def _learned(ws: Workspace, actor: Actor, model_ids: list[str]) -> list[Dataset]:
    """The versions that the models or their ancestors learned, those whose rows are there."""
    actor.require(Role.TRAINER)
    versions = {
        version
        for model_id in model_ids
        for model in lineage(ws, actor, model_id)
        for version in model.learned_datasets
    }
    with reading(ws.db) as conn:
        found = [access.dataset(conn, actor, version) for version in sorted(versions)]
    return [one for one in found if datasets.row_file(ws, one).path.is_file()]


def _training_rows(ws: Workspace, one: Dataset) -> Iterator[Row]:
    """Its training rows, as far as they can be read."""
    with suppress(UserError):
        yield from datasets.each_row(ws, one, "train")
