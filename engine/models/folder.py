"""The files of a model folder, read without transformers."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from engine.core.errors import UserError
from engine.core.json_object import JsonObject

DOWNLOAD_AGAIN = "Download the model again."


class TemplateFiles(NamedTuple):
    tokenizer: str  # tokenizer.json as it is
    template: str | None
    tokens: dict[str, str]  # eos_token, and bos_token and others where the model has them
    ends: tuple[int, ...] = ()  # ids that end an answer, by generation_config.json or config.json


def read(path: Path) -> TemplateFiles:
    """The tokenizer, chat template and special tokens of the model in `path`."""
    config = _json(path, "tokenizer_config.json")
    named = {**_optional(path, "special_tokens_map.json"), **config}
    tokens = {
        name: text
        for name, value in named.items()
        if name.endswith("_token") and (text := _token(value))
    }
    if "eos_token" not in tokens:
        raise UserError(
            f"The tokenizer of the model {path.name} names no end token.", "Choose another model."
        )
    return TemplateFiles(
        _text(path, "tokenizer.json"), _template(path, config), tokens, _ends(path)
    )


def context_length(path: Path) -> int:
    """The most tokens of a prompt and its answer together, by the model's config.json.

    2048, which is what most configurations mean by saying nothing, where it says nothing.
    """
    config = _json(path, "config.json")
    nested = config.get("text_config")
    for each in (nested if isinstance(nested, dict) else {}, config):
        for name in ("max_position_embeddings", "n_positions"):
            length = each.get(name)
            if isinstance(length, int) and not isinstance(length, bool) and length > 0:
                return length
    return 2048


def identity(path: Path) -> str:
    """What changes when a file in the folder is added, removed, replaced or written to.

    Sizes, times and inodes stand for the content, since reading gigabytes takes longer than to
    answer; `jobs/answer_cache.py` reads them, for what is kept on disk.
    """
    files = sorted((file.name, file.stat()) for file in path.iterdir() if file.is_file())
    stats = [(name, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in files]
    return hashlib.sha256(repr((str(path.resolve()), stats)).encode()).hexdigest()


def _ends(path: Path) -> tuple[int, ...]:
    """The `eos_token_id` of generation_config.json, or where that names none, of config.json."""
    for name in ("generation_config.json", "config.json"):
        config = _optional(path, name)
        text_config = config.get("text_config")
        nested = text_config if isinstance(text_config, dict) else {}
        value = config.get("eos_token_id", nested.get("eos_token_id"))
        ids = value if isinstance(value, list) else [value]
        known = tuple(i for i in ids if isinstance(i, int) and not isinstance(i, bool))
        if known:
            return known
    return ()


def _template(path: Path, config: JsonObject) -> str | None:
    own = path / "chat_template.jinja"
    if own.is_file():
        return _text(path, own.name)
    found = config.get("chat_template")
    if isinstance(found, list):  # several templates by name: older exports
        named = {e.get("name"): e.get("template") for e in found if isinstance(e, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _token(value: Any) -> str | None:
    """A token is written as its text or as {"content": text, ...}."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def _text(path: Path, name: str) -> str:
    try:
        return (path / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"The model folder {path.name} has no {name}.",
            "Choose a folder saved by transformers with a fast tokenizer.",
        ) from None
    except UnicodeDecodeError:
        raise UserError(
            f"{name} of the model {path.name} is damaged: it is no text.", DOWNLOAD_AGAIN
        ) from None


def _json(path: Path, name: str) -> JsonObject:
    try:
        found = json.loads(_text(path, name))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{name} of the model {path.name} is not JSON: {error}.", DOWNLOAD_AGAIN
        ) from None
    except RecursionError:
        raise UserError(
            f"{name} of the model {path.name} is nested too deeply.", DOWNLOAD_AGAIN
        ) from None
    return found if isinstance(found, dict) else {}


def _optional(path: Path, name: str) -> JsonObject:
    return _json(path, name) if (path / name).is_file() else {}
