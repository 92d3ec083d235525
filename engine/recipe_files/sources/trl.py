"""YAML of TRL's command line, or of its scripts."""

from engine.core.json_object import JsonObject
from engine.recipe_files import options
from engine.recipe_files.imported import Importing

TITLE = "TRL"
MARKS = ("model_name_or_path", "dataset_name", "use_peft", "lora_r", "lora_target_modules",
         "datasets")  # fmt: skip
FIELDS = {
    "model_name_or_path": "model",
    **{name: name for name in options.CURATED},
    "early_stopping_patience": "early_stopping_patience",
    "load_best_model_at_end": "keep_best",
    "beta": "beta",
    "loss_type": "loss_type",
    "loss_weights": "loss_weights",
    **{name: f"trl.{name}" for name in options.TRL},
    "gradient_checkpointing": "trl.activation_checkpointing",
    "warmup_ratio": "trl.warmup_steps",
    "lora_r": "lora.r",
    "lora_alpha": "lora.lora_alpha",
    "lora_dropout": "lora.lora_dropout",
    "lora_target_parameters": "lora.target_parameters",
    "lora_modules_to_save": "lora.modules_to_save",
    "use_rslora": "lora.use_rslora",
    "use_dora": "lora.use_dora",
}
REASONS = {
    **options.REASONS,
    "model_revision": "A base that is added here has its commit.",
    "attn_implementation": "transformers chooses the attention here.",
}
RATES = {"sft": 2e-5, "dpo": 1e-6, "kto": 1e-6, "reward": 1e-4}


def sniff(values: JsonObject) -> float:
    """How much this looks like it, 0 to 1."""
    if "stage" in values or "finetuning_type" in values:
        return 0.0
    return min(1.0, sum(mark in values for mark in MARKS) / 2)


def read(importing: Importing, kind: str | None) -> tuple[str, dict[str, str]]:
    """The method, and why keys without an equal have none."""
    method = kind or _method(importing)
    peft = importing.take("use_peft", "tuning")
    four = importing.take("load_in_4bit", "tuning") if peft else None
    importing.put("use_peft", "tuning", "qlora" if four else "lora" if peft else "full")
    for name in ("bnb_4bit_quant_type", "use_bnb_nested_quant"):
        if four and importing.peek(name) in ("nf4", True):
            importing.take(name, "tuning")
    _target_modules(importing)
    options.take_precision(importing)
    options.take_dataset(importing, "dataset_name")
    options.take_datasets(importing, "datasets")
    importing.move_all(FIELDS)
    importing.wrap("loss_type")
    _defaults(importing, method, bool(peft))
    return method, REASONS


def _method(importing: Importing) -> str:
    """The method is in the command, not in the file: a beta or a list of losses tells DPO."""
    losses = importing.peek("loss_type")
    is_pairs = importing.peek("beta") is not None or isinstance(losses, list) or losses == "sigmoid"
    return "dpo" if is_pairs else "sft"


def _target_modules(importing: Importing) -> None:
    modules = importing.take("lora_target_modules", "lora.target_modules")
    if modules == ["all-linear"]:
        modules = "all-linear"
    if isinstance(modules, str) and modules != "all-linear":
        modules = [modules]
    if modules is not None:
        importing.put("lora_target_modules", "lora.target_modules", modules)


def _defaults(importing: Importing, method: str, peft: bool) -> None:
    importing.default("learning_rate", RATES.get(method, 2e-5))
    importing.default("num_train_epochs", 3.0)
    importing.default("max_length", 1024)
    if method == "dpo":
        importing.default("loss_type", ["sigmoid"])
    if peft:
        for name, value in (("r", 16), ("lora_alpha", 32), ("lora_dropout", 0.05)):
            importing.default(f"lora.{name}", value)
