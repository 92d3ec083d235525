"""Which architectures the installed transformers writes text with, read without importing it."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from engine.core.hub import Architecture
from engine.core.json_object import JsonObject

# tables in the source of transformers
CLASSES_TABLE, TYPES_TABLE = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "CONFIG_MAPPING_NAMES"
TEXT_CLASS_ENDINGS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def of_config(config: JsonObject) -> Architecture:
    """What a config.json means here. Code that a model brings is never run.

    A model that brings code, but whose type the library knows, is run with the library's own.
    """
    classes, model_type = config.get("architectures"), config.get("model_type")
    model_type = model_type if isinstance(model_type, str) else ""
    known_classes = text_classes().get(model_type, frozenset())
    first = str(classes[0]) if isinstance(classes, list) and classes else ""
    one_part = not config.get("is_encoder_decoder")
    own_head = known_classes and one_part and first.endswith(TEXT_CLASS_ENDINGS)
    if first in known_classes or own_head:
        return Architecture.KNOWN
    if model_type in known_types():
        return Architecture.OTHER_TASK
    return Architecture.REMOTE_CODE if config.get("auto_map") else Architecture.UNKNOWN


@cache
def text_classes() -> dict[str, frozenset[str]]:
    """The classes that write text, by the `model_type` of a config.json."""
    return {kind: frozenset(names) for kind, names in _table(CLASSES_TABLE, "modeling_auto.py")}


@cache
def known_types() -> frozenset[str]:
    """Every `model_type` that the library has code for, for whatever task."""
    return (
        frozenset(kind for kind, _ in _table(TYPES_TABLE, "auto_mappings.py"))
        | text_classes().keys()
    )


def _table(name: str, file: str) -> Iterator[tuple[str, list[str]]]:
    """The rows of a literal table of names in the source of transformers; none without it."""
    spec = find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0]) / "models" / "auto"
    for path in (folder / file, folder / "configuration_auto.py"):
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and name in _assigned(node):
                yield from _rows(node.value)


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _rows(value: ast.expr | None) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(value) if value else ():
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            continue
        key, names = (_literal(each) for each in node.elts)
        if isinstance(key, str) and names is not None:
            yield key, [names] if isinstance(names, str) else [str(name) for name in names]


def _literal(node: ast.expr) -> str | tuple[str, ...] | None:
    try:
        found = ast.literal_eval(node)
    except ValueError:
        return None
    return found if isinstance(found, str | tuple) else None
