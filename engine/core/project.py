"""A project, and the status of its loop."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

StepName = Literal["data", "train", "evaluate", "rate", "pairs", "dpo", "blind", "verdict"]
StepState = Literal["todo", "next", "running", "done"]


class Project(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    created_by: str
    created_at: float


NextAction = Literal[
    "add_data",
    "train_first",
    "evaluate",
    "rate",
    "make_pairs",
    "train_on_pairs",
    "test_blind",
    "read_verdict",
    "start_again",
    "watch_training",
    "watch_demo",
]


class Step(BaseModel):
    """One station of the loop and its newest result, where it has one.

    `count` is of rows, votes or pairs, `label` the name of a model or a metric, `value` a score
    from 0 to 1 or the win rate of the verdict.
    """

    model_config = ConfigDict(frozen=True)

    name: StepName
    state: StepState
    count: int | None = None
    label: str = ""
    value: float | None = None


class LoopStatus(BaseModel):
    """The eight steps of a project's loop in order, and the one thing to do next."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...]
    next_action: NextAction
