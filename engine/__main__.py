"""`tuneloop`, also `python -m engine`: each subcommand calls one service.

Exit codes: 0 done; 1 the thing asked for did not end well; 2 wrong input; 4 not found; 5 conflict;
6 not allowed; 7 the database cannot do it now; 130 interrupted.
"""

import os
import sys
from io import TextIOWrapper

import click
from pydantic import ValidationError

from engine.cli import app
from engine.core.errors import UserError, quoted


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; no traceback for a person's mistake."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # an odd character ends nothing
            stream.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        code = error.exit_code
    except SystemExit as ended:  # click meets a closed pipe with 1, and wraps stdout to keep quiet
        code = ended.code if isinstance(sys.stdout, TextIOWrapper) else 0
    except BrokenPipeError:  # the reader has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _run(arguments: list[str]) -> object:
    """What the command returns; UserError for an option whose value a service did not take."""
    try:
        return app.cli.main(arguments, prog_name="tuneloop", standalone_mode=False)
    except ValidationError as error:
        problem = _wrong_option(error, arguments)
        if problem is None:
            raise
        raise UserError(problem) from None


def _wrong_option(error: ValidationError, arguments: list[str]) -> str | None:
    """A sentence on the option that a service did not take; None where none was given for it."""
    given = {each.split("=", 1)[0] for each in arguments if each.startswith("--")}
    for item in error.errors():
        for part in reversed(item["loc"]):
            option = f"--{str(part).replace('_', '-')}"
            if option in given:
                why = item["msg"].removeprefix("Value error, ")
                return f"{option} is {quoted(item['input'])}: {why[:1].lower()}{why[1:]}."
    return None


if __name__ == "__main__":
    main()
