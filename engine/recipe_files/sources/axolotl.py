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


def read(found: Importing, kind: str | None) -> tuple[str, dict[str, str]]:
    """The method, and why keys without an equal have none."""
    method = kind or _method(found)
    _tuning(found)
    _target_modules(found)
    options.take_precision(found)
    options.take_datasets(found, "datasets")
    _checkpointing(found)
    _evals(found)
    if found.peek("train_on_inputs") is False:
        found.take("train_on_inputs", "answers alone carry loss")
    found.move_all(FIELDS)
    found.wrap("loss_type")
    found.wrap("loss_weights")
    found.default("num_train_epochs", 1.0)
    found.default("per_device_train_batch_size", 1)
    found.default("max_length", 512)
    found.default("trl.lr_scheduler_type", "cosine")
    return method, REASONS


def _method(found: Importing) -> str:
    if found.peek("reward_model"):
        found.take("reward_model", "kind")
        return "reward"
    rl = found.peek("rl")
    if rl is None:
        return "sft"
    if str(rl) not in METHODS:
        raise UserError(
            f"Tuneloop has no equal of rl: {str(rl)[:60]}.",
            f"Known: {', '.join(METHODS)}, or no rl for SFT.",
        )
    found.take("rl", "kind")
    method, losses = METHODS[str(rl)]
    if losses and found.peek("dpo_loss_type") is None:
        found.put("rl", "loss_type", list(losses))
    return method


def _tuning(found: Importing) -> None:
    adapter = found.peek("adapter")
    if adapter is None:
        found.default("tuning", "full")
        return
    if adapter not in ("lora", "qlora"):
        found.lose("adapter", "LoRA, QLoRA and full fine-tuning are known here.")
        return
    found.take("adapter", "tuning")
    four = found.take("load_in_4bit", "tuning") or adapter == "qlora"
    found.put("adapter", "tuning", "qlora" if four else "lora")
    if found.peek("load_in_8bit") is False:
        found.take("load_in_8bit", "tuning")


def _target_modules(found: Importing) -> None:
    if found.peek("lora_target_linear") is True:
        found.take("lora_target_linear", "lora.target_modules")
        found.put("lora_target_linear", "lora.target_modules", "all-linear")
    modules = found.peek("lora_target_modules")
    if isinstance(modules, list) and not found.has("lora.target_modules"):
        found.move("lora_target_modules", "lora.target_modules")
    elif isinstance(modules, list):
        found.lose("lora_target_modules", "lora_target_linear names all linear layers already.")


def _checkpointing(found: Importing) -> None:
    if isinstance(found.peek("gradient_checkpointing"), bool):
        found.move("gradient_checkpointing", "trl.activation_checkpointing")


def _evals(found: Importing) -> None:
    """So many measurements an epoch are so many in all."""
    each, epochs = found.peek("evals_per_epoch"), found.peek("num_epochs") or 1
    if isinstance(each, int | float) and isinstance(epochs, int | float) and each > 0:
        found.take("evals_per_epoch", "num_evals")
        found.put("evals_per_epoch", "num_evals", round(max(1, min(100, each * epochs))))
