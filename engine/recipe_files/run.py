"""What a target is given: a finished training, its rows, and where its base comes from."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from engine.core.dataset import Dataset, Split
from engine.core.examples import Example
from engine.core.job_result import TrainingResult
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe
from engine.files import pieces
from engine.methods.training_rows import EncodedRow
from engine.models.chat_template import Template
from engine.models.origin import BaseOrigin
from engine.models.template_render import TemplateRefused

METHODS = ("sft", "dpo")

# a file of a target: its path inside the folder, and its content piece by piece
Part = tuple[str, Iterable[bytes]]


class ExportedRun(NamedTuple):
    """A training that is done. Rows come one by one, so that none has to be held."""

    name: str
    recipe: TrainRecipe
    result: TrainingResult
    dataset: Dataset
    base: BaseOrigin
    base_folder: Path
    start: Path | None  # the adapter that it went on from
    start_name: str
    rows: Callable[[Split], Iterator[Example]]
    encode: Callable[[Example], EncodedRow]
    replayed: Callable[[], Iterator[Example]] | None = None  # examples learned beside votes
    encode_replayed: Callable[[Example], EncodedRow] | None = None

    @property
    def method(self) -> str:
        """The kind of its job: sft or dpo."""
        return self.recipe.KIND

    @property
    def keeps_best(self) -> bool:
        """Whether the best of its measured states was kept, not the last one."""
        return self.recipe.keeps_best(self.result.held_out_rows)

    @property
    def is_fetchable(self) -> bool:
        """Whether the Hub has exactly these weights, by a commit."""
        return bool("/" in self.base.name and self.base.revision and not self.base.changed)


def encoder(
    encode_row: Callable[..., EncodedRow], template: Template, recipe: TrainRecipe
) -> Callable[[Example], EncodedRow]:
    """How the method of the recipe encodes a row; one that the template refuses was left out."""
    how = {"split_answers": True} if getattr(recipe, "split_answers", False) else {}

    def encode(example: Example) -> EncodedRow:
        try:
            return encode_row(template, example, recipe.max_length, **how)
        except TemplateRefused:
            return EncodedRow(None, False)

    return encode


class HashedLines:
    """Lines as they are written: how many there were and their SHA-256, known at the end."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._digest = hashlib.sha256()
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self._digest.update(line)
            self.count += 1
            yield line

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()


def text(content: str) -> list[bytes]:
    """A file's content from a text."""
    return [content.encode()]


def as_json(value: object) -> list[bytes]:
    """A file's content from a value: sorted keys, so that it is the same each time."""
    return text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def line(value: object) -> bytes:
    """One line of JSONL."""
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def without_paths(path: Path) -> Iterable[bytes]:
    """A file's content; out of JSON the names of folders on this machine are left."""
    if path.suffix != ".json" or path.name == "tokenizer.json":
        return pieces(path)
    values: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    named = ("_name_or_path", "name_or_path", "base_model_name_or_path")
    kept = {
        key: value
        for key, value in values.items()
        if not (key in named and isinstance(value, str) and Path(value).is_absolute())
    }
    return pieces(path) if kept == values else as_json(kept)
