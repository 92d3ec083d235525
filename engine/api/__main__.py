"""`python -m engine.api HOST PORT`: what `tuneloop api` becomes, or a child of the web server."""

import argparse
import os
import sys
import threading

from engine.api.app import serve
from engine.core.errors import UserError
from engine.models.request_scheduler import MOST_BASES
from engine.services.models import api_lock
from engine.workspace import open_workspace


def main() -> None:
    """Serve; a sentence and its exit code where that is refused."""
    parser = argparse.ArgumentParser(prog="python -m engine.api")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("under", type=int, nargs="?", help="the web server that it ends with")
    parser.add_argument("asks", choices=["keys", "open"], nargs="?", help="who needs a key")
    parser.add_argument("--most-bases", type=int, default=MOST_BASES)
    asked = parser.parse_args()
    os.umask(0o077)
    try:
        if asked.under:
            keys = asked.asks == "keys"
            _serve_under(asked.under, asked.host, asked.port, asked.most_bases, keys)
        else:
            _serve_in_terminal(asked.host, asked.port, asked.most_bases)
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _serve_in_terminal(host: str, port: int, most_bases: int) -> None:
    ws = open_workspace()
    with api_lock.held(ws.settings.home, "terminal", patience_s=0) as lock:
        serve(ws, host, port, most_bases, ready=lock.write)


def _serve_under(parent: int, host: str, port: int, most_bases: int, keys: bool) -> None:
    """Serve while the web server lives; it knows by the lock that this process does."""
    ended = threading.Event()
    api_lock.end_with_parent(parent, ended)
    ws = open_workspace()
    with api_lock.held(ws.settings.home, "page") as lock:
        serve(ws, host, port, most_bases, keys=keys, with_worker=False, ready=lock.write)
    ended.set()


if __name__ == "__main__":
    main()
