"""Recipes in the hands of the programs they are for; tests/ecosystem/run makes their room."""

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from engine.core.actor import LOCAL
from engine.services.models import registry
from engine.services.training import run_files
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.recipe_files import runs

every_method = pytest.mark.parametrize("method", ["sft", "dpo"])
every_tuning = pytest.mark.parametrize("tuning", ["lora", "qlora", "full"])
AXOLOTL = """
import json, sys, yaml
from axolotl.utils.schemas.config import AxolotlInputConfig
values = yaml.safe_load(open(sys.argv[1]))
config = AxolotlInputConfig(**values)
fields = AxolotlInputConfig.model_fields
known = set(fields) | {field.alias for field in fields.values() if field.alias}
print(json.dumps({"unknown": sorted(set(values) - known), "rl": config.rl and str(config.rl)}))
"""


@pytest.fixture
def place():
    """The environment that tests/ecosystem/run made."""
    found = os.environ.get("TUNELOOP_ECOSYSTEM")
    if not found:
        pytest.skip("needs an environment of its own: tests/ecosystem/run NAME makes it")
    return Path(found)


@pytest.fixture
def exported(home, tiny_model, tmp_path):
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    project = helpers.project(ws)

    def write(method, to, **values):
        data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
        job = runs.stored(ws, project, method, base.id, data, **values)
        run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
        return tmp_path / "out"

    yield write
    ws.close()


def ask(place, folder, program, *arguments):
    """What a program says as its last line, as JSON."""
    kept = {**os.environ, "AXOLOTL_DO_NOT_TRACK": "1", "PYTHONPATH": ""}
    command = [str(place / "bin" / "python"), "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@every_method
@every_tuning
def test_axolotl_takes_the_recipe_by_its_own_schema(place, exported, method, tuning):
    folder = exported(method, "axolotl", tuning=tuning, early_stopping_patience=3)
    found = ask(place, folder, AXOLOTL, "config.yml")
    assert found["unknown"] == []
    assert (found["rl"] is not None) is (method == "dpo")


def fields_of(place, file, name):
    """The fields of dataclasses in a file of an installed program, read without running it."""
    path = next(place.glob(f"lib/python*/site-packages/{file}"))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        item.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and name in node.name
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }


@every_method
@every_tuning
def test_llamafactory_knows_every_key_of_the_recipe(place, exported, method, tuning):
    from dataclasses import fields

    from transformers import TrainingArguments

    folder = exported(method, "llamafactory", tuning=tuning, early_stopping_patience=3)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    known = {field.name for field in fields(TrainingArguments)}
    for file in ("finetuning", "model", "data"):
        known |= fields_of(place, f"llamafactory/hparams/{file}_args.py", "Arguments")
    assert set(values) <= known
    about = json.loads((folder / "data" / "dataset_info.json").read_text())
    assert {values["dataset"], values["eval_dataset"]} == set(about)


def parameters(place, file, function):
    """The keywords of a function in an installed program, and whether it takes any others."""
    path = next(place.glob(f"lib/python*/site-packages/{file}"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}
    raise AssertionError(f"{file} has no {function}")


@every_method
@every_tuning
def test_unsloth_knows_every_keyword_of_the_script(place, exported, method, tuning):
    folder = exported(method, "unsloth", tuning=tuning)
    tree = ast.parse((folder / "train.py").read_text())
    calls = {
        node.func.attr: {word.arg for word in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    load = parameters(place, "unsloth/models/loader.py", "from_pretrained")
    assert calls["from_pretrained"] <= load
    if tuning != "full":
        assert calls["get_peft_model"] <= parameters(
            place, "unsloth/models/llama.py", "get_peft_model"
        )
