"""Configurations of others become recipes, and every key that has no equal is on the list."""

import json

import pytest
import yaml

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.models import registry
from engine.services.training import recipe_import, run_files
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.recipe_files import runs

AXOLOTL = """
base_model: NousResearch/Llama-3.2-1B
load_in_8bit: false
load_in_4bit: true
strict: false
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
  - path: other/rows
dataset_prepared_path: last_run_prepared
val_set_size: 0.1
output_dir: ./outputs/qlora-out
adapter: qlora
lora_model_dir:
sequence_len: 2048
sample_packing: true
lora_r: 32
lora_alpha: 16
lora_dropout: 0.05
lora_target_modules:
  - gate_proj
  - up_proj
wandb_project:
gradient_accumulation_steps: 4
micro_batch_size: 2
num_epochs: 3
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 2e-4
bf16: auto
tf32: false
gradient_checkpointing: true
logging_steps: 1
flash_attention: true
warmup_ratio: 0.1
evals_per_epoch: 4
saves_per_epoch: 1
weight_decay: 0.0
special_tokens:
  pad_token: "<|end_of_text|>"
"""
LLAMAFACTORY = """
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
trust_remote_code: true
stage: dpo
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
pref_beta: 0.1
pref_loss: sigmoid
dataset: dpo_en_demo,more
template: llama3
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
output_dir: saves/llama3-8b/lora/dpo
logging_steps: 10
save_steps: 500
plot_loss: true
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 5.0e-6
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
"""
TRL = """
model_name_or_path: Qwen/Qwen3-0.6B
dataset_name: trl-lib/ultrafeedback_binarized
learning_rate: 5e-6
beta: 0.2
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
use_peft: true
lora_r: 32
lora_target_modules: [all-linear]
packing: true
push_to_hub: true
no_remove_unused_columns: true
eval_strategy: steps
"""


def read(tmp_path, text, name="config.yml", **how):
    path = tmp_path / name
    path.write_text(text)
    return recipe_import.read(path, **how)


def lost(found):
    return {one.key for one in found.unmatched}


def keys_of(text):
    return set(yaml.safe_load(text))


@pytest.mark.parametrize("text", [AXOLOTL, LLAMAFACTORY, TRL], ids=["axolotl", "factory", "trl"])
def test_import_puts_every_key_in_the_recipe_or_on_the_list(tmp_path, text):
    found = read(tmp_path, text)
    listed = {key.partition(".")[0] for key in lost(found)}
    assert set(found.matched) | listed == keys_of(text)
    assert not set(found.matched) & lost(found)
    assert all(one.why.endswith(".") for one in found.unmatched)
    kind = found.recipe["kind"]
    values = {name: value for name, value in found.recipe.items() if name != "kind"}
    plugins.load("jobs", kind).Recipe.model_validate(values)


def test_import_of_axolotl(tmp_path):
    found = read(tmp_path, AXOLOTL)
    assert found.source == "axolotl"
    assert found.recipe == {
        "kind": "sft",
        "model": "NousResearch/Llama-3.2-1B",
        "dataset": "teknium/GPT4-LLM-Cleaned",
        "tuning": "qlora",
        "num_train_epochs": 3,
        "learning_rate": 2e-4,
        "per_device_train_batch_size": 2,
        "max_length": 2048,
        "num_evals": 12,
        "lora": {
            "r": 32,
            "lora_alpha": 16,
            "lora_dropout": 0.05,
            "target_modules": ["gate_proj", "up_proj"],
        },
        "trl": {
            "gradient_accumulation_steps": 4,
            "optim": "adamw_bnb_8bit",
            "lr_scheduler_type": "cosine",
            "tf32": False,
            "activation_checkpointing": True,
            "logging_steps": 1,
            "warmup_steps": 0.1,
            "weight_decay": 0.0,
        },
    }
    assert {"datasets.0.type", "datasets.1.path", "sample_packing", "strict"} <= lost(found)
    assert "wandb_project" in lost(found)


def test_import_of_llama_factory(tmp_path):
    found = read(tmp_path, LLAMAFACTORY)
    assert found.source == "llamafactory"
    recipe = found.recipe
    assert (recipe["kind"], recipe["beta"], recipe["loss_type"]) == ("dpo", 0.1, ["sigmoid"])
    assert recipe["dataset"] == "dpo_en_demo"
    assert recipe["lora"] == {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}
    assert recipe["trl"]["bf16"] is True
    assert {"dataset.more", "template", "ddp_timeout", "trust_remote_code"} <= lost(found)


def test_import_of_trl(tmp_path):
    found = read(tmp_path, TRL)
    assert found.source == "trl"
    assert found.recipe["kind"] == "dpo"
    assert found.recipe["lora"] == {
        "r": 32, "target_modules": "all-linear", "lora_alpha": 32, "lora_dropout": 0.05,
    }  # fmt: skip
    assert found.recipe["num_train_epochs"] == 3.0
    reasons = {one.key: one.why for one in found.unmatched}
    assert "packed rows" in reasons["packing"]
    assert "no_remove_unused_columns" in reasons


