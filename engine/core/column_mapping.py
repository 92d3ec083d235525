"""Which column of a file holds what, as a person says it or a guess proposes it."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.core.examples import Kind

ColumnRole = Literal[
    "system", "prompt", "context", "answer", "references", "chosen", "rejected", "label", "text",
    "group",
]  # fmt: skip

NEEDED: dict[Kind, tuple[ColumnRole, ...]] = {
    "sft": ("prompt", "answer"),
    "preference": ("chosen", "rejected"),  # whole chats hold their prompt
    "unpaired": ("prompt", "answer", "label"),
    "text": ("text",),
    "prompts": ("prompt",),
}
ASIDE: tuple[ColumnRole, ...] = ("system", "context", "group")
MAY: dict[Kind, tuple[ColumnRole, ...]] = {
    "sft": (*ASIDE, "references"),
    "preference": ("prompt", *ASIDE),
    "unpaired": ASIDE,
    "text": ("group",),
    "prompts": (*ASIDE, "references"),
}


class ColumnMapping(BaseModel):
    """The kind of the examples and, of each role it has, the column that plays it.

    Without a `header` the first line of a table is a row too, and columns are called 1, 2, ...
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    columns: dict[ColumnRole, str]
    header: bool = True

    def __str__(self) -> str:
        return ", ".join(f"{role} = {column}" for role, column in self.columns.items())


def mapping_of(
    pairs: dict[str, str], kind: str | None = None, header: bool = True
) -> ColumnMapping:
    """The mapping that a person wrote down; the kind follows from the roles where it is not said.

    UserError for a role or kind that there is not, and for a role that is missing or too many.
    """
    unknown = [role for role in pairs if role not in get_args(ColumnRole)]
    if unknown:
        raise UserError(
            f"There is no role {unknown[0]!r}.", f"Known: {', '.join(get_args(ColumnRole))}."
        )
    chosen: Any = kind or _kind_of(pairs)
    if chosen not in NEEDED:
        raise UserError(f"There is no kind {chosen!r}.", f"Known: {', '.join(NEEDED)}.")
    return checked(
        ColumnMapping.model_validate({"kind": chosen, "columns": pairs, "header": header})
    )


def checked(mapping: ColumnMapping, columns: Sequence[str] | None = None) -> ColumnMapping:
    """The mapping with each column as the file spells it; UserError when it cannot be used."""
    needed, may = NEEDED[mapping.kind], MAY[mapping.kind]
    missing = [role for role in needed if not mapping.columns.get(role)]
    if missing:
        raise UserError(
            f"No column is mapped to {missing[0]}.",
            f"Data of the kind {mapping.kind} needs a column for each of: {', '.join(needed)}.",
        )
    idle = [role for role in mapping.columns if role not in (*needed, *may)]
    if idle:
        raise UserError(
            f"Data of the kind {mapping.kind} has no {idle[0]}.", f"Leave {idle[0]!r} out."
        )
    if columns is None:
        return mapping
    spelled = {role: spelling(column, columns) for role, column in mapping.columns.items()}
    return mapping.model_copy(update={"columns": spelled})


def spelling(wanted: str, columns: Sequence[str]) -> str:
    """The column as the file spells it; UserError when it has none of this name."""
    alike = [name for name in columns if name.strip().casefold() == wanted.strip().casefold()]
    if wanted in columns or alike:
        return wanted if wanted in columns else alike[0]
    shown = ", ".join(name[:40] for name in columns[:12]) or "none"
    raise UserError(f"There is no column {wanted[:40]!r}.", f"The columns are: {shown}.")


def _kind_of(pairs: dict[str, str]) -> Kind:
    if "chosen" in pairs or "rejected" in pairs:
        return "preference"
    if "label" in pairs:
        return "unpaired"
    if "text" in pairs:
        return "text"
    return "sft" if "answer" in pairs else "prompts"
