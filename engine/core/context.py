"""What a running job may ask of the house, and nothing more.

engine/child.py gives the real one; tests give a small one that keeps everything in memory.
"""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from engine.core.dataset import Row, Split
from engine.core.model import Model


class ModelFiles(NamedTuple):
    """Where a model lies: the folder of its base and, for an adapter, the folder of the adapter."""

    model: Model
    base: Path
    adapter: Path | None


class Cancelled(Exception):
    """The job was asked to stop; raised by `Context.check`."""


class Context(Protocol):
    job_id: str
    project_id: str
    folder: Path  # of this job's artifacts; exists, empty at the first attempt
    cache: Path  # of the workspace: what may be lost, since it can be worked out again

    def emit(self, kind: str, data: dict[str, Any], step: int | None = None) -> None:
        """Say something; cheap to call at every step, since rows are written in batches.

        `log` {"text"}, `metric` {name: float}, `progress` {"done", "total", "label", "eta_s"},
        `sample` {"step", "prompt", "text", "reference"}.
        """

    def cancelled(self) -> bool:
        """Whether the person asked to stop (read from the database at most once a second)."""

    def keeping(self) -> bool:
        """Whether what was reached until the stop is wanted as the result."""

    def check(self) -> None:
        """Raise Cancelled when `cancelled`."""

    def rows(self, dataset_id: str, split: Split | None = None) -> list[Row]:
        """The rows of a dataset version in their order."""

    def model(self, model_id: str) -> ModelFiles:
        """Where a model's files lie."""
