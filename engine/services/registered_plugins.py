"""What is registered: kinds of jobs, metrics, rewards, simulated raters, trackers.

Pages and commands offer these by name. It is the same for everybody and says nothing of any
project, so no function here takes an Actor. No heavy library is loaded.
"""

from collections.abc import Mapping

from pydantic.fields import FieldInfo

from engine import plugins
from engine.core.recipe import Recipe
from engine.trackers import available


def names(family: str) -> list[str]:
    """Built-in names of a family of `engine.plugins.BUILT_IN` in their order, then installed."""
    return plugins.names(family)


def recipe_of(kind: str) -> type[Recipe]:
    """The recipe class of a kind of job; UserError names the known kinds."""
    found: type[Recipe] = plugins.load("jobs", kind).Recipe
    return found


def recipe_fields(kind: str) -> Mapping[str, FieldInfo]:
    """The fields of a kind's recipe by name; none for a kind that is not installed any more."""
    module = plugins.find("jobs", kind)
    fields: Mapping[str, FieldInfo] = module.Recipe.model_fields if module else {}
    return fields


def trackers_installed() -> list[str]:
    """Names of the trackers whose library is installed."""
    return available.installed()
