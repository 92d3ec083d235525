"""What can go wrong and be put right by a person.

Every error here says what is wrong and what to do next. Anything else that is raised is a bug and
keeps its traceback in the log.

    UserError              exit code 2, HTTP 422
      Unfinished           exit code 1, HTTP 422
      NotFound             exit code 4, HTTP 404
      Conflict             exit code 5, HTTP 409
      Forbidden            exit code 6, HTTP 403
        SignedOut          exit code 6, HTTP 401
      Unavailable          exit code 7, HTTP 503
        NoRoom             exit code 7, HTTP 507
"""

from engine.core.shortened import shortened

MOST_QUOTED = 60  # characters: the reason that follows is to be read


def quoted(value: object) -> str:
    """A value as a sentence names it: as Python writes it, its end cut off where it is long."""
    return shortened(repr(value), MOST_QUOTED)


class UserError(Exception):
    """A problem that the person who asked can fix: one sentence on each, both shown to them.

    Names out of a file may stand in them: signs that move the text around or say nothing are a "?".
    """

    exit_code = 2
    status = 422

    def __init__(self, problem: str, fix: str = "") -> None:
        self.problem, self.fix = _readable(problem), _readable(fix)
        super().__init__(f"{self.problem} {self.fix}".strip())


class Unfinished(UserError):
    """What was asked for began as it should and did not end well."""

    exit_code = 1


class NotFound(UserError):
    """The thing does not exist, or the actor may not know that it does."""

    exit_code = 4
    status = 404


class Conflict(UserError):
    """The thing has moved on since the actor last looked."""

    exit_code = 5
    status = 409


class Forbidden(UserError):
    """The actor's role does not cover this."""

    exit_code = 6
    status = 403


class SignedOut(Forbidden):
    """Nobody is signed in in this browser, on a server that asks who somebody is."""

    status = 401


class Unavailable(UserError):
    """The database can't do it now; nothing was saved, and the same may work in a while."""

    exit_code = 7
    status = 503


class NoRoom(Unavailable):
    """The disk took no more; nothing was saved."""

    status = 507


class RowError(ValueError):
    """One row of a file cannot be read; the reason completes "row 7: ..."."""


def _readable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
