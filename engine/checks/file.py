"""What can be said about a file as a whole, before its examples are looked at."""

from engine.checks.shared import finding
from engine.core.finding import Finding
from engine.core.parsed_file import ParsedFile


def broken_rows(parsed: ParsedFile) -> list[Finding]:
    """The rows that were left out, with the reason of the first one."""
    if not parsed.broken:
        return []
    first = parsed.broken[0]
    return finding(
        "broken_rows",
        "warning",
        [row.row for row in parsed.broken],
        f"left out as unreadable; row {first.row}: {first.reason}",
        "Correct these rows and upload the file again, or go on without them.",
    )


def unused_columns(parsed: ParsedFile) -> list[Finding]:
    """The columns that the layout does not read; `count` is their number."""
    if not parsed.unused:
        return []
    names = ", ".join(name[:40] for name in parsed.unused[:12])
    return [
        Finding(
            id="unused_columns",
            severity="info",
            count=len(parsed.unused),
            message=f"Columns that the layout {parsed.layout} does not use: {names}.",
            hint="Rename a column if it holds something to learn.",
        )
    ]


def encoding(parsed: ParsedFile) -> list[Finding]:
    """That the file was read as Windows-1252, which is a guess."""
    if parsed.encoding != "cp1252":
        return []
    return [
        Finding(
            id="encoding",
            severity="warning",
            count=1,
            message="The file is not UTF-8; it was read as Windows-1252.",
            hint="Look at letters with accents; if they are wrong, save the file as UTF-8.",
        )
    ]


def notes(parsed: ParsedFile) -> list[Finding]:
    """What the reader passed over, such as further sheets of a workbook."""
    return [Finding(id="passed_over", severity="info", count=1, message=n) for n in parsed.notes]
