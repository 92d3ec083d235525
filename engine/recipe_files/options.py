"""What the readers of other programs share: names of TRL's options, and why some have no equal."""

from engine.methods.refused_options import IDLE
from engine.recipe_files.imported import Importing

# fields of a recipe under TRL's own names
CURATED = (
    "num_train_epochs", "max_steps", "learning_rate", "per_device_train_batch_size", "max_length",
    "seed",
)  # fmt: skip
# options that a recipe takes under trl:
TRL = (
    "activation_checkpointing", "adam_beta1", "adam_beta2", "adam_epsilon", "dataloader_drop_last",
    "dataloader_num_workers", "disable_dropout", "eval_accumulation_steps", "eval_steps",
    "f_divergence_type", "gradient_accumulation_steps", "label_smoothing", "logging_steps",
    "lr_scheduler_kwargs", "lr_scheduler_type", "max_grad_norm", "neftune_noise_alpha", "optim",
    "per_device_eval_batch_size", "precompute_ref_log_probs", "sync_ref_model", "tf32",
    "train_sampling_strategy", "use_weighting", "warmup_steps", "weight_decay",
)  # fmt: skip
HELD_OUT = "Rows are held out when a file is added as a dataset."
ONE_DATASET = "A recipe takes one dataset: add the files together."
LAYOUT = "The layout is recognised when a file is added as a dataset."
TEMPLATE = "The model's own chat template is used."
TRACKER = "Name a tracker in the recipe: trackers."
PLACE = "A run writes to its own folder."
SAVES = f"{IDLE['save_steps'][:1].upper()}{IDLE['save_steps'][1:]}."
REASONS = {
    "report_to": TRACKER,
    "run_name": "Name the run when it starts.",
    "output_dir": PLACE,
    "overwrite_output_dir": PLACE,
    "save_strategy": SAVES,
    "save_steps": SAVES,
    "save_total_limit": SAVES,
    "eval_strategy": SAVES,
    "greater_is_better": SAVES,
    "metric_for_best_model": SAVES,
    "dataset_train_split": HELD_OUT,
    "dataset_test_split": HELD_OUT,
    "deepspeed": "One process trains here.",
    "fsdp": "One process trains here.",
    "fsdp_config": "One process trains here.",
}


def take_precision(importing: Importing) -> None:
    """`bf16: auto` is what happens here; true and false are TRL's option."""
    if importing.peek("bf16") == "auto":
        importing.take("bf16", "trl.bf16")
    importing.move("bf16", "trl.bf16")
    if importing.peek("fp16") is not None:
        importing.move("fp16", "trl.fp16")


def take_dataset(importing: Importing, key: str) -> None:
    """The first dataset by its name; further ones, and how they are read, go on the list."""
    given = importing.peek(key)
    if isinstance(given, str):
        first, *more = [name.strip() for name in given.split(",")]
        importing.take(key, "dataset")
        importing.put(key, "dataset", first)
        for name in more:
            importing.lose(key, ONE_DATASET, name, name)


def take_datasets(importing: Importing, key: str) -> None:
    """The same for a list of datasets, each with a path and how it is read."""
    given = importing.peek(key)
    if not isinstance(given, list) or not given:
        return
    importing.take(key, "dataset")
    for number, one in enumerate(given):
        parts = one if isinstance(one, dict) else {"path": one}
        path = parts.get("path")
        if number == 0 and isinstance(path, str):
            importing.put(key, "dataset", path)
        for name, value in parts.items():
            if number:
                importing.lose(key, ONE_DATASET, f"{number}.{name}", value)
            elif name != "path" or not isinstance(path, str):
                importing.lose(key, LAYOUT, f"{number}.{name}", value)
