"""What a running job may ask of its process: progress, cancelling, files, a model kept loaded.

engine/child.py gives the real one; tests give a small one that keeps everything in memory.
"""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from engine.core.dataset import Row, Split
from engine.core.evaluation import Evaluation
from engine.core.event import EventData
from engine.core.model import Model
from engine.core.reward_head import RewardHead, VotedPairs


class ModelFiles(NamedTuple):
    """Where a model lies: the folder of its base and, for an adapter, the folder of the adapter."""

    model: Model
    base: Path
    adapter: Path | None


class Cancelled(Exception):
    """The job was asked to stop; raised by `Context.check`."""


Thing = TypeVar("Thing")


class ModelCache:
    """One large thing that a process keeps from one job to the next, such as a loaded model."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._thing: Any = None

    def get(
        self,
        key: str,
        make: Callable[[], Thing],
        serves: Callable[[Thing], bool] = lambda _: True,
    ) -> Thing:
        """What is kept under `key`, if it still serves; otherwise what `make` returns.

        The old one has gone by then: two models may not fit into the memory.
        """
        if key != self._key or not serves(self._thing):
            self._key = self._thing = None
            gc.collect()  # modules hold one another in circles
            self._thing = make()
            self._key = key
        found: Thing = self._thing
        return found

    def clear(self) -> None:
        """Let go of what is kept, so that its memory is free."""
        self._key = self._thing = None
        gc.collect()


class Context(Protocol):
    job_id: str
    project_id: str
    folder: Path  # of this job's artifacts; exists, empty at the first attempt
    cache: Path  # of the workspace: what may be lost, since it can be worked out again
    model_cache: ModelCache  # of the process: empty, or what an earlier job left there

    def emit(self, kind: str, data: EventData, step: int | None = None) -> None:
        """Say something; cheap to call at every step, since rows are written in batches.

        engine/core/event.py has the kinds and the data that belongs to each.
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

    def evaluation(self, evaluation_id: str) -> Evaluation:
        """Every answer and score of an evaluation that is done."""

    def voted_pairs(self, rounds: Sequence[str]) -> VotedPairs:
        """What raters prefer in these rounds, of those that collect preferences."""

    def reward_head(self, job_id: str) -> RewardHead:
        """The head that a job of the project learned from votes; UserError where it was refused."""
