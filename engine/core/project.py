"""A project: one data set, its models, its rounds, and where its loop stands."""

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


class Step(BaseModel):
    """One station of the loop: `detail` says in a few words what is there, such as "BLEU 0.41"."""

    model_config = ConfigDict(frozen=True)

    name: StepName
    title: str
    state: StepState
    detail: str = ""


class Standing(BaseModel):
    """Where the project stands: the eight steps in order, and the one thing to do next."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...]
    next_title: str  # the button
    next_text: str  # why
    next_tab: str  # which tab the button opens: data, train, runs, evaluate, rate ...
