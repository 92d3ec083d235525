"""YAML of Axolotl."""

from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.recipe_files import options
from engine.recipe_files.imported import Importing
from engine.recipe_files.keys import AXOLOTL_LORA, AXOLOTL_TRL

TITLE = "Axolotl"
MARKS = ("base_model", "micro_batch_size", "sequence_len", "num_epochs", "adapter", "rl",
         "dataset_prepared_path")  # fmt: skip
CURATED = {*options.CURATED, "beta", "loss_type", "loss_weights"}
FIELDS = {
    "base_model": "model",
    **{
        theirs: ours if ours in CURATED else f"trl.{ours}"
        for ours, theirs in AXOLOTL_TRL.items()
        if theirs not in ("gradient_checkpointing", "bf16", "fp16")
    },
    **{
        theirs: f"lora.{ours}"
        for ours, theirs in AXOLOTL_LORA.items()
        if theirs != "lora_target_modules"
    },
    "warmup_ratio": "trl.warmup_steps",
    "eval_steps": "trl.eval_steps",
    "early_stopping_patience": "early_stopping_patience",
    "load_best_model_at_end": "keep_best",
    "lr_scheduler": "trl.lr_scheduler_type",
    "optimizer": "trl.optim",
}
# rl: the method, and the losses of DPO
METHODS: dict[str, tuple[str, list[str]]] = {
    "dpo": ("dpo", ["sigmoid"]),
    "ipo": ("dpo", ["ipo"]),
    "kto": ("kto", []),
}
REASONS = {
    **options.REASONS,
    "val_set_size": options.HELD_OUT,
    "test_datasets": options.HELD_OUT,
    "chat_template": options.TEMPLATE,
    "chat_template_jinja": options.TEMPLATE,
    "special_tokens": "A base keeps its own tokenizer.",
    "tokens": "A base keeps its own tokenizer.",
    "tokenizer_type": "A base keeps its own tokenizer.",
    "sample_packing": "Rows of about the same length share a batch instead of being packed.",
    "eval_sample_packing": "Rows are not packed.",
    "pad_to_sequence_len": "A batch is padded to its longest row.",
    "train_on_inputs": "Only answers carry loss.",
    "revision_of_model": "A base that is added here has its commit.",
    "model_revision": "A base that is added here has its commit.",
    "flash_attention": "transformers chooses the attention here.",
    "attn_implementation": "transformers chooses the attention here.",
    "saves_per_epoch": options.SAVES,
    "wandb_project": options.TRACKER,
    "mlflow_tracking_uri": options.TRACKER,
    "lora_model_dir": "Name the adapter as the model of the recipe.",
    "load_in_8bit": "A base is loaded in 4 bits or as it is.",
    "dataset_prepared_path": options.PLACE,
}


def sniff(values: JsonObject) -> float:
    """How much this looks like it, 0 to 1."""
    return min(1.0, sum(mark in values for mark in MARKS) / 2)


def read(importing: Importing, kind: str | None) -> tuple[str, dict[str, str]]:
    """The method, and why keys without an equal have none."""
    method = kind or _method(importing)
    _tuning(importing)
    _target_modules(importing)
    options.take_precision(importing)
    options.take_datasets(importing, "datasets")
    _checkpointing(importing)
    _evals(importing)
    if importing.peek("train_on_inputs") is False:
        importing.take("train_on_inputs", "answers alone carry loss")
    importing.move_all(FIELDS)
    importing.wrap("loss_type")
    importing.wrap("loss_weights")
    importing.default("num_train_epochs", 1.0)
    importing.default("per_device_train_batch_size", 1)
    importing.default("max_length", 512)
    importing.default("trl.lr_scheduler_type", "cosine")
    return method, REASONS


def _method(importing: Importing) -> str:
    if importing.peek("reward_model"):
        importing.take("reward_model", "kind")
        return "reward"
    rl = importing.peek("rl")
    if rl is None:
        return "sft"
    if str(rl) not in METHODS:
        raise UserError(
            f"Tuneloop has no equal of rl: {str(rl)[:60]}.",
            f"Known: {', '.join(METHODS)}, or no rl for SFT.",
        )
    importing.take("rl", "kind")
    method, losses = METHODS[str(rl)]
    if losses and importing.peek("dpo_loss_type") is None:
        importing.put("rl", "loss_type", list(losses))
    return method


def _tuning(importing: Importing) -> None:
    adapter = importing.peek("adapter")
    if adapter is None:
        importing.default("tuning", "full")
        return
    if adapter not in ("lora", "qlora"):
        importing.lose("adapter", "LoRA, QLoRA and full fine-tuning are known here.")
        return
    importing.take("adapter", "tuning")
    four = importing.take("load_in_4bit", "tuning") or adapter == "qlora"
    importing.put("adapter", "tuning", "qlora" if four else "lora")
    if importing.peek("load_in_8bit") is False:
        importing.take("load_in_8bit", "tuning")


def _target_modules(importing: Importing) -> None:
    if importing.peek("lora_target_linear") is True:
        importing.take("lora_target_linear", "lora.target_modules")
        importing.put("lora_target_linear", "lora.target_modules", "all-linear")
    modules = importing.peek("lora_target_modules")
    if isinstance(modules, list) and not importing.has("lora.target_modules"):
        importing.move("lora_target_modules", "lora.target_modules")
    elif isinstance(modules, list):
        importing.lose("lora_target_modules", "lora_target_linear names all linear layers already.")


def _checkpointing(importing: Importing) -> None:
    if isinstance(importing.peek("gradient_checkpointing"), bool):
        importing.move("gradient_checkpointing", "trl.activation_checkpointing")


def _evals(importing: Importing) -> None:
    """So many measurements an epoch are so many in all."""
    each, epochs = importing.peek("evals_per_epoch"), importing.peek("num_epochs") or 1
    if isinstance(each, int | float) and isinstance(epochs, int | float) and each > 0:
        importing.take("evals_per_epoch", "num_evals")
        importing.put("evals_per_epoch", "num_evals", round(max(1, min(100, each * epochs))))
