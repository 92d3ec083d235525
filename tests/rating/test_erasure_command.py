"""`tuneloop rating erase`: it asks first, says what went, and refuses whom it does not know."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.app import cli
from engine.core.errors import NotFound
from engine.services.rating import votes
from engine.workspace import open_workspace
from tests.rating.rated import rate_all, rater, started


@pytest.fixture
def one(home, tmp_path):
    """A round that ada and ben rated."""
    ws = open_workspace()
    made = started(ws, tmp_path, "train_pairs", pairs=4, overlap=2)
    for name in ("ada", "ben"):
        rate_all(ws, made, name)
    yield made
    ws.close()


def run(*words, **given):
    return CliRunner().invoke(cli, ["rating", "erase", *words], **given)


def names():
    return json.loads(run("--json").output)["raters"]


def test_erasure_command_lists_names_and_asks_before_it_deletes(one):
    assert names() == ["ada", "ben"]
    refused = run("ada", input="n\n")
    assert refused.exit_code == 1
    assert names() == ["ada", "ben"]
    assert "Deleted for good: a rater with 4 votes in 1 round." in run("ada", input="y\n").output
    assert names() == ["ben"]
    ws = open_workspace()
    assert votes.progress(ws, rater("ben"), one.id)["all_done"] == 4
    ws.close()


def test_erasure_command_covers_every_project_and_prints_json(one):
    gone = json.loads(run("ben", "--everywhere", "--yes", "--json").output)
    assert (gone["votes"], gone["rounds"], gone["datasets"]) == (4, 1, [])
    assert names() == ["ada"]


def test_erasure_command_refuses_an_unknown_name(one):
    done = run("Ada", "--yes")
    assert isinstance(done.exception, NotFound)
    assert names() == ["ada", "ben"]