def test_import_with_values_of_a_wrong_type_lists_them(tmp_path):
    text = AXOLOTL.replace("num_epochs: 3", "num_epochs: many").replace(
        "optimizer: adamw_bnb_8bit", "optimizer: /etc/passwd"
    )
    found = read(tmp_path, text.replace("evals_per_epoch: 4", "evals_per_epoch: lots"))
    assert {"num_epochs", "optimizer", "evals_per_epoch"} <= lost(found)
    assert "num_train_epochs" not in found.recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no settings"),
        ("- a\n- b\n", "no settings"),
        ("a: [1, 2\n", "not YAML"),
        ("a: !!python/object/apply:os.system ['true']\nbase_model: x\n", "not YAML"),
        ("base_model: x\nadapter: lora\nrl: grpo\n", "no equal of rl: grpo"),
        ("stage: ppo\nfinetuning_type: lora\n", "no equal of stage: ppo"),
        ("colour: red\n", "no keys of a program"),
        ("base_model: x\nadapter: &a [*a]\n", "more values than a configuration"),
        ("base_model: " + "x" * 300_000, "larger than"),
        ("a: " + "[" * 3000, "not YAML"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n"
                for n in range(8)
            ),
            "more values than a configuration",
        ),
    ],
    ids=["empty", "list", "broken", "python", "grpo", "ppo", "other", "circle", "large", "deep",
         "bomb"],
)  # fmt: skip
def test_import_of_a_hostile_file_is_one_sentence(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, text)


def test_import_of_numbers_beyond_all_bounds_and_halves_of_characters(tmp_path):
    file = tmp_path / "odd.yaml"
    file.write_text(
        'base_model: "a\\ud800"\nadapter: lora\nevals_per_epoch: 1.0e+308\nnum_epochs: 1.0e+308\n'
    )
    found = recipe_import.read(file)
    assert json.loads(found.model_dump_json())["recipe"]["model"] == "a?"
    assert found.recipe["num_evals"] == 100
    file.write_text(f"base_model: x\nadapter: lora\nmicro_batch_size: 0x{'f' * 20_000}\n")
    with pytest.raises(UserError, match="too many digits"):
        recipe_import.read(file)
    file.write_text(f"base_model: x\nadapter: lora\n? 0x{'f' * 20_000}\n: 1\n")
    assert recipe_import.read(file).unmatched


def test_import_of_bytes_that_are_no_text_is_one_sentence(tmp_path):
    path = tmp_path / "config.yml"
    path.write_bytes(b"\xff\xfe\x00base")
    with pytest.raises(UserError, match="is not text in UTF-8"):
        recipe_import.read(path)
    with pytest.raises(UserError, match="can't be read"):
        recipe_import.read(tmp_path / "missing.yml")


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.parametrize(
    ("to", "name"),
    [("trl", "{}.yaml"), ("axolotl", "config.yml"), ("llamafactory", "config.yaml")],
)
def test_import_of_an_exported_recipe_gives_the_recipe(
    home, tmp_path, tiny_model, method, to, name
):
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
    asked = {
        "learning_rate": 3e-4,
        "num_train_epochs": 4.0,
        "per_device_train_batch_size": 2,
        "max_length": 300,
        "seed": 7,
        "lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": "all-linear"},
    }
    job = runs.stored(ws, helpers.project(ws), method, base.id, data, **asked)
    run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    found = recipe_import.read(tmp_path / "out" / name.format(method)).recipe
    ws.close()
    assert found["kind"] == method
    assert found["tuning"] == "lora"
    assert {key: found[key] for key in asked} == asked
    if method == "dpo":
        assert (found["loss_type"], found["loss_weights"]) == (["sigmoid", "sft"], [1.0, 0.2])


def test_command_imports_a_recipe_and_writes_it(tuneloop, tmp_path):
    path = tmp_path / "qlora.yml"
    path.write_text(AXOLOTL)
    code, out, _ = tuneloop("recipe", "import", path, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found) == {"source", "recipe", "matched", "unmatched"}
    written = tmp_path / "recipe.yaml"
    code, out, _ = tuneloop("training", "recipe", "import", path, "--out", written)
    assert code == 0
    assert "# no equal: sample_packing" in out
    assert yaml.safe_load(written.read_text()) == found["recipe"]


def test_options_of_the_table_are_options_of_trl():
    import dataclasses

    from trl import DPOConfig, SFTConfig

    from engine.recipe_files import options

    known = {field.name for kind in (DPOConfig, SFTConfig) for field in dataclasses.fields(kind)}
    assert {*options.TRL, *options.CURATED} <= known
