"""What the module of a format declares: options that change its files, and who certifies them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine import plugins
from engine.core import extras
from engine.exporters.fetched_programs import Fetched

PROGRAMS = Path(__file__).parent / "runtimes"


class Runtime(NamedTuple):
    """A program that answers with exported files: its file in `runtimes`, and what it needs.

    `name` stands in certificates. A library that may be missing has the extra that brings it.
    """

    name: str
    program: Path
    module: str = ""
    extra: str = ""
    fetched: Fetched | None = None

    def require(self) -> None:
        """UserError where its library is not installed."""
        if self.module:
            extras.require(self.module, self.extra, "Comparing the answers", "export without it")

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


def check(exporter: Any, fields: Mapping[str, Any]) -> None:
    """UserError for what would fail only at the end: a missing library, a name no Hub takes.

    `fields` are those of the recipe. A format's own `check(fields)` is asked where it has one.
    """
    own = getattr(exporter, "check", None)
    if own is not None:
        own(fields)
    if fields["certify"]:
        runtime_of(exporter).require()
