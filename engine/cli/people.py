"""people list|add|link|change|close|reopen: the accounts of a server that others can reach."""

from collections.abc import Mapping

import click

from engine.cli import common
from engine.cli.common import as_json, show, workspace
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.people import accounts
from engine.services.people.accounts import ROLES, Account
from engine.workspace import Workspace

OPENS = "{path}\nOpen this path at your server's address. It works once, within a week."
a_role = click.option(
    "--role", type=click.Choice(list(ROLES)), required=True, help="What the account may do."
)
their_projects = click.option(
    "--project", "wanted", multiple=True, help="Project name or id; repeat it for several."
)


@click.group()
def people() -> None:
    """Manage accounts, roles and sign-in links.

    The web app requires sign-in as soon as one account exists. The command line does not: anyone
    who can read the data folder acts as its owner.
    """


@people.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List the accounts."""
    with workspace() as ws:
        people_known = accounts.list_all(ws, LOCAL)
        names = {one.id: one.name for one in projects.list_all(ws, LOCAL)}
        text = "\n".join(_line(one, names) for one in people_known)
        show(
            {"people": people_known},
            text or "There are no accounts; the web app requires no sign-in.",
            as_json,
        )


@people.command()
@click.argument("name")
@a_role
@their_projects
@as_json
def add(name: str, role: str, wanted: tuple[str, ...], as_json: bool) -> None:
    """Create an account and print the link for setting its password."""
    with workspace() as ws:
        made, token = accounts.add(ws, LOCAL, name, role, _ids(ws, wanted))
        _show_link(made.model_dump(), token, as_json)


@people.command()
@click.argument("name")
@as_json
def link(name: str, as_json: bool) -> None:
    """Create a new link for a lost password."""
    with workspace() as ws:
        token = accounts.new_link(ws, LOCAL, accounts.find_by_name(ws, LOCAL, name).id)
        _show_link({"name": name}, token, as_json)


@people.command()
@click.argument("name")
@a_role
@their_projects
@as_json
def change(name: str, role: str, wanted: tuple[str, ...], as_json: bool) -> None:
    """Change the role and the projects of an account (replaces the current list)."""
    with workspace() as ws:
        known = accounts.find_by_name(ws, LOCAL, name)
        made = accounts.change(ws, LOCAL, known.id, role, _ids(ws, wanted))
        show(made, f"{made.name} is {made.role} now.", as_json)


@people.command()
@click.argument("name")
@as_json
def close(name: str, as_json: bool) -> None:
    """Close an account; its past work is kept."""
    with workspace() as ws:
        made = accounts.close(ws, LOCAL, accounts.find_by_name(ws, LOCAL, name).id)
        show(made, f"The account of {made.name} is closed.", as_json)


@people.command()
@click.argument("name")
@as_json
def reopen(name: str, as_json: bool) -> None:
    """Reopen a closed account."""
    with workspace() as ws:
        made = accounts.reopen(ws, LOCAL, accounts.find_by_name(ws, LOCAL, name).id)
        show(made, f"{made.name} can sign in again.", as_json)


def _show_link(about: Mapping[str, object], token: str, as_json: bool) -> None:
    path = f"/account/welcome/{token}"
    show({**about, "path": path}, OPENS.format(path=path), as_json)


def _ids(ws: Workspace, wanted: tuple[str, ...]) -> list[str]:
    return [common.project(ws, each).id for each in wanted]


def _line(one: Account, names: dict[str, str]) -> str:
    state = (
        "closed" if one.status == "closed" else "" if one.has_password else "has no password yet"
    )
    return f"{one.name:24} {one.role:8} {accounts.where(one, names):40} {state}".rstrip()
