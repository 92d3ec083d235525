"""Who asks. Every service takes an Actor first and checks it before anything else."""

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
    model_config = ConfigDict(frozen=True)

    name: str
    role: Role

    def require(self, role: Role) -> None:
        """Raise Forbidden unless this actor has at least `role`."""
        if self.role < role:
            raise Forbidden(
                f"This needs the role {role.name.lower()}; yours is {self.role.name.lower()}.",
                "Ask the owner of this server.",
            )


LOCAL = Actor(name="local", role=Role.OWNER)
