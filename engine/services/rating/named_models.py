"""What a file calls a model -> a model of the project, or one that is known by that name alone."""

import time
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from engine.core import ids
from engine.core.model import Model
from engine.store import jobs, models

UNNAMED = "model without a name"


class NamedModels:
    """The models of a project by every name they go by, and those that a file adds to it.

    A model goes by its id, its name and the name of the job that made it; a name that two models
    share means neither.
    """

    def __init__(self, conn: Connection, project_id: str) -> None:
        self.project_id = project_id
        known = models.list_all(conn, project_id)
        called = {job.id: job.name for job in jobs.list_all(conn, project_id)}
        pairs = [
            (name, each)
            for each in known
            for name in sorted({each.name, called.get(each.job_id or "", each.name)})
        ]
        often = Counter(name for name, _ in pairs)
        self.own = {name: each for name, each in pairs if often[name] == 1}
        self.own |= {each.id: each for each in known}
        self.outside = {each.name: each for each in models.outside(conn, project_id)}
        self.new: list[Model] = []

    def find(self, name: str) -> Model:
        """The model of this name; one without a name is the same in every file."""
        name = name or UNNAMED
        if name in self.own:
            return self.own[name]
        if name not in self.outside:
            made = Model(
                id=ids.new("model"),
                project_id=self.project_id,
                name=name,
                kind="outside",
                source="file",
                path="",
                created_at=time.time(),
            )
            self.outside[name] = made
            self.new.append(made)
        return self.outside[name]

    def linked(self, names: Iterable[str]) -> bool:
        """Whether all of these are models of the project."""
        return all(name in self.own for name in names)

    def store(self, conn: Connection) -> None:
        """Keep those that were made here."""
        for each in self.new:
            models.add(conn, each)
