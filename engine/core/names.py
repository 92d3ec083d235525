"""Names and texts that a person gives: a name is one line of characters that can be seen."""

from engine.core.errors import UserError


def one_line(name: str, longest: int, problem: str) -> str:
    """The name with single blanks; UserError with `problem` where it is empty, longer or unseen."""
    clean = " ".join(name.split())
    if not 0 < len(clean) <= longest or not clean.isprintable():
        raise UserError(problem, f"Give 1 to {longest} characters.")
    return clean


def without_nul(text: str, what: str) -> str:
    """The text; UserError where it holds a NUL, which no file of text and no database takes."""
    if "\0" in text:
        raise UserError(f"{what} holds a NUL character.", "Take it out.")
    return text
