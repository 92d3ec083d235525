"""What a check found in a file: the same in the page, the command line and the report.

A finding stops no training: an error makes `tuneloop data check` exit 1, and that is all.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

Severity = Literal["error", "warning", "info"]
OLD_NAMES = {"fix": "hint", "mend": "fix_id"}  # of fields, in dataset versions stored until 0.1.0


class Finding(BaseModel):
    """`rows` are 1-based row numbers of the file, the first 20 of `count`.

    `hint` says in a sentence what a person can do; `fix_id` names the fix that does it, empty
    where there is none.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    severity: Severity
    count: int
    rows: tuple[int, ...] = ()
    message: str
    hint: str = ""
    fix_id: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_old_names(cls, stored: Any) -> Any:
        if not isinstance(stored, dict):
            return stored
        return {OLD_NAMES.get(name, name): value for name, value in stored.items()}
