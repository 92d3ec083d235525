"""The examples that a training on votes replays: found when the job is made, and stored with it."""

from sqlalchemy import Connection

from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.core.recipe import Recipe, ReplayRecipe
from engine.core.replay_source import source
from engine.services import access

LEARNED = ("sft", "text")  # kinds of dataset that hold examples


def resolved(conn: Connection, actor: Actor, project_id: str, recipe: Recipe) -> Recipe:
    """`recipe` with the dataset that it replays; itself where it replays nothing.

    UserError where that is no dataset of examples, or where the lineage has none; NotFound for one
    of another project.
    """
    if not isinstance(recipe, ReplayRecipe) or not recipe.replay_rows:
        return recipe
    found = source(recipe, lambda model_id: access.model(conn, actor, model_id, project_id))
    dataset = access.dataset(conn, actor, found, project_id)
    if dataset.kind not in LEARNED:
        raise UserError(
            f"{dataset.label} holds {dataset.kind} rows, which cannot be replayed.",
            "Choose a dataset of conversations or text.",
        )
    return recipe.model_copy(update={"replay_dataset": found})
