"""Which numbers a model is best run in here: 16 bits where the processor is fast at them."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = 256  # tokens in a small batch
NARROW = 256  # below this width a layer's time is overhead, and 16 bits only cost exactness
WORTH_IT = 1.5  # casts and 32-bit parts of a step eat smaller gains
TRIES = 7


def fast_bf16(width: int) -> bool:
    """Whether products of a model with layers of `width` are much faster in bfloat16 here.

    Measured in under 0.2 s, because a processor's name doesn't tell: without units of its own for
    bfloat16 it is slower than float32.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    if width < NARROW:
        return False
    use_cores()
    layer = torch.ones(4 * width, width)
    batch = torch.ones(ROWS, width)
    single = _seconds(lambda: batch @ layer.T)
    layer, batch = layer.bfloat16(), batch.bfloat16()
    return single / _seconds(lambda: batch @ layer.T) >= WORTH_IT


def width(base: Path) -> int:
    """The width of the layers of the model in the folder `base`, from its config."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return int(config.get("text_config", config)["hidden_size"])


def use_cores() -> None:
    """One thread for each core, unless the person said otherwise with OMP_NUM_THREADS."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(_cores())


def _seconds(product: Callable[[], Any]) -> float:
    """The fastest of a few: other programs on this machine only ever add time."""
    product()
    taken = []
    for _ in range(TRIES):
        start = time.perf_counter()
        product()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _cores() -> int:
    """Physical cores that this process may use; hyperthreads only slow matrix products down."""
    import psutil

    return min(psutil.cpu_count(logical=False) or 1, len(psutil.Process().cpu_affinity() or [1]))
