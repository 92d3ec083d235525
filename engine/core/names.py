"""Names that a person gives to a thing: one line of characters that can be seen."""

from engine.core.errors import UserError


def one_line(name: str, longest: int, problem: str) -> str:
    """The name with single blanks; UserError with `problem` where it is empty, longer or unseen."""
    clean = " ".join(name.split())
    if not 0 < len(clean) <= longest or not clean.isprintable():
        raise UserError(problem, f"Give 1 to {longest} characters.")
    return clean
