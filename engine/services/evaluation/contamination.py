"""Said before an evaluation starts: how many of its questions a model was trained on."""

from engine.core.actor import Actor, Role
from engine.core.dataset import Row, Split
from engine.core.errors import UserError
from engine.core.evaluation import Overlap
from engine.services import access
from engine.services.data import datasets
from engine.services.models.registry import lineage
from engine.store.connect import reading
from engine.work.contamination import overlap
from engine.workspace import Workspace


def check(
    ws: Workspace,
    actor: Actor,
    dataset_id: str,
    model_ids: list[str],
    split: Split | None = "held_out",
    max_rows: int = 100,
) -> Overlap:
    """Rows asked that are in the training rows of any version a model, or an ancestor, learned.

    The first `max_rows` rows of the split, as the evaluation asks them; None: of all rows.
    """
    asked = datasets.rows(ws, actor, dataset_id, split, max_rows)
    learned = [row.example for row in _learned(ws, actor, model_ids)]
    return overlap(asked, learned)


def _learned(ws: Workspace, actor: Actor, model_ids: list[str]) -> list[Row]:
    """The training rows of each version once; one whose rows have gone is left out."""
    actor.require(Role.TRAINER)
    versions = {
        model.dataset_id
        for model_id in model_ids
        for model in lineage(ws, actor, model_id)
        if model.dataset_id
    }
    found: list[Row] = []
    for version in sorted(versions):
        with reading(ws.db) as conn:
            dataset = access.dataset(conn, actor, version)
        try:
            found += datasets.load_rows(ws, dataset, "train")
        except UserError:
            continue
    return found
