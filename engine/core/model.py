"""A base model, or an adapter with its base and the job that made it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Source = Literal["folder", "hub", "wheel", "trained"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str | None = None  # None: a base model, shared by all projects
    name: str
    kind: Literal["base", "adapter"]
    source: Source
    path: str  # absolute for a base, relative to the workspace's files folder for an adapter
    base_id: str | None = None
    parent_id: str | None = None  # the adapter it was trained on from
    job_id: str | None = None
    dataset_id: str | None = None
    info: dict[str, Any] = {}
    created_at: float
