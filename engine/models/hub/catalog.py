"""Good first bases by size, known without a network."""

from functools import cache
from pathlib import Path

import yaml

from engine.core.hub import Catalog

FILE = Path(__file__).parents[1] / "catalog.yaml"


@cache
def read() -> Catalog:
    """The catalog, the smallest base first."""
    return Catalog.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
