"""Which trackers there are, and whether those of a recipe can be had here: no library is loaded."""

from importlib.util import find_spec
from typing import Any

from engine import plugins
from engine.core.errors import UserError
from engine.core.recipe import TrainRecipe

# options of TRL that would report to somewhere behind the back of the recipe's own field
_BEHIND = ("report_to", "trackio_bucket_id", "trackio_space_id", "trackio_static_space_id")


def installed() -> list[str]:
    """The names of the trackers whose library is installed here."""
    return [name for name in plugins.names("trackers") if _usable(name)]


def check(recipe: TrainRecipe) -> None:
    """Raise UserError for a tracker that nobody knows, or whose library is missing here."""
    for name in recipe.trackers:
        plug = plugins.load("trackers", name)
        if not _has_library(plug):
            raise UserError(
                f"The tracker {name} needs {plug.LIBRARY}, which is not installed here.",
                f"Install it with {plug.INSTALL}, or leave it out of trackers.",
            )
    for option in _BEHIND:
        if option in recipe.trl:
            raise UserError(
                f"{option} has no place here: trackers names where a run is also written.",
                "Leave it out of trl.",
            )


def _usable(name: str) -> bool:
    try:
        return _has_library(plugins.load("trackers", name))
    except ImportError:  # somebody else's, and broken: no reason to show no form at all
        return False


def _has_library(plug: Any) -> bool:
    return find_spec(plug.LIBRARY) is not None
