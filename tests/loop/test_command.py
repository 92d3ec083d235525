"""tuneloop loop: history and champions; rating rounds start: the gate of a regressed model."""

import json
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from engine import child
from engine.cli import loop as loop_commands
from engine.cli.app import cli
from engine.core.actor import LOCAL
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.models import registry
from engine.store import jobs
from engine.store.connect import writing
from engine.workspace import open_workspace
from tests import helpers, untrained_adapter
from tests.loop import loop_in_tables


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
    first = loop_in_tables.trained(space, project, "first", helpers.model(space, tmp_path), "sft")
    return first, loop_in_tables.trained(space, project, "second", first)


def test_generations_are_printed_and_are_json(space, project, both):
    loop_in_tables.blind(space, project, both[1], both[0], 30, 8, 2)
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
    loop_in_tables.evaluated(space, project, source, *both, regressed=True)
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


@pytest.fixture
def dial_runs(space, project, tmp_path, tiny_model, monkeypatch):
    """Two adapters, and jobs that run in this process."""
    base = registry.add_base(space, LOCAL, "tiny", tiny_model, "folder")
    source = helpers.dataset(space, project.id, tmp_path, rows=160)
    first = loop_in_tables.trained(space, project, "first", base, "sft", source.id)
    second = loop_in_tables.trained(space, project, "second", first, "dpo", source.id)
    for seed, each in enumerate((first, second)):
        untrained_adapter.adapter(tiny_model, space.files / each.path, seed)

    def at_once(ws, job):
        with writing(ws.db) as conn:
            claimed = jobs.claim(conn, "compute", "here:1", "here", 2e9)
        child.run(ws, claimed.id, claimed.fence)
        return lifecycle.get(ws, LOCAL, job.id)

    monkeypatch.setattr(loop_commands, "wait", at_once)
    monkeypatch.setattr(loop_commands, "working", lambda _: nullcontext())


@pytest.mark.train
def test_dial_prints_each_strength_and_makes_a_model_of_one(space, project, dial_runs):
    words = ("loop", "dial", "second", "--strength", "0.5", "--strength", "1")
    done = run(*words, "--json")
    found = json.loads(done.stdout)
    assert [one["strength"] for one in found] == [0.0, 0.5, 1.0]
    promised = {"strength", "margin", "metric", "length", "perplexity", "kept", "recommended"}
    assert promised <= set(found[0])
    assert "recommended" in run(*words).output
    made = json.loads(run("loop", "dial", "second", "--use", "0.5", "--json").stdout)
    assert made["name"] == "second at 0.5"
    assert made["info"]["strength"]["strength"] == 0.5
    assert registry.files(space, registry.get(space, LOCAL, made["id"])).adapter.is_dir()
