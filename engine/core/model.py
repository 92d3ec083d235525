"""A base model, or what a job made of one: an adapter, all weights anew, or a judge of answers.

A model of the kind `outside` is known by name alone: votes or answers of a file are about it, or it
was a base that has been removed.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core.json_object import JsonObject

ModelKind = Literal["base", "adapter", "full", "reward", "outside"]
REASONS = "reasons"  # in `info`: most rows that a model learned hold reasoning before the answer
STRENGTH = "strength"  # in `info`: between which models it lies, and where
REPLAY = "replay"  # in `info`: the examples that it learned beside votes
Source = Literal["folder", "hub", "wheel", "trained", "file"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str | None = None  # None: a base model, shared by all projects
    name: str
    kind: ModelKind
    source: Source
    # relative to the workspace's files folder; absolute for a base that lies elsewhere; or empty
    path: str
    base_id: str | None = None  # whose weights it needs; of a whole model: what it came from
    parent_id: str | None = None  # the adapter it was trained on from
    job_id: str | None = None
    dataset_id: str | None = None
    info: JsonObject = {}
    is_trial: bool = False  # made by a search for settings, not trained in earnest
    created_at: float

    @property
    def reasons(self) -> bool:
        """Whether it was trained to reason before it answers."""
        return self.info.get(REASONS) is True

    @property
    def learned_datasets(self) -> tuple[str, ...]:
        """The ids of what it was trained on: its dataset, then the examples that it replayed."""
        replayed = self.info.get(REPLAY)
        named = replayed.get("dataset") if isinstance(replayed, dict) else None
        return tuple(one for one in (self.dataset_id, named) if isinstance(one, str))

    @property
    def has_all_weights(self) -> bool:
        """Whether its folder holds all its weights, and an adapter may be trained on it."""
        all_trained = self.kind == "reward" and self.info.get("tuning") == "full"
        return self.kind in ("base", "full") or all_trained
