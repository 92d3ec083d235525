"""Public benchmarks on the command line."""

import json
import sys

import pytest

from engine.core.actor import LOCAL
from engine.jobs.benchmark import names
from engine.services.models import registry
from engine.workspace import open_workspace
from tests import helpers
from tests.jobs import harness_tasks

needs_harness = pytest.mark.skipif(
    not names.installed(), reason="lm-evaluation-harness is missing: install tuneloop[harness]"
)


@pytest.fixture
def base(home, tiny_model):
    """The name of a base in a project."""
    ws = open_workspace()
    helpers.project(ws)
    registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    ws.close()
    return "tiny"


@needs_harness
@pytest.mark.train
def test_task_file_of_a_persons_own_is_asked_by_a_worker(tuneloop, base, tmp_path):
    mine = harness_tasks.folder(tmp_path / "mine")
    code, out, err = tuneloop(
        "benchmark", "run", "--model", base, "--task", "letters", "--include-path", mine,
        "--limit", "9", "--json",
    )  # fmt: skip
    assert code == 0, err
    [[score]] = json.loads(out)["scores"].values()
    assert (score["task"], score["n"], score["of"]) == ("letters", 9, 12)
    assert score["low"] < score["score"] < score["high"]


@needs_harness
def test_task_that_does_not_exist_is_refused_before_anything_is_queued(tuneloop, base):
    code, out, err = tuneloop("benchmark", "run", "--model", base, "--task", "arc_easi")
    assert (code, out) == (2, "")
    assert "There is no benchmark 'arc_easi'. Did you mean arc_easy" in err


@needs_harness
def test_names_are_found_by_their_parts(tuneloop):
    usual = tuneloop("benchmark", "list")[1].splitlines()[:-1]
    assert "hellaswag" in usual
    assert set(usual) <= set(names.known())
    assert tuneloop("benchmark", "list", "arc", "easy")[1].splitlines()[0] == "arc_easy"


def test_missing_extra_is_one_sentence_that_says_what_to_install(tuneloop, base, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    for words in (["list"], ["run", "--model", base, "--task", "hellaswag"]):
        code, out, err = tuneloop("benchmark", *words)
        assert (code, out) == (2, "")
        assert "pip install 'tuneloop[harness]'" in err


def test_folder_without_task_files_is_refused(tuneloop, base, tmp_path):
    (tmp_path / "none").mkdir()
    words = ["run", "--model", base, "--task", "letters", "--include-path", tmp_path / "none"]
    code, _, err = tuneloop("benchmark", *words)
    assert code == 2
    assert "holds no task files" in err
