"""serve and worker: host, port and other options of a server, and their defaults."""

import os
import sys

import click

from engine.cli.common import workspace
from engine.worker import Worker
from engine.workspace import PAGE_PORT


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=PAGE_PORT, show_default=True, type=click.IntRange(1, 65535),
              help="Port to listen on.")  # fmt: skip
@click.option("--host-name", "hosts", multiple=True,
              help="Answer to this name only (Host header); repeat it for more.")  # fmt: skip
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="ADDRESS",
              help="Believe X-Forwarded headers of this address; repeat it.")  # fmt: skip
@click.option("--root-path", default="", metavar="PATH",
              help="Public path behind a proxy, such as /tools/tuneloop.")  # fmt: skip
def serve(
    host: str, port: int, hosts: tuple[str, ...], proxies: tuple[str, ...], root_path: str
) -> None:
    """Start the web app and one worker.

    Sign-in is required at an address that others can reach, and as soon as an account exists
    (tuneloop people). The first such start prints a link for creating the owner's account.
    """
    # A process of its own: the command line stays light, and Gradio is imported once.
    named = [("--host-name", each) for each in hosts] + [("--trusted-proxy", p) for p in proxies]
    named += [("--root-path", root_path)] if root_path else []
    more = [part for option in named for part in option]
    here = ["--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "ui", *here, *more])


@click.command()
@click.option("--follow", type=int, default=None, hidden=True, help="Exit when this process ends.")
def worker(follow: int | None) -> None:
    """Run queued jobs until stopped; SIGTERM lets the current job finish first."""
    os.umask(0o077)
    with workspace() as ws:
        Worker(ws, follow).serve()
