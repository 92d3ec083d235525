"""Quantise a GGUF file of 16-bit numbers to Q4_K_M: python quantise.py SOURCE TARGET.

The numbers are rounded by llama.cpp's own function, which xllamacpp carries. Which tensor gets how
many bits is what llama.cpp's `llama-quantize` does for Q4_K_M without an importance matrix.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

FILE_TYPE = 15  # Q4_K_M in `general.file_type`
VERSION = 2  # of the layout of quantised blocks
BLOCK = 256  # numbers that a K-quant rounds together
SMALL_BLOCK = 32
PIECE = 2**24  # numbers that are turned to float32 at once
SMALLER = dict(zip(("Q4_K", "Q5_K", "Q6_K"), ("Q5_0", "Q5_1", "Q8_0"), strict=True))
KEPT = re.compile(
    r"_norm\.weight|ffn_gate_inp\.weight|position_embd|token_types|ssm_|shortconv|time_mix|"
    r"attn_rel_b|altup|laurel|per_layer_model_proj"
)
VALUES = ("attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight")


class ModelOutline(NamedTuple):
    """What of a model decides how many bits its tensors get."""

    architecture: str
    layers: int
    experts: int
    heads: int
    key_heads: int
    tied: bool  # the embedding is the output too
    attending: tuple[int, ...]  # layers with a tensor of values, in order


def kind(name: str, columns: int, dimensions: int, shape: ModelOutline) -> str | None:
    """The type of a tensor, by the name that GGUF gives it; None where it stays as it is."""
    if dimensions < 2 or not name.endswith("weight") or KEPT.search(name):
        return None
    wanted = _wanted(name, shape)
    if columns % BLOCK:
        wanted = SMALLER.get(wanted, wanted)
    return None if columns % SMALL_BLOCK else wanted


def _wanted(name: str, shape: ModelOutline) -> str:
    if name == "output.weight" or (shape.tied and name == "token_embd.weight"):
        return "Q6_K"
    found = re.match(r"blk\.(\d+)\.(.+)", name)
    layer, part = (int(found[1]), found[2]) if found else (0, name)
    many = shape.experts == 8
    if part == "attn_v.weight":
        return _of_values(layer, shape)
    if part == "attn_k.weight" and many:
        return "Q8_0"
    if part == "attn_output.weight" and many:
        return "Q5_K"
    if part == "attn_qkv.weight":
        return "Q5_K"
    if part.startswith("ffn_down"):
        return "Q6_K" if _more(layer, shape.layers) else "Q4_K"
    return "Q4_K"


def _of_values(layer: int, shape: ModelOutline) -> str:
    if shape.experts == 8:
        return "Q8_0"
    if _more(shape.attending.index(layer), len(shape.attending)):
        return "Q6_K"
    large = shape.architecture == "llama" and shape.layers == 80
    return "Q5_K" if large and shape.heads != shape.key_heads else "Q4_K"


def _more(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def quantise(source: Path, target: Path) -> None:
    """Write `target`; SystemExit with a sentence where that can't be done."""
    import gguf

    reader = gguf.GGUFReader(source)
    shape = _shape(reader)
    if shape.architecture == "falcon":
        sys.exit("Falcon has rules of its own, which are not known here")
    rounded = _function()
    writer = gguf.GGUFWriter(target, shape.architecture, use_temp_file=False)
    _copy_settings(reader, writer)
    plan = []
    for tensor in reader.tensors:
        sides = [int(side) for side in tensor.shape]
        chosen = kind(tensor.name, sides[0], len(sides), shape)
        new = gguf.GGMLQuantizationType[chosen] if chosen else tensor.tensor_type
        raw = sides[::-1]
        size = _bytes(raw, new)
        stored = raw if new in (0, 1, 30) else list(gguf.quant_shape_to_byte_shape(raw, new))
        plain = _dtype(new)
        writer.add_tensor_info(tensor.name, stored, plain, size, raw_dtype=new)
        plan.append((tensor, new if chosen else None))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor, wanted in plan:
        writer.write_tensor_data(tensor.data if wanted is None else _round(tensor, wanted, rounded))
    writer.close()


def _bytes(sides: list[int], kind_: Any) -> int:
    import gguf

    numbers, size = gguf.GGML_QUANT_SIZES[kind_]
    total = 1
    for side in sides:
        total *= side
    return int(total // numbers * size)


def _dtype(kind_: Any) -> Any:
    import numpy as np

    return np.dtype({0: np.float32, 1: np.float16}.get(int(kind_), np.uint8))


def _round(tensor: Any, wanted: Any, rounded: Any) -> Any:
    """The bytes of a tensor in its new type."""
    import numpy as np

    columns = int(tensor.shape[0])
    rows = tensor.data.reshape(-1, columns)
    out = np.empty(_bytes([len(rows), columns], wanted), np.uint8)
    done, step = 0, max(1, PIECE // columns)
    for first in range(0, len(rows), step):
        numbers = np.ascontiguousarray(rows[first : first + step], np.float32)
        place = out[done:].ctypes.data_as(ctypes.c_void_p)
        given = numbers.ctypes.data_as(ctypes.c_void_p)
        done += rounded(int(wanted), given, place, 0, len(numbers), columns, None)
    if done != len(out):
        sys.exit(f"llama.cpp wrote {done} bytes of {tensor.name}, not {len(out)}")
    return out


def _shape(reader: Any) -> ModelOutline:
    def number(name: str, otherwise: int) -> int:
        field = reader.get_field(f"{architecture}.{name}")
        value = field.contents() if field else otherwise
        return int(max(value) if isinstance(value, list) else value)

    architecture = str(reader.get_field("general.architecture").contents())
    names = {tensor.name for tensor in reader.tensors}
    layers = number("block_count", 0)
    attending = tuple(
        layer for layer in range(layers) if any(f"blk.{layer}.{one}" in names for one in VALUES)
    )
    heads = number("attention.head_count", 0)
    return ModelOutline(
        architecture,
        layers,
        number("expert_count", 0),
        heads,
        number("attention.head_count_kv", heads),
        "output.weight" not in names,
        attending,
    )


def _copy_settings(reader: Any, writer: Any) -> None:
    """Everything that the source says of itself, but for its type."""
    import gguf

    own = {"general.file_type", "general.quantization_version", "general.architecture"}
    for name, field in _settings(reader):
        if name in own:
            continue
        is_list = field.types[0] == gguf.GGUFValueType.ARRAY
        part = field.types[-1] if is_list else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=part)
    writer.add_file_type(FILE_TYPE)
    writer.add_quantization_version(VERSION)


def _settings(reader: Any) -> Iterator[tuple[str, Any]]:
    return ((name, field) for name, field in reader.fields.items() if not name.startswith("GGUF."))


def _function() -> Any:
    """`ggml_quantize_chunk` of the llama.cpp that is installed."""
    found = find_spec("xllamacpp")
    if found is None or found.origin is None:
        sys.exit("xllamacpp, which rounds the numbers, is not installed")
    for path in sorted(Path(found.origin).parent.glob("xllamacpp*.*")):
        if path.suffix in (".so", ".pyd"):
            function = getattr(ctypes.CDLL(str(path)), "ggml_quantize_chunk", None)
            if function is not None:
                function.restype = ctypes.c_size_t
                function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
                function.argtypes += [ctypes.c_int64] * 3 + [ctypes.c_void_p]
                return function
    return sys.exit("xllamacpp does not offer llama.cpp's ggml_quantize_chunk here")


if __name__ == "__main__":
    quantise(Path(sys.argv[1]), Path(sys.argv[2]))
