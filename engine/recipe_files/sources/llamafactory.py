"""YAML of LLaMA-Factory."""

from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.recipe_files import options
from engine.recipe_files.imported import Importing
from engine.recipe_files.keys import LLAMAFACTORY_LOSSES

TITLE = "LLaMA-Factory"
MARKS = ("stage", "finetuning_type", "cutoff_len", "lora_rank", "lora_target", "dataset_dir",
         "do_train", "template")  # fmt: skip
STAGES = {"sft": "sft", "pt": "sft", "dpo": "dpo", "kto": "kto", "rm": "reward"}
FIELDS = {
    "model_name_or_path": "model",
    **{name: name for name in options.CURATED if name != "max_length"},
    **{name: f"trl.{name}" for name in options.TRL},
    "cutoff_len": "max_length",
    "pref_beta": "beta",
    "dpo_label_smoothing": "trl.label_smoothing",
    "warmup_ratio": "trl.warmup_steps",
    "lora_rank": "lora.r",
    "lora_alpha": "lora.lora_alpha",
    "lora_dropout": "lora.lora_dropout",
    "use_rslora": "lora.use_rslora",
    "use_dora": "lora.use_dora",
    "early_stopping_steps": "early_stopping_patience",
    "load_best_model_at_end": "keep_best",
}
REASONS = {
    **options.REASONS,
    "template": options.TEMPLATE,
    "default_system": "Add a system prompt to the dataset.",
    "val_size": options.HELD_OUT,
    "eval_dataset": options.HELD_OUT,
    "dataset_dir": options.LAYOUT,
    "max_samples": "Add a part of the rows as a dataset of its own.",
    "overwrite_cache": options.PLACE,
    "preprocessing_num_workers": "Rows are turned into tokens once.",
    "train_on_prompt": "Only answers carry loss.",
    "mask_history": "Every answer of a conversation carries loss.",
    "packing": "Rows of about the same length share a batch instead of being packed.",
    "neat_packing": "Rows are not packed.",
    "flash_attn": "transformers chooses the attention here.",
    "model_revision": "A base that is added here has its commit.",
    "adapter_name_or_path": "Name the adapter as the model of the recipe.",
    "ref_model": "The model that a run starts from is its reference.",
    "plot_loss": "The page of a run draws its losses.",
    "pref_loss": "Known here: sigmoid, hinge and ipo.",
}
MODULES = {"lora_target": "lora.target_modules", "additional_target": "lora.modules_to_save"}


def sniff(values: JsonObject) -> float:
    """How much this looks like it, 0 to 1."""
    return min(1.0, sum(mark in values for mark in MARKS) / 2)


def read(importing: Importing, kind: str | None) -> tuple[str, dict[str, str]]:
    """The method, and why keys without an equal have none."""
    method = kind or _method(importing)
    is_lora = _tuning(importing)
    for key, field in MODULES.items():
        _modules(importing, key, field)
    options.take_precision(importing)
    options.take_dataset(importing, "dataset")
    if method == "dpo":
        _losses(importing)
    if isinstance(importing.peek("disable_gradient_checkpointing"), bool):
        off = importing.take("disable_gradient_checkpointing", "trl.activation_checkpointing")
        importing.put("disable_gradient_checkpointing", "trl.activation_checkpointing", not off)
    if importing.peek("do_train") is True:
        importing.take("do_train", "kind")
    importing.move_all(FIELDS)
    _defaults(importing, is_lora)
    return method, REASONS


def _method(importing: Importing) -> str:
    stage = str(importing.peek("stage") or "sft")
    if stage not in STAGES:
        raise UserError(
            f"Tuneloop has no equal of stage: {str(stage)[:60]}.", f"Known: {', '.join(STAGES)}."
        )
    importing.take("stage", "kind")
    return STAGES[stage]


def _tuning(importing: Importing) -> bool:
    """Whether an adapter is trained."""
    kind = importing.peek("finetuning_type")
    if kind not in (None, "lora", "full"):
        importing.lose("finetuning_type", "LoRA, QLoRA and full fine-tuning are known here.")
        return True
    key = "finetuning_type" if kind else ""
    importing.take("finetuning_type", "tuning")
    if kind == "full":
        importing.put(key, "tuning", "full")
        return False
    four = importing.peek("quantization_bit") == 4
    if four:
        importing.take("quantization_bit", "tuning")
        for name, value in (("double_quantization", True), ("quantization_type", "nf4"),
                            ("quantization_method", "bnb")):  # fmt: skip
            if importing.peek(name) == value:
                importing.take(name, "tuning")
    importing.put(key, "tuning", "qlora" if four else "lora")
    return True


def _modules(importing: Importing, key: str, field: str) -> None:
    """Names joined by commas, or all."""
    given = importing.peek(key)
    if not isinstance(given, str):
        return
    importing.take(key, field)
    names = [name.strip() for name in given.split(",") if name.strip()]
    every = field == "lora.target_modules" and names == ["all"]
    importing.put(key, field, "all-linear" if every else list(names))


def _losses(importing: Importing) -> None:
    """pref_ftx is the weight of the SFT loss beside the preference loss."""
    loss, share = importing.peek("pref_loss"), importing.peek("pref_ftx")
    if loss is not None and loss not in LLAMAFACTORY_LOSSES:
        return
    importing.take("pref_loss", "loss_type")
    main = str(loss or "sigmoid")
    if isinstance(share, int | float) and share > 0:
        importing.take("pref_ftx", "loss_weights")
        importing.put("pref_loss" if loss else "", "loss_type", [main, "sft"])
        importing.put("pref_ftx", "loss_weights", [1.0, float(share)])
    else:
        importing.take("pref_ftx", "loss_type")
        importing.put("pref_loss" if loss else "", "loss_type", [main])


def _defaults(importing: Importing, is_lora: bool) -> None:
    importing.default("learning_rate", 5e-5)
    importing.default("num_train_epochs", 3.0)
    importing.default("max_length", 2048)
    if is_lora:
        importing.default("lora.r", 8)
        importing.default("lora.lora_alpha", 2 * importing.number("lora.r", 8))
        importing.default("lora.target_modules", "all-linear")
