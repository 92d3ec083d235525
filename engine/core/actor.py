"""Who asks and in which role: each service takes an Actor and requires the role that it needs."""

from enum import IntEnum

from pydantic import BaseModel, ConfigDict

from engine.core.errors import Forbidden


class Role(IntEnum):
    """Ordered: a higher role may do all that a lower one may.

    A guest is somebody whom nobody knows: they may look at pairs, and their votes count in nothing.
    """

    GUEST = 0
    RATER = 1
    TRAINER = 2
    OWNER = 3


class Actor(BaseModel):
    """A name, what they may do, and where: `projects` is None for every project there is.

    `for_job` is set where a job that this actor started acts in their place.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    projects: frozenset[str] | None = None
    for_job: bool = False

    def require(self, role: Role) -> None:
        """Raise Forbidden unless this actor has at least `role`."""
        if self.role < role:
            raise Forbidden(
                f"This needs the role {role.name.lower()}; yours is {self.role.name.lower()}.",
                "Ask the owner of this server.",
            )

    def sees(self, project_id: str | None) -> bool:
        """Whether a thing of that project exists for this actor; what is of none is everybody's."""
        return project_id is None or self.projects is None or project_id in self.projects


LOCAL = Actor(name="local", role=Role.OWNER)
