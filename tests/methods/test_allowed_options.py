"""Options of TRL and PEFT that a person may set, and those that would open something."""

import dataclasses
import importlib
from typing import get_type_hints

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.methods import allowed_options, training
from engine.methods.refused_options import IDLE, IDLE_LORA

EVIL = "/tmp/secret.json"
ADDRESS = "http://169.254.169.254/"
REGEX = "(a+)+$"


def check(trl=None, lora=None):
    allowed_options.check(trl or {}, lora or {})


@pytest.mark.parametrize(
    "trl",
    [
        {"accelerator_config": EVIL},
        {"accelerator_config": {"split_batches": True}},
        {"fsdp_config": EVIL},
        {"fsdp": "full_shard"},
        {"deepspeed": EVIL},
        {"deepspeed": {"zero": 1}},
        {"lr_scheduler_kwargs": EVIL},
        {"lr_scheduler_kwargs": {"file": EVIL}},
        {"gradient_checkpointing_kwargs": {"context_fn": "os.system"}},
        {"generation_kwargs": {"custom_generate": "somebody/repo"}},
        {"generation_kwargs": EVIL},
        {"vllm_mode": "server"},
        {"vllm_server_base_url": ADDRESS},
        {"vllm_server_host": "10.0.0.1"},
        {"vllm_structured_outputs_regex": REGEX},
        {"optim_target_modules": REGEX},
        {"optim_target_modules": [REGEX]},
        {"optim_args": "lr=1"},
        {"torch_compile_backend": "os"},
        {"torch_compile_mode": EVIL},
        {"dataloader_num_workers": 10_000},
        {"dataloader_num_workers": -1},
        {"report_to": "wandb"},
        {"run_name": EVIL},
        {"project": "x y"},
        {"trackio_space_id": "somebody/space"},
        {"length_column_name": "x"},
        {"debug": "underflow_overflow"},
        {"log_level": EVIL},
        {"an_option_of_tomorrow": EVIL},
        {"an_option_of_tomorrow": {"deep": [{"file": EVIL}]}},
    ],
)
def test_option_of_trl_that_could_open_something_is_refused(trl):
    [name] = trl
    with pytest.raises(UserError, match=name):
        check(trl)


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": REGEX},
        {"target_modules": ["q_proj", REGEX]},
        {"exclude_modules": ".*"},
        {"layers_pattern": "layers|.*"},
        {"modules_to_save": [REGEX]},
        {"rank_pattern": {REGEX: 4}},
        {"rank_pattern": {"q_proj": EVIL}},
        {"alpha_pattern": {"^q": 4}},
        {"corda_config": {"cache_file": EVIL}},
        {"eva_config": {"path": EVIL}},
        {"loftq_config": {"file": EVIL}},
        {"an_option_of_tomorrow": EVIL},
    ],
)
def test_option_of_lora_that_could_open_something_is_refused(lora):
    [name] = lora
    with pytest.raises(UserError, match=name):
        check(lora=lora)


@pytest.mark.parametrize(
    "trl",
    [
        {"weight_decay": 0.1},
        {"weight_decay": "1e-2"},
        {"bf16": False},
        {"gradient_accumulation_steps": 2},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-6}},
        {"optim": "adamw_torch"},
        {"gradient_checkpointing_kwargs": {"use_reentrant": False}},
        {"generation_kwargs": {"num_beams": 2, "do_sample": True}},
        {"dataloader_num_workers": 4},
        {"torch_compile": True, "torch_compile_backend": "inductor"},
        {"use_vllm": True, "vllm_mode": "colocate"},
        {"reward_weights": [0.5, 0.5]},
        {"loss_type": "dr_grpo"},
        {"max_grad_norm": None},
    ],
)
def test_option_of_trl_that_is_a_number_or_a_known_word_is_let_through(trl):
    check(trl)


@pytest.mark.parametrize(
    "lora",
    [
        {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"},
        {"target_modules": ["q_proj", "self_attn.v_proj"]},
        {"rank_pattern": {"q_proj": 4, "layers.0.k_proj": 8}},
        {"init_lora_weights": "pissa_niter_4"},
        {"init_lora_weights": False},
        {"layers_to_transform": [0, 1]},
        {"layer_replication": [[0, 2], [1, 3]]},
        {"use_dora": True},
    ],
)
def test_option_of_lora_that_is_a_number_or_a_known_word_is_let_through(lora):
    check(lora=lora)


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "tpo", "reward", "rloo", "grpo"])
def test_no_option_of_upstream_takes_free_text(kind):
    """Whatever upstream adds: each option, given a path, is refused or is no text at all."""
    import trl
    from peft import LoraConfig

    recipe = plugins.load("jobs", kind).Recipe
    home = importlib.import_module("trl.experimental.tpo") if kind == "tpo" else trl
    config = getattr(home, f"{kind.upper() if kind != 'reward' else 'Reward'}Config")
    idle = {*IDLE, *IDLE_LORA, *recipe.IDLE}
    opened = []
    for where, upstream in (("trl", config), ("lora", LoraConfig)):
        hints = get_type_hints(upstream)
        names = [each.name for each in dataclasses.fields(upstream) if each.init]
        for name in set(names) - idle - set(recipe.model_fields):
            for value in (EVIL, [EVIL], {"a": EVIL}, {"a": [EVIL]}, ADDRESS, REGEX):
                given = recipe(model="m", dataset="d", **{where: {name: value}}, **_needed(kind))
                try:
                    allowed_options.check_recipe(given, hints)
                except UserError:
                    continue
                if _kept(upstream, name, value):
                    opened.append((name, value))
    assert opened == []


def _needed(kind):
    return {"reward": "exact_match"} if kind in ("rloo", "grpo") else {}


def _kept(config, name, value):
    """Whether upstream's own types let the text through as well."""
    from engine.methods import library_options

    try:
        converted = library_options._convert(config, name, get_type_hints(config)[name], value)
    except UserError:
        return False
    return converted == value


@pytest.mark.parametrize("option", ["accelerator_config", "fsdp_config", "deepspeed"])
def test_option_that_names_a_file_is_refused_before_upstream_opens_it(option, tmp_path):
    import trl

    opened = tmp_path / "keys.json"
    opened.write_text('{"hf_SECRET": 1}')
    given = plugins.load("jobs", "sft").Recipe(model="m", dataset="d", trl={option: str(opened)})
    with pytest.raises(UserError, match=option) as refused:
        training.settings(trl.SFTConfig, given, tmp_path)
    assert "hf_SECRET" not in str(refused.value)
