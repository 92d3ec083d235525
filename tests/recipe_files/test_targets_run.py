"""Exported recipes run in the programs they are for, where those can be installed beside us."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.core.actor import LOCAL
from engine.services.models import registry
from engine.services.training import run_files
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.recipe_files import runs

pytestmark = pytest.mark.train
# what Unsloth's FastLanguageModel does on a processor, by transformers and PEFT
STAND_IN = """
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer


class FastLanguageModel:
    @staticmethod
    def from_pretrained(model_name, max_seq_length, dtype, load_in_4bit, full_finetuning):
        model = AutoModelForCausalLM.from_pretrained(model_name)
        return model, AutoTokenizer.from_pretrained(model_name)

    @staticmethod
    def get_peft_model(model, bias, random_state, **lora):
        return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", bias=bias, **lora))
"""


@pytest.fixture
def exported(home, tiny_model, tmp_path):
    """Writes the recipe of a finished run to a folder, with the base where its README wants it."""
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    project = helpers.project(ws)

    def write(method, to, **values):
        data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
        asked = {**runs.QUICK, "max_steps": 3, "lora": runs.LORA, **values}
        job = runs.stored(ws, project, method, base.id, data, **asked)
        run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
        shutil.copytree(tiny_model, tmp_path / "out" / "base")
        return tmp_path / "out"

    yield write
    ws.close()


def run(folder: Path, *command: str, python_path: str = ""):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNELOOP")}
    kept |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": python_path, "HF_HOME": str(folder / "cache")}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_exported_recipe_runs_in_the_command_line_of_trl(exported, method):
    folder = exported(method, "trl")
    program = str(Path(sys.executable).with_name("trl"))
    done = run(folder, program, method, "--config", f"{method}.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    adapter = json.loads((folder / "out" / "adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"], adapter["lora_dropout"]) == (4, 8, 0.1)
    assert (folder / "out" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("method", [pytest.param("sft", marks=pytest.mark.proof), "dpo"])
def test_exported_script_for_unsloth_runs_over_a_stand_in(exported, method, tmp_path):
    folder = exported(method, "unsloth")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / "unsloth.py").write_text(STAND_IN)
    script = folder / "train.py"
    script.write_text(
        script.read_text().replace(
            "report_to='none',", "report_to='none', bf16=False, use_cpu=True,"
        )
    )
    done = run(folder, sys.executable, "train.py", python_path=str(tmp_path / "side"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (folder / "out" / "result" / "adapter_model.safetensors").is_file()


def test_exported_yaml_for_trl_has_only_keys_of_trl(exported):
    from dataclasses import fields

    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig

    folder = exported("sft", "trl", early_stopping_patience=2)
    found = set(yaml.safe_load((folder / "sft.yaml").read_text()))
    kinds = (ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig)
    assert found <= {field.name for kind in kinds for field in fields(kind)}
    assert "early_stopping_patience" in (folder / "README.md").read_text()
