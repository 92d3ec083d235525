"""Import a base model from a folder of this computer."""

from pathlib import Path

from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.model import Model
from engine.models import folder_check
from engine.services.models import registry
from engine.workspace import Workspace


def import_base(ws: Workspace, actor: Actor, path: str, name: str = "") -> Model:
    """The folder as a base model that every project may use; UserError says what it lacks."""
    actor.require(Role.OWNER)
    given = path.strip()
    if not given:
        raise UserError("No folder was named.", "Give the path of a model folder.")
    where = Path(given).expanduser().resolve()
    _check(where)
    return registry.add_base(ws, actor, name.strip()[:80] or where.name, where, "folder")


def _check(where: Path) -> None:
    if not where.is_dir():
        raise UserError(
            f"There is no folder {where} on the computer that runs Tuneloop.", "Check the path."
        )
    folder_check.check(where)
