"""YAML for LLaMA-Factory: `llamafactory-cli train config.yaml`, with its dataset_info.json."""

from collections.abc import Iterator, Mapping

import yaml

from engine.core.json_object import JsonObject
from engine.recipe_files import exported_rows, plan, readme
from engine.recipe_files.keys import LLAMAFACTORY_LOSSES
from engine.recipe_files.run import ExportedRun, Part, as_json, text

TITLE = "LLaMA-Factory"
SUMMARY = "A YAML file, dataset_info.json, and the rows as chat messages."
WHERE = "LLaMA-Factory"
FILE = "config.yaml"
LORA = {
    "r": "lora_rank",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target",
    "modules_to_save": "additional_target",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
}
# the rest are arguments of transformers, which it takes under their own names
TRL = {"max_length": "cutoff_len", "beta": "pref_beta", "label_smoothing": "dpo_label_smoothing"}
TRANSFORMERS = (
    "num_train_epochs", "max_steps", "learning_rate", "per_device_train_batch_size",
    "per_device_eval_batch_size", "gradient_accumulation_steps", "seed", "logging_steps", "bf16",
    "fp16", "tf32", "lr_scheduler_type", "lr_scheduler_kwargs", "optim", "warmup_steps",
    "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
    "neftune_noise_alpha",
)  # fmt: skip
TAGS = JsonObject(
    role_tag="role", content_tag="content", user_tag="user", assistant_tag="assistant",
    system_tag="system", observation_tag="tool",
)  # fmt: skip


def notes(run: ExportedRun) -> list[str]:
    """What this cannot say, or says otherwise."""
    found = [*plan.base(run).notes, *plan.common_notes(run), *_lora(run)[1], *_options(run)[1]]
    found += exported_rows.weight_notes(run, WHERE)
    if run.dataset.kind != "text":
        found.append(
            "No template is named, so LLaMA-Factory reads the tokenizer's own; name one of its "
            "templates where that fails."
        )
    return found


def files(run: ExportedRun) -> Iterator[Part]:
    """The YAML file, the description of the data, the rows, the adapter, the README."""
    yield FILE, text(yaml.safe_dump(_values(run), sort_keys=False, allow_unicode=True))
    yield "data/dataset_info.json", as_json(_about(run))
    yield from exported_rows.parts(
        run, exported_rows.single_turns if run.method == "dpo" else exported_rows.conversations
    )
    yield from plan.start_parts(run)
    commands = f"pip install llamafactory\nllamafactory-cli train {FILE}\n"
    yield "README.md", text(readme.page(run, TITLE, notes(run), commands))


def _about(run: ExportedRun) -> dict[str, JsonObject]:
    return {name: _columns(run, name) for _, name in exported_rows.named_splits(run)}


def _columns(run: ExportedRun, name: str) -> JsonObject:
    file = JsonObject(file_name=f"{name}.jsonl")
    if run.method == "dpo":
        columns = JsonObject(messages="prompt", chosen="chosen", rejected="rejected")
        return file | JsonObject(formatting="sharegpt", ranking=True, columns=columns, tags=TAGS)
    if run.dataset.kind == "text":
        return file | JsonObject(columns={"prompt": "text"})
    return file | JsonObject(formatting="sharegpt", columns={"messages": "messages"}, tags=TAGS)


def _lora(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    if run.recipe.tuning == "full":
        return {"finetuning_type": "full"}, []
    found, lost = plan.renamed(run.recipe.lora, LORA, WHERE)
    for name in ("lora_target", "additional_target"):
        value = found.get(name)
        if isinstance(value, list):
            found[name] = ",".join(map(str, value))
    if found.get("lora_target") == "all-linear":
        found["lora_target"] = "all"
    four = {"quantization_bit": 4, "double_quantization": True}
    start = {"adapter_name_or_path": "start"} if run.start else {}
    more = four if run.recipe.tuning == "qlora" else {}
    return {"finetuning_type": "lora", **start, **found, **more}, lost


def _options(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    given = plan.options(run)
    checkpointing = given.pop("activation_checkpointing", None)
    losses, weights = given.pop("loss_type", None), given.pop("loss_weights", None)
    names = {**TRL, **{name: name for name in TRANSFORMERS}}
    found, lost = plan.renamed(given, names, WHERE)
    if checkpointing is not None:
        found["disable_gradient_checkpointing"] = not checkpointing
    if isinstance(losses, list):
        shares = weights if isinstance(weights, list) else [1.0] * len(losses)
        each = dict(zip(map(str, losses), shares, strict=True))
        found |= _losses(each)
        lost += [
            f"{WHERE} has no loss {name}."
            for name in each
            if name not in (*LLAMAFACTORY_LOSSES, "sft")
        ]
        if any(each.get(name, 1.0) != 1.0 for name in LLAMAFACTORY_LOSSES):
            lost.append(f"{WHERE} gives its preference loss the weight 1.")
    return found, lost


def _losses(each: Mapping[str, object]) -> dict[str, object]:
    named = [name for name in each if name in LLAMAFACTORY_LOSSES]
    found: dict[str, object] = {"pref_loss": named[0]} if named else {}
    return found | ({"pref_ftx": each["sft"]} if "sft" in each else {})


def _values(run: ExportedRun) -> dict[str, object]:
    base = plan.base(run)
    stage = "pt" if run.dataset.kind == "text" else run.method
    reference = {"ref_model": base.name, "ref_model_adapters": "start"}
    return {
        "model_name_or_path": base.name,
        **({"model_revision": base.revision} if base.revision else {}),
        "stage": stage,
        "do_train": True,
        **_lora(run)[0],
        **(reference if run.start and run.method == "dpo" else {}),
        "dataset_dir": "data",
        "dataset": "train",
        **({"eval_dataset": "test"} if run.dataset.held_out_rows else {}),
        "output_dir": "out",
        "report_to": "none",
        **_options(run)[0],
        **(_measured(run) if run.dataset.held_out_rows else {}),
    }


def _measured(run: ExportedRun) -> JsonObject:
    every = plan.steps_between_evals(run)
    found = JsonObject(
        eval_strategy="steps", eval_steps=every, save_strategy="steps", save_steps=every
    )
    if run.keeps_best:
        found |= JsonObject(
            load_best_model_at_end=True, metric_for_best_model="eval_loss", greater_is_better=False
        )
    patience = run.recipe.early_stopping_patience
    return found | ({"early_stopping_steps": patience} if patience else {})
