"""Whether a folder is a base model: safetensors (never pickles), all that a training needs, whole.

What a base of the Hub is refused for before its download: hub/obstacles.py.
"""

import json
from pathlib import Path

from engine.core.errors import UserError
from engine.models import weights_file
from engine.models.chat_template import Template

SHOWN, LONGEST_WHY = 60, 60  # characters of a name and of an error of a library
NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")


def check(where: Path) -> None:
    """UserError, which says what is missing or broken, unless `where` is a whole base model."""
    _check_needed(where)
    found = sorted(where.glob("*.safetensors"))
    if not found:
        raise UserError(
            f"{where.name} holds no weights in the safetensors format.",
            "Save the model again with transformers; other formats can run foreign code.",
        )
    for path in found:
        weights_file.check(path)
    _check_parts(where, {path.name for path in found})
    _check_config(where)
    _check_template(where)


def check_beside_weights(where: Path) -> None:
    """The same for a folder whose weights have not come yet: configuration, tokenizer, template."""
    _check_needed(where)
    _check_config(where)
    _check_template(where)


def _check_template(where: Path) -> None:
    try:
        Template.load(where, isolated=True)
    except (ValueError, RecursionError) as error:  # such as a number of 5,000 digits
        raise UserError(
            f"The tokenizer or the generation settings of {where.name} cannot be read: "
            f"{str(error)[:LONGEST_WHY]}.",
            "Download the model again.",
        ) from None


def _check_needed(where: Path) -> None:
    missing = [needed for needed in NEEDED if not (where / needed).is_file()]
    if missing:
        raise UserError(
            f"{where.name} is not a whole model: it has no {' and no '.join(missing)}.",
            "Give a folder that transformers saved (save_pretrained of model and tokenizer).",
        )


def _check_parts(where: Path, found: set[str]) -> None:
    """Every file that the list of parts names is there, and transformers finds the weights."""
    listed = where / "model.safetensors.index.json"
    if not listed.is_file():
        if "model.safetensors" not in found:
            raise UserError(
                f"{where.name} has no model.safetensors and no list of its parts.",
                "Save the model again with transformers.",
            )
        return
    try:
        named = set(json.loads(listed.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{listed.name} is damaged.", "Download the model again.") from None
    if missing := sorted(str(name)[:SHOWN] for name in named - found)[:3]:
        raise UserError(
            f"{where.name} lacks parts of its weights: {', '.join(missing)}.",
            "Download the model again.",
        )


def _check_config(where: Path) -> None:
    try:
        config = json.loads((where / "config.json").read_text(encoding="utf-8"))
    except RecursionError:
        raise UserError(
            f"config.json of {where.name} is nested too deeply.", "Download the model again."
        ) from None
    except ValueError as error:
        raise UserError(
            f"config.json of {where.name} is not JSON: {str(error)[:LONGEST_WHY]}.",
            "Download the model again.",
        ) from None
    if not (isinstance(config, dict) and config.get("architectures")):
        raise UserError(
            f"config.json of {where.name} names no architecture.",
            "Give a whole model, not an adapter.",
        )
