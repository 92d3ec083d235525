"""Which column holds what, said by a person or guessed: for files that no layout fits."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from engine.core.errors import RowError, UserError
from engine.core.examples import Example, Kind, Preference, Prompt, Text, Unpaired
from engine.core.parsed import BrokenRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.sides import answers, label_of, last_answer, prompt_turns, several
from engine.formats.turns import assistant, chat, kind_of, place, references, system, user

Role = Literal[
    "system", "prompt", "context", "answer", "references", "chosen", "rejected", "label", "text",
    "group",
]  # fmt: skip
Rows = Sequence[dict[str, Any]]

NEEDED: dict[Kind, tuple[Role, ...]] = {
    "sft": ("prompt", "answer"),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "answer", "label"),
    "text": ("text",),
    "prompts": ("prompt",),
}
ASIDE: tuple[Role, ...] = ("system", "context", "group")
MAY: dict[Kind, tuple[Role, ...]] = {
    "sft": (*ASIDE, "references"),
    "preference": ASIDE,
    "unpaired": ASIDE,
    "text": ("group",),
    "prompts": (*ASIDE, "references"),
}
LIKED = frozenset(
    {"good", "yes", "positive", "up", "like", "liked", "ja", "gut", "oui", "si", "👍"}
)
DISLIKED = frozenset(
    {"bad", "no", "negative", "down", "dislike", "disliked", "nein", "schlecht", "non"}
)


class Mapping(BaseModel):
    """The kind of the examples and, of each role it has, the column that plays it."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    columns: dict[Role, str]

    def __str__(self) -> str:
        return ", ".join(f"{role} = {column}" for role, column in self.columns.items())


def mapping_of(pairs: dict[str, str], kind: str | None = None) -> Mapping:
    """The mapping that a person wrote down; the kind follows from the roles where it is not said.

    UserError for a role or kind that there is not, and for a role that is missing or too many.
    """
    unknown = [role for role in pairs if role not in get_args(Role)]
    if unknown:
        raise UserError(f"There is no role {unknown[0]!r}.", f"Known: {', '.join(get_args(Role))}.")
    chosen: Any = kind or _kind_of(pairs)
    if chosen not in NEEDED:
        raise UserError(f"There is no kind {chosen!r}.", f"Known: {', '.join(NEEDED)}.")
    return checked(Mapping.model_validate({"kind": chosen, "columns": pairs}))


def checked(mapping: Mapping, columns: Sequence[str] | None = None) -> Mapping:
    """The mapping with each column as the file spells it; UserError when it cannot be used."""
    needed, may = NEEDED[mapping.kind], MAY[mapping.kind]
    missing = [role for role in needed if not mapping.columns.get(role)]
    if missing:
        raise UserError(
            f"Nothing is said to be the {missing[0]}.",
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


def examples(
    rows: Sequence[NumberedRow], mapping: Mapping
) -> tuple[list[Example], list[BrokenRow]]:
    """The rows read through the mapping, and the rows that could not be."""
    read: list[Example] = []
    broken = []
    for number, row in rows:
        try:
            read.append(_example(row, number, mapping))
        except RowError as error:
            broken.append(BrokenRow(number, _spoken(str(error), mapping)))
    return read, broken


def _example(row: dict[str, Any], number: int, mapping: Mapping) -> Example:
    """One row as an example; a context stands before its prompt, after a blank line between."""
    given: dict[str, Any] = {
        role: _plain(row.get(column)) for role, column in mapping.columns.items()
    }
    placed = place({"group": row.get("group"), **given}, number)
    if mapping.kind == "text":
        return Text(text=_said(given, "text"), **placed)
    prompt = _prompt(given)
    if mapping.kind == "prompts":
        return Prompt(prompt=prompt, references=references(given), **placed)
    if mapping.kind == "preference":
        chosen, rejected = _said(given, "chosen"), _said(given, "rejected")
        return Preference(prompt=prompt, chosen=chosen, rejected=rejected, **placed)
    if mapping.kind == "unpaired":
        answer, label = _said(given, "answer"), _label(given.get("label"))
        return Unpaired(prompt=prompt, completion=answer, label=label, **placed)
    if _is_turns(given.get("answer")):
        return chat((*prompt, assistant(_said(given, "answer"))), **placed)
    accepted = answers(given, "answer")
    others = references(given) or several(accepted)
    return chat((*prompt, assistant(accepted[0])), references=others, **placed)


def _prompt(given: dict[str, Any]) -> tuple[Any, ...]:
    asked = given.get("prompt")
    if _is_turns(asked):
        turns = prompt_turns(given)
    else:
        turns = (
            user("\n\n".join(filter(None, [_joined(given, "context"), _said(given, "prompt")]))),
        )
    return (*system(given), *turns)


def _said(given: dict[str, Any], role: str) -> str:
    if _is_turns(given.get(role)):
        return last_answer(given, role)[1]
    value = _joined(given, role)
    if value is None:
        raise RowError(f"'{role}' is missing")
    return value


def _joined(given: dict[str, Any], role: str) -> str | None:
    """The text of a role; sentences in a list become one text."""
    value = given.get(role)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return " ".join(item.strip() for item in value)
    if value is None or isinstance(value, str):
        return value
    raise RowError(f"'{role}' is {kind_of(value)}, not text")


def _plain(value: Any) -> Any:
    """Numbers and booleans as the text a person would write; all else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _label(value: Any) -> bool:
    known = label_of(value)
    word = str(value).strip().casefold()
    if known is None and word not in LIKED | DISLIKED:
        raise RowError(f"'label' is {word[:40]!r}, neither good nor bad")
    return word in LIKED if known is None else known


def _is_turns(value: Any) -> bool:
    found = value if isinstance(value, list) else [value]
    return bool(found) and all(isinstance(item, dict) and len(item) > 1 for item in found)


def _spoken(reason: str, mapping: Mapping) -> str:
    """The reason with the file's own name of the column."""
    for role, column in mapping.columns.items():
        reason = reason.replace(f"'{role}'", repr(column[:60]))
    return reason


def _kind_of(pairs: dict[str, str]) -> Kind:
    if "chosen" in pairs or "rejected" in pairs:
        return "preference"
    if "label" in pairs:
        return "unpaired"
    if "text" in pairs:
        return "text"
    return "sft" if "answer" in pairs else "prompts"
