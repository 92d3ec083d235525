"""A configuration of Axolotl, LLaMA-Factory or TRL as a recipe, and what has no equal here."""

from pathlib import Path

from engine import plugins
from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.recipe_files.imported import ImportedRecipe, Importing
from engine.recipe_files.read_config import read_config

__all__ = ["FAMILY", "KINDS", "ImportedRecipe", "read"]

FAMILY = "recipe_sources"
KINDS = ("sft", "dpo", "kto", "reward")
LIKELY = 0.5  # a file with less of a program's own keys is not taken for its own


def read(path: Path, source: str | None = None, kind: str | None = None) -> ImportedRecipe:
    """The recipe in the file at `path`; UserError for a file that is no configuration.

    The program is recognised by its keys unless `source` names it; `kind` is the method where the
    file does not say it, as with TRL.
    """
    values = read_config(path)
    name = source or _recognised(values)
    importing = Importing(values)
    method, reasons = plugins.load(FAMILY, name).read(importing, kind)
    return importing.finished(name, method, reasons)


def _recognised(values: JsonObject) -> str:
    known = plugins.names(FAMILY)
    scores = {name: float(plugins.load(FAMILY, name).sniff(values)) for name in known}
    best = max(known, key=scores.__getitem__)
    if scores[best] < LIKELY:
        raise UserError(
            "The file has no keys of a program that is known here.",
            f"Name the program it is of: {', '.join(known)}.",
        )
    return best
