"""How to install a library that Tuneloop works without."""

import sys
from importlib.util import find_spec
from pathlib import Path

from engine.core.errors import UserError


def install_command(extra: str) -> str:
    """The command that installs an extra into the environment which runs this.

    Debian's own pip refuses to install anything, so the environment of `make run` is named.
    """
    ours = sys.prefix != sys.base_prefix and Path(sys.prefix).name == ".venv"
    return f"{'.venv/bin/pip' if ours else 'pip'} install 'tuneloop[{extra}]'"


def require(library: str, extra: str, what: str, otherwise: str) -> None:
    """UserError where a library of an extra is not installed: `what` needs it."""
    if find_spec(library) is None:
        raise UserError(
            f"{what} needs {library}, which is not installed here.",
            f"Install it ({install_command(extra)}), or {otherwise}.",
        )
