"""Models between the start of a training and its end: W = (1 - s) * start + s * trained.

A LoRA adapter is a difference from its base, so the sum of two weighted adapters is one adapter
whose rank is the sum of both: PEFT's combination `cat`, which is exact. Nothing is trained. Beyond
1 it goes on in the direction of the training (arXiv:2404.16792).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from engine.core.errors import UserError
from engine.core.job_context import ModelFiles
from engine.core.json_object import JsonObject
from engine.models import adapter_folder

COMBINED = "default"  # PEFT writes the adapter of this name without a folder of its own
# what a weighted sum keeps exactly; any other option of an adapter must be at rest
KEPT = frozenset(
    {
        "alpha_pattern", "arrow_config", "auto_mapping", "base_model_name_or_path", "corda_config",
        "eva_config", "fan_in_fan_out", "inference_mode", "init_lora_weights", "loftq_config",
        "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core",
        "peft_type", "peft_version", "qalora_group_size", "r", "revision", "runtime_config",
        "target_modules", "task_type", "use_rslora",
    }
)  # fmt: skip
PLACES = ("exclude_modules", "layers_pattern", "layers_to_transform")
AT_REST: tuple[object, ...] = (None, False, 0, "none", [], {}, "")


def check(start: ModelFiles, trained: ModelFiles) -> None:
    """UserError where no weighted sum of both models is exact; reads configurations alone."""
    name = trained.model.name
    if trained.adapter is None:
        raise UserError(
            f"{name} is no LoRA adapter, and only adapters can be weighted against their start.",
            "Train with tuning: lora or qlora to set a strength afterwards.",
        )
    if start.base != trained.base:
        raise UserError(
            f"{name} and {start.model.name} belong to different bases.",
            "Choose a model that was trained on from this start.",
        )
    configs = [_config(adapter) for adapter in (start.adapter, trained.adapter) if adapter]
    for config in configs:
        _check_options(name, config)
    if any(config.get(place) != configs[0].get(place) for config in configs for place in PLACES):
        raise UserError(
            f"{name} and {start.model.name} adapt different layers.", "Train with equal layers."
        )
    kinds = {isinstance(config.get("target_modules"), str) for config in configs}
    if len(kinds) > 1:
        raise UserError(
            f"{name} and {start.model.name} name their modules in two ways.",
            "Train both with a list of modules, or with all-linear.",
        )


def _check_options(name: str, config: JsonObject) -> None:
    if config.get("peft_type") != "LORA":
        raise UserError(
            f"{name} is an adapter of the type {config.get('peft_type')}, not LoRA.",
            "Train with tuning: lora to set a strength afterwards.",
        )
    for option, value in sorted(config.items()):
        if option not in KEPT and option not in PLACES and value not in AT_REST:
            raise UserError(
                f"{name} was trained with {option}, which a weighted sum does not keep.",
                f"Train without {option} to set a strength afterwards.",
            )


def combine(start: ModelFiles, trained: ModelFiles, folders: Mapping[float, Path]) -> None:
    """Write the adapter at each strength to its folder; see `check` for what is refused."""
    check(start, trained)
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    assert trained.adapter is not None
    disable_progress_bar()
    base = AutoModelForCausalLM.from_pretrained(
        trained.base, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )  # PEFT gives a new adapter the type of its base, and bfloat16 would round it
    model = PeftModel.from_pretrained(base, str(trained.adapter), adapter_name="trained")
    names = ["trained"]
    if start.adapter is not None:
        model.load_adapter(str(start.adapter), "start")
        names = ["start", "trained"]
    for name in names:  # the sum takes these options over, and its factors are scaled already
        model.peft_config[name].use_rslora = False
        model.peft_config[name].init_lora_weights = True
    for strength, folder in folders.items():
        shares = [1 - strength, strength][-len(names) :]
        model.add_weighted_adapter(names, shares, COMBINED, combination_type="cat")
        model.save_pretrained(folder, selected_adapters=[COMBINED], save_embedding_layers=False)
        adapter_folder.tidy(folder, trained.base.name)
        model.delete_adapter(COMBINED)


def _config(adapter: Path) -> JsonObject:
    try:
        found = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"The adapter in {adapter.name} has no readable adapter_config.json.", "Train it again."
        )
    return found
