"""What a tracker is told about a training, and what it gives back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Run(NamedTuple):
    """One attempt of a training. `folder` is the tracker's own, inside that of the job."""

    id: str
    name: str
    project: str
    folder: Path
    step: int  # of the checkpoint that it goes on from; 0 at the start, with an empty folder


class Tracker(NamedTuple):
    """A tracker at work. `finish` closes it and hears whether the training came to its end."""

    callback: Any  # a TrainerCallback
    message: str  # the sentence that says where its files lie, and what opens them
    finish: Callable[[bool], None] = lambda _: None
