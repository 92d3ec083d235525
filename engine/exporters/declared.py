"""What the module of a format declares: options that change its files, and who certifies them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engine import plugins
from engine.exporters.fetched_programs import Fetched

PROGRAMS = Path(__file__).parent / "runtimes"


class Runtime(NamedTuple):
    """A program that answers with exported files: its file in `runtimes`, and what it needs.

    `name` stands in certificates. A library that may be missing has the command that installs it.
    """

    name: str
    program: Path
    library: str = ""
    install: str = ""
    fetched: Fetched | None = None

    def packages(self, tools: Path, say: Callable[[str], None]) -> Path | None:
        """The folder with what it fetches, at the first call from afar; None where that is none."""
        return self.fetched.ensure(tools, say) if self.fetched else None


def runtime_of(exporter: Any) -> Runtime:
    """Its RUNTIME; an installed format may give the name of that of a built-in one."""
    declared = exporter.RUNTIME
    if isinstance(declared, Runtime):
        return declared
    ours = [plugins.load("exporters", name).RUNTIME for name in plugins.BUILT_IN["exporters"]]
    return {one.name: one for one in ours}[declared]


def options_of(exporter: Any) -> tuple[str, ...]:
    """Its OPTIONS, fields of an export's recipe that a person may set for it; none where absent."""
    return tuple(getattr(exporter, "OPTIONS", ()))
