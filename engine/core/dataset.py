"""A dataset version: immutable, content-hashed, split once for ever."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.core.examples import Example, Kind
from engine.core.finding import Finding

Split = Literal["train", "held_out"]
HELD_OUT_SHARE = 0.15  # of the rows, where nobody chooses one
# {"upload": name}, {"pairs": export id} or {"mended": version id}, and what belongs to each
Origin = dict[str, Any]


class Row(BaseModel):
    """An example with its place in a dataset version; `index` counts from 0."""

    model_config = ConfigDict(frozen=True)

    index: int
    split: Split
    example: Example


class Dataset(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    name: str
    version: int
    kind: Kind
    layout: str
    rows: int
    train_rows: int
    held_out_rows: int
    sha256: str
    file: str  # relative to the workspace's files folder
    origin: Origin = {}
    findings: tuple[Finding, ...] = ()
    created_by: str
    created_at: float

    @property
    def from_traffic(self) -> bool:
        """Whether the rows are prompts or answers of the API: not blind, and in no verdict."""
        return "feedback" in self.origin

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"
