"""`python -m ui`: the web app. `tuneloop serve` becomes this process."""

import sys

import click

from engine.core.errors import UserError
from engine.workspace import PAGE_PORT, Settings
from ui import server


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=PAGE_PORT, type=click.IntRange(1, 65535))
@click.option("--host-name", "hosts", multiple=True)
@click.option("--trusted-proxy", "proxies", multiple=True)
@click.option("--root-path", default="")
def main(
    host: str, port: int, hosts: tuple[str, ...], proxies: tuple[str, ...], root_path: str
) -> None:
    """Serve until stopped."""
    try:
        home = Settings.from_environment().home
        server.serve(home, host, port, hosts=hosts, proxies=proxies, root_path=root_path)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
