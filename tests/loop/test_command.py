"""tuneloop loop: history and champions; rating rounds start: the gate of a regressed model."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.app import cli
from engine.core.actor import LOCAL
from engine.services.loop import champion
from engine.workspace import open_workspace
from tests import helpers
from tests.loop import lines


@pytest.fixture
def space(home):
    ws = open_workspace()
    yield ws
    ws.close()


def run(*words):
    return CliRunner().invoke(cli, words)


@pytest.fixture
def project(space):
    return helpers.project(space)


@pytest.fixture
def both(space, project, tmp_path):
    first = lines.trained(space, project, "first", helpers.model(space, tmp_path), "sft")
    return first, lines.trained(space, project, "second", first)


def test_generations_are_printed_and_are_json(space, project, both):
    lines.blind(space, project, both[1], both[0], 30, 8, 2)
    assert "Generation 1 beats the baseline on 40" in run("loop", "history").output
    found = json.loads(run("loop", "history", "--json").output)
    assert found["generations"][0]["model"]["name"] == "second"


def test_champion_is_made_and_taken_back(space, project, both):
    for name in ("first", "second"):
        assert f"{name} is the champion." in run("loop", "promote", name).output
    assert "first is the champion again." in run("loop", "back", "--reason", "worse").output
    assert champion.current(space, LOCAL, project.id).id == both[0].id


def test_blind_round_is_refused_for_a_model_that_lost_something(space, project, both, tmp_path):
    source = helpers.dataset(space, project.id, tmp_path)
    lines.evaluated(space, project, source, *both, regressed=True)
    words = ("rounds", "start", "--blind", "--model", "second", "--baseline", "first")
    done = run(*words, "--dataset", source.label)
    assert done.exit_code
    assert "BLEU: 0.40 to 0.20" in f"{done.output}{done.exception}"


def test_demo_with_raters_of_an_unknown_rule_starts_nothing(tuneloop, tiny_model, monkeypatch):
    monkeypatch.setenv("TUNELOOP_MODEL", str(tiny_model))
    code, _, err = tuneloop("loop", "demo", "--rater", "kindest")
    assert code == 2
    assert "shorter, longer, random, always_left, expert" in err
    assert tuneloop("runs", "list")[0] == 4  # there is no project either
