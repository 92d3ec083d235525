"""How large a model is, from its folder's text and headers, or from a number given by hand."""

import json
import re
from math import prod
from pathlib import Path
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.json_object import JsonObject

MOST_CONFIG = 4 * 2**20  # bytes; real ones have a few thousand
MOST_HEADER = 32 * 2**20  # bytes; a model of 400 layers needs about one million
MOST_FILES = 512  # parts of one model
MOST_PARAMETERS = 1e14
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
# width and layers of published Llamas by size, for a model that is only a number
SHAPES = (
    (135e6, 576, 30),
    (360e6, 960, 32),
    (1.2e9, 2048, 16),
    (3e9, 3072, 28),
    (7e9, 4096, 32),
    (13e9, 5120, 40),
    (34e9, 8192, 48),
    (70e9, 8192, 80),
    (405e9, 16384, 126),
)


class Size(NamedTuple):
    """`inner` is the width inside an MLP, `narrow` that of keys and values, all in numbers."""

    parameters: int
    layers: int
    width: int
    inner: int
    narrow: int
    vocab: int
    file_bytes: int  # of all weights as they are kept
    measured: bool = True  # the weights were counted, not worked out

    @property
    def embedding(self) -> int:
        """Weights of the table of words."""
        return self.vocab * self.width


def of_folder(folder: Path) -> Size:
    """The size of the model in `folder`; UserError where its config is missing or makes no sense.

    The weights themselves are never read.
    """
    return of_config(_config(folder / "config.json"), _counted(folder))


def of_config(config: JsonObject, counted: tuple[int, int] | None) -> Size:
    """The size of a model with this config; UserError where that makes no sense.

    `counted` are its weights and their bytes, where they are known.
    """
    inside = config.get("text_config")
    shape = {**config, **inside} if isinstance(inside, dict) else config
    width, layers = (
        _number(shape, "hidden_size", "n_embd"),
        _number(shape, "num_hidden_layers", "n_layer"),
    )
    heads = _number(shape, "num_attention_heads", "n_head")
    each = _number(shape, "head_dim", default=max(1, width // heads))
    narrow = each * _number(shape, "num_key_value_heads", default=heads)
    inner = _number(shape, "intermediate_size", "n_inner", default=4 * width)
    vocab = _number(shape, "vocab_size")
    tied = bool(shape.get("tie_word_embeddings", True))
    worked_out = layers * (2 * width * (width + narrow) + 3 * width * inner)
    worked_out += vocab * width * (1 if tied else 2)
    parameters, file_bytes = counted or (worked_out, 2 * worked_out)
    return Size(
        parameters, layers, width, inner, narrow, vocab, file_bytes, measured=counted is not None
    )


def of_number(parameters: float) -> Size:
    """A Llama of about so many weights, with the shape that published ones of its size have."""
    _, width, layers = min(SHAPES, key=lambda shape: abs(_ratio(shape[0], parameters)))
    vocab = 49_152 if parameters < 1e9 else 128_256 if parameters > 2e10 else 32_000
    per_layer = max(4 * width * width, (parameters - vocab * width) / layers)
    inner = max(width, int((per_layer - 2.5 * width * width) / (3 * width)))
    whole = int(parameters)
    return Size(whole, layers, width, inner, width // 4, vocab, 2 * whole, measured=False)


def number(text: str) -> float:
    """How many weights "7B", "135M", "7e9" or "Llama-3-8B" means; UserError for anything else."""
    digits = text.strip().lower().replace(",", "").replace("_", "")
    try:
        found = float(digits)
    except ValueError:
        named = re.findall(
            r"(?:^|[^a-z0-9.])(\d{1,6}(?:\.\d{1,4})?)([kmbt])(?![a-z])", digits[:200]
        )
        minus = digits.startswith("-")
        found = float(named[-1][0]) * UNITS[named[-1][1]] if named and not minus else 0.0
    if not 1e3 <= found <= MOST_PARAMETERS:
        raise UserError(f"{text[:40]!r} is not a number of parameters.", "Write it like 7B or 7e9.")
    return found


def lora_weights(size: Size, rank: int) -> int:
    """Weights of a LoRA adapter of this rank on every linear layer but the head."""
    attention = 2 * (size.width + size.width) + 2 * (size.width + size.narrow)
    return size.layers * rank * (attention + 3 * (size.width + size.inner))


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)


def _config(path: Path) -> JsonObject:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST_CONFIG))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"The model folder {path.parent.name} has no readable config.json.",
            "Choose a folder saved by transformers.",
        )
    return found


def _number(config: JsonObject, *names: str, default: int | None = None) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int | float) and 1 <= value <= 1e9:
            return int(value)
    if default is None:
        raise UserError(
            f"config.json of the model has no usable {names[0]}.",
            "Choose a language model saved by transformers.",
        )
    return default


def _counted(folder: Path) -> tuple[int, int] | None:
    """Weights and their bytes over all safetensors of the folder; None when one is unreadable."""
    parts = sorted(folder.glob("*.safetensors"))[:MOST_FILES]
    found = [_header(part) for part in parts]
    sizes = [size for size in found if size is not None]
    if not sizes or len(sizes) < len(found):
        return None
    return sum(weights for weights, _ in sizes), sum(taken for _, taken in sizes)


def _header(path: Path) -> tuple[int, int] | None:
    """Weights and bytes of one file, from its first 8 bytes (a length) and the JSON after them."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= MOST_HEADER:
                return None
            tensors = json.loads(file.read(length))
        named = [one for name, one in tensors.items() if name != "__metadata__"]
        counts = [(prod(map(int, one["shape"])), BYTES.get(one["dtype"], 4)) for one in named]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if any(count < 0 for count, _ in counts):
        return None
    return sum(count for count, _ in counts), sum(count * each for count, each in counts)
