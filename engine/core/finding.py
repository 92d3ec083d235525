"""What a check found in a file: the same in the page, the command line and the report."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["error", "warning", "info"]


class Finding(BaseModel):
    """`rows` are 1-based row numbers of the file, the first 20 of `count`; `mend` names a fix."""

    model_config = ConfigDict(frozen=True)

    id: str
    severity: Severity
    count: int
    rows: tuple[int, ...] = ()
    message: str
    fix: str = ""
    mend: str = ""
