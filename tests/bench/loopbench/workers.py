"""What each process of a run does: it loads the start model once and measures cells."""

import logging
import os
import warnings
from pathlib import Path

from tests.bench.loopbench.grid import Cell
from tests.bench.loopbench.run import Bench

_bench: dict[str, Bench] = {}


def begin(out: Path) -> None:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    _bench["one"] = Bench(out)


def measured(cell: Cell, rate: float) -> dict:
    return _bench["one"].measured(cell, rate)
