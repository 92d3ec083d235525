"""`python -m engine.api HOST PORT BASES`: the process that `tuneloop api` becomes."""

import sys

from engine.api.app import serve
from engine.core.errors import UserError


def main() -> None:
    """Serve; a sentence and its exit code where that is refused."""
    host, port, bases = sys.argv[1:]
    try:
        serve(host, int(port), int(bases))
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
