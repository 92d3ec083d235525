"""All checks over one file, and the report that the page, the command line and the API show."""

from pydantic import BaseModel, ConfigDict

from engine import plugins
from engine.checks.file import broken_rows, encoding, notes, unused_columns
from engine.core.examples import Kind
from engine.core.finding import Finding
from engine.core.parsed_file import ParsedFile

GRAVEST_FIRST = {"error": 0, "warning": 1, "info": 2}


def findings(parsed: ParsedFile) -> list[Finding]:
    """What every check found, errors first, then warnings, then information."""
    found = [*broken_rows(parsed), *encoding(parsed)]
    for name in plugins.names("checks"):
        found += plugins.load("checks", name)(parsed.examples)
    found += [*unused_columns(parsed), *notes(parsed)]
    return sorted(found, key=lambda finding: GRAVEST_FIRST[finding.severity])


class FileReport(BaseModel):
    """What a file holds: its rows without the broken ones, and findings, the gravest first."""

    model_config = ConfigDict(frozen=True)

    layout: str
    kind: Kind
    rows: int
    findings: tuple[Finding, ...]


def report(parsed: ParsedFile) -> FileReport:
    """The report of a file that was read."""
    return FileReport(
        layout=parsed.layout,
        kind=parsed.kind,
        rows=len(parsed.examples),
        findings=tuple(findings(parsed)),
    )
