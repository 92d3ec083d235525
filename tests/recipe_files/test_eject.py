"""An ejected run trains again in a process that has never heard of Tuneloop, to the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.actor import LOCAL
from engine.services.models import registry
from engine.services.training import run_files
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.recipe_files import runs

pytestmark = pytest.mark.train
SECRET = "hf_" + "y" * 30
# run before the script: whoever imports Tuneloop from here on fails
HOOK = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("engine", "ui"):
            raise ImportError(f"{name} is Tuneloop")

sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture
def world(home, tiny_model):
    """(workspace, project, the tiny base)."""
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    yield ws, helpers.project(ws), base
    ws.close()


def run_outside(folder: Path, aside: Path, *arguments: str):
    """`train.py` of an ejected folder in a fresh process without Tuneloop."""
    aside.mkdir(exist_ok=True)
    (aside / "sitecustomize.py").write_text(HOOK)
    command = [sys.executable, "train.py", *arguments]
    kept = {**clean(), "PYTHONPATH": str(aside)}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)


def clean() -> dict[str, str]:
    """The environment without anything of Tuneloop and without a path for imports."""
    ours = ("TUNELOOP", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def losses(folder: Path):
    return json.loads((folder / "out" / "losses.json").read_text())


def same_losses(folder: Path, job) -> None:
    found = losses(folder)
    assert found["last_train_loss"] == pytest.approx(job.result.last_train_loss, abs=1e-3)
    assert found["last_held_out_loss"] == pytest.approx(job.result.last_held_out_loss, abs=1e-3)
    assert found["best_held_out_loss"] == pytest.approx(job.result.best_held_out_loss, abs=1e-3)
    assert found["steps"] == job.result.steps


def test_process_of_these_tests_cannot_import_tuneloop(tmp_path):
    (tmp_path / "train.py").write_text("import engine\n")
    done = run_outside(tmp_path, tmp_path / "aside")
    assert done.returncode == 1
    assert "engine is Tuneloop" in done.stderr


def ejected(ws, job, tmp_path):
    """The folder, and what its script said."""
    run_files.write(ws, LOCAL, job.id, "eject", tmp_path / "ejected")
    return tmp_path / "ejected", run_outside(tmp_path / "ejected", tmp_path / "aside")


def test_ejected_sft_ends_at_the_same_losses(world, tmp_path):
    ws, project, base = world
    values = {"learning_rate": 5e-3, "lora": runs.LORA, "name": f"Mine [{SECRET[:3]}]"}
    job = runs.trained(ws, project, "sft", base.id, runs.chats(tmp_path), **values)
    folder, done = ejected(ws, job, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    same_losses(folder, job)
    assert job.result.last_train_loss < job.result.first_train_loss - 0.01
    assert (folder / "out" / "adapter" / "adapter_model.safetensors").is_file()


def test_ejected_dpo_goes_on_from_its_adapter_to_the_same_losses(world, tmp_path):
    ws, project, base = world
    first = runs.trained(
        ws, project, "sft", base.id, runs.chats(tmp_path), max_steps=2, lora=runs.LORA
    )
    job = runs.trained(ws, project, "dpo", first.result.model_id, runs.pairs(tmp_path))
    folder, done = ejected(ws, job, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    same_losses(folder, job)
    assert {path.name for path in (folder / "start").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_ejected_dpo_replays_the_examples_of_the_run(world, tmp_path):
    ws, project, base = world
    first = runs.trained(
        ws, project, "sft", base.id, runs.chats(tmp_path), max_steps=1, lora=runs.LORA
    )
    values = {"replay_rows": 3, "replay_weight": 0.5, "learning_rate": 1e-3}
    job = runs.trained(ws, project, "dpo", first.result.model_id, runs.pairs(tmp_path), **values)
    folder, done = ejected(ws, job, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    same_losses(folder, job)
    assert (folder / "data" / "replay.jsonl").is_file()


@pytest.mark.proof
@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("sft", {"tuning": "full", "learning_rate": 1e-3}),
        ("dpo", {"tuning": "full", "learning_rate": 1e-3}),
        ("sft", {"tuning": "qlora", "learning_rate": 5e-3}),
        ("dpo", {"lora": runs.LORA, "trl": {"disable_dropout": False}}),
        ("sft", {"trl": {"bf16": True, "gradient_accumulation_steps": 2}, "learning_rate": 5e-3}),
        ("sft", {"early_stopping_patience": 1, "learning_rate": 1e-12}),
        ("sft", {"keep_best": False, "max_steps": None, "num_train_epochs": 3.0}),
    ],
    ids=["full", "dpo-full", "qlora", "dpo-lora", "bf16", "early-stop", "epochs"],
)
def test_ejected_run_ends_at_the_same_losses_whatever_its_settings(world, tmp_path, method, values):
    ws, project, base = world
    data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
    job = runs.trained(ws, project, method, base.id, data, **values)
    folder, done = ejected(ws, job, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    same_losses(folder, job)


@pytest.mark.proof
def test_ejected_run_trains_in_an_environment_made_from_its_requirements(world, tmp_path):
    ws, project, base = world
    job = runs.trained(
        ws, project, "sft", base.id, runs.chats(tmp_path), learning_rate=5e-3, lora=runs.LORA
    )
    folder = tmp_path / "ejected"
    run_files.write(ws, LOCAL, job.id, "eject", folder)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "-r", "requirements.txt"]
    installed = subprocess.run(pip, cwd=folder, capture_output=True, text=True)
    if "No matching distribution" in installed.stderr:
        pytest.skip("the package index of this machine lacks a pinned version")
    assert installed.returncode == 0, installed.stderr[-3000:]
    done = subprocess.run(
        [python, "train.py"], cwd=folder, env=clean(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    same_losses(folder, job)
