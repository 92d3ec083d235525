"""`tuneloop rating audit` and `break-glass`: what they print, and what they refuse."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.app import cli
from engine.core.actor import LOCAL
from engine.core.errors import Conflict, NotFound, UserError
from engine.services.rating import rounds
from engine.workspace import open_workspace
from tests.rating import screen
from tests.rating.rated import keys, rate_all, rater, started


@pytest.fixture
def one(home, tmp_path):
    """An open blind round in which ben sent a token that nobody was given."""
    ws = open_workspace()
    made = started(ws, tmp_path, "blind_eval", pairs=4)
    rate_all(ws, made, "ada")
    with pytest.raises(NotFound):
        screen.vote(ws, rater("ben"), "forged", next(keys), "left")
    yield made
    ws.close()


def run(*words):
    return CliRunner().invoke(cli, ["rounds", *words])


def test_audit_command_without_entries_says_so(one):
    assert run("audit", one.id).output == "No refused votes and no early looks.\n"


def test_refusals_and_early_looks_are_listed_newest_first(one):
    looked = run("break-glass", one.id, "--reason", "something unsafe")
    assert "wins 4, losses 0, ties 0, both bad 0 on 4 questions, by 1 rater." in looked.output
    first, second = run("audit").output.splitlines()
    assert first.endswith("of the blind round. Their reason: something unsafe")
    assert second.endswith("ben (rater) sent a vote with an unknown token; it was refused")
    (entry,) = json.loads(run("audit", one.id, "--json").output)["entries"]
    assert (entry["kind"], entry["who"], entry["round_id"]) == ("break_glass", "local", one.id)


def test_early_look_needs_a_reason_and_an_open_blind_round(one):
    assert run("break-glass", one.id).exit_code == 2
    assert isinstance(run("break-glass", one.id, "--reason", " ").exception, UserError)
    ws = open_workspace()
    rounds.close(ws, LOCAL, one.id)
    ws.close()
    assert isinstance(run("break-glass", one.id, "--reason", "why").exception, Conflict)
    assert isinstance(run("audit", "round-of-nobody").exception, NotFound)
