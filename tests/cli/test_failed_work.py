"""Every command that starts work: where the work fails it says the reason and exits with 1."""

import importlib
import re
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.cli import common
from engine.core.actor import LOCAL
from engine.core.job import LANES, State
from engine.services import job_outcomes, projects
from engine.services.models import registry
from engine.store import jobs
from engine.store.connect import writing
from engine.workspace import open_workspace
from tests import helpers, hub_server, untrained_adapter
from tests.loop import loop_in_tables

REASON = "The disk is full. Make room."
RECIPE = "kind: sft\nmodel: tiny\ndataset: faq\nmax_steps: 2\n"
COMMANDS = [
    "training start {recipe} --anyway",
    "training curve {recipe} --shares 0.3,0.6,1",
    "training sweep {recipe} --try learning_rate=1e-4,2e-4 --trials 2",
    "evaluation run --model tiny --dataset faq",
    "rating rounds start --model second --baseline first --dataset faq --prompts 20",
    "playground ask Where? --model tiny",
    "models export second --to adapter --out {folder}/out",
    "loop demo --rater shorter",
    "loop auto --dataset faq --prompts 20",
    "loop dial second",
    "loop dial second --use 0.5",
    "models add makers/tiny-chat",
    pytest.param(
        "evaluation benchmark run --model tiny --task arc_easy",
        marks=pytest.mark.skipif(not find_spec("lm_eval"), reason="needs the extra harness"),
    ),
]
WAITING = ("benchmark", "evaluation", "loop", "models", "playground", "rounds", "training")


@pytest.fixture(scope="module")
def ws(tmp_path_factory, tiny_model):
    """A workspace with two trained models and a dataset, which the commands open by themselves."""
    folder = tmp_path_factory.mktemp("failed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_HOME", str(folder / "home"))
        patch.delenv("TUNELOOP_DATABASE_URL", raising=False)
        patch.setenv("TUNELOOP_MODEL", str(tiny_model))
        ws = open_workspace()
        one = helpers.project(ws)
        base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
        source = helpers.dataset(ws, one.id, folder, rows=160)
        first = loop_in_tables.trained(ws, one, "first", base, "sft", source.id)
        second = loop_in_tables.trained(ws, one, "second", first, "dpo", source.id)
        for seed, each in enumerate((first, second)):
            untrained_adapter.adapter(tiny_model, ws.files / each.path, seed)
        yield ws
        ws.close()


@pytest.fixture
def failing(ws, monkeypatch):
    """No worker starts: whatever is queued fails at the first look at it."""

    def fail(_seconds):
        for lane in LANES:
            with writing(ws.db) as conn:
                job = jobs.claim(conn, lane, "test:worker", "test", time.time())
            if job:
                job_outcomes.end(ws, job.id, job.fence, State.FAILED, REASON)

    monkeypatch.setattr(common.time, "sleep", fail)
    for name in WAITING:
        module = importlib.import_module(f"engine.cli.{name}")
        monkeypatch.setattr(module, "working", lambda _: nullcontext())


@pytest.mark.train
@pytest.mark.parametrize("words", COMMANDS)
def test_work_that_fails_is_told_with_its_reason_and_exit_code_1(
    ws, failing, hub, tiny_model, tmp_path, capsys, words
):
    hub.repos["makers/tiny-chat"] = hub_server.tiny(tiny_model)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    project = projects.list_all(ws, LOCAL)[-1].id
    command = words.format(recipe=recipe, folder=tmp_path).split()
    with pytest.raises(SystemExit) as left:
        main([*command, "--project", project] if "demo" not in command else command)
    out, err = capsys.readouterr()
    assert (left.value.code, REASON in err, "Traceback" in err) == (1, True, False), (out, err)


def test_commands_that_wait_for_work_are_among_these():
    """A module that waits for a job is known here, so that its commands are thought of."""
    folder = Path(common.__file__).parent
    calls = re.compile(r"(?<!def )\bwait\(ws, ")
    waiting = {path.stem for path in folder.glob("*.py") if calls.search(path.read_text())}
    assert waiting == set(WAITING)
