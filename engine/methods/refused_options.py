"""Options that would change nothing here, or spoil the run: each is refused with the reason.

A setting that changes nothing is worse than an error: whoever set it draws conclusions from it.
"""

from typing import Any

from engine.core.errors import UserError
from engine.core.recipe import TrainRecipe

_TOKENS = "rows are turned into tokens before TRL sees them, by the code that shows the preview"
_LOADED = "the model is loaded before TRL gets it"
_SAVED = "the held-out rows are measured as often as num_evals says, and the best state is kept"
_PRINTED = "it prints to a terminal that nobody sees"
_SENDS = "a run sends nothing away; export the model when it is done"

IDLE: dict[str, str] = {
    **dict.fromkeys(
        (
            "assistant_only_loss",
            "chat_template_kwargs",
            "chat_template_path",
            "completion_only_loss",
            "dataset_kwargs",
            "dataset_num_proc",
            "dataset_text_field",
            "eos_token",
            "pad_token",
            "truncation_mode",
        ),
        _TOKENS,
    ),
    **dict.fromkeys(("model_init_kwargs", "trust_remote_code"), _LOADED),
    **dict.fromkeys(
        (
            "eval_on_start",
            "eval_strategy",
            "greater_is_better",
            "load_best_model_at_end",
            "metric_for_best_model",
            "save_only_model",
            "save_steps",
            "save_strategy",
            "save_total_limit",
        ),
        _SAVED,
    ),
    **dict.fromkeys(
        ("log_completions", "log_multimodal", "log_unique_prompts", "num_completions_to_print"),
        _PRINTED,
    ),
    **dict.fromkeys(
        (
            "hub_always_push",
            "hub_model_id",
            "hub_private_repo",
            "hub_revision",
            "hub_strategy",
            "hub_token",
            "log_completions_hub_repo",
            "push_to_hub",
        ),
        _SENDS,
    ),
    "do_eval": "nothing reads it",
    "do_predict": "nothing reads it",
    "do_train": "nothing reads it",
    "resume_from_checkpoint": "nothing reads it",
    "output_dir": "a run writes to its own folder",
    "label_smoothing_factor": "only SFT would take it, with a second pass in every step",
    "data_seed": "seed decides the order of the rows",
    "packing": "with packed rows the steps, and so the held-out measurements, can't be planned; "
    "rows of about the same length share a batch instead",
    "packing_strategy": "rows are not packed",
    "eval_packing": "rows are not packed",
    "padding_free": "TRL switches it off, or needs rows that are packed",
    "remove_unused_columns": "the lengths of the rows would be gone before they are read",
}
# option: the one it depends on, and what that one's value must be (None: anything but nothing)
NEEDS: dict[str, tuple[str, Any]] = {
    "discopop_tau": ("loss_type", "discopop"),
    "f_alpha_divergence_coef": ("f_divergence_type", "alpha_divergence"),
    "precompute_ref_batch_size": ("precompute_ref_log_probs", True),
    "ref_model_mixup_alpha": ("sync_ref_model", True),
    "ref_model_sync_steps": ("sync_ref_model", True),
    "tpo_l_gamma": ("loss_type", "tpo-l"),
    "transformers_continuous_batching_config": ("use_transformers_continuous_batching", True),
    **{
        f"entropy_{name}": ("use_adaptive_entropy", True)
        for name in ("coef_min", "coef_max", "coef_delta", "target")
    },
    **{f"sapo_temperature_{name}": ("loss_type", "sapo") for name in ("neg", "pos")},
    **{
        f"vespo_{name}": ("loss_type", "vespo")
        for name in ("k_pos", "lambda_pos", "k_neg", "lambda_neg")
    },
}
IDLE_LORA: dict[str, str] = {
    "auto_mapping": "the method decides what kind of model it is",
    "base_model_name_or_path": "the base is the model of the recipe",
    "fan_in_fan_out": "PEFT sets it itself, by the kind of layer",
    "inference_mode": "nothing would be trained",
    "megatron_config": "models are not cut up for Megatron here",
    "megatron_core": "models are not cut up for Megatron here",
    "peft_type": "it is LoRA",
    "revision": "the base is the model of the recipe",
    "task_type": "the method decides what kind of model it is",
}
# initialisations that put a part of the base into the adapter: see `whitened`
CHANGES_BASE = ("pissa", "olora")
_NEEDS_DATA = ("corda", "eva", "lora_ga")


def check_names(recipe: TrainRecipe) -> None:
    """UserError for the first option whose name alone has no place here: light, before a job."""
    for where, values, idle in (
        ("trl", recipe.trl, {**IDLE, **recipe.IDLE}),
        ("lora", recipe.lora if recipe.tuning != "full" else {}, IDLE_LORA),
    ):
        for name in values:
            if name in idle:
                raise _idle(name, idle[name], where)


def check(recipe: TrainRecipe, args: Any, lora: Any) -> None:
    """Raise UserError for the first option of `recipe` that has no place here."""
    idle = {**IDLE, **recipe.IDLE}
    if "sft" in getattr(recipe, "loss_type", []) and getattr(args, "use_weighting", False):
        raise _idle("use_weighting", "TRL 1.16 fails at it with the loss sft", "trl")
    for name in recipe.trl:
        if name in idle:
            raise _idle(name, idle[name], "trl")
        _refuse_lonely(name, args)
    if recipe.tuning == "full":
        return
    if recipe.trl.get("sync_ref_model"):
        raise _idle("sync_ref_model", "with LoRA the reference is the base itself", "trl")
    for name in recipe.lora:
        if name in IDLE_LORA:
            raise _idle(name, IDLE_LORA[name], "lora")
    _refuse_idle_lora(args, lora)
    _refuse_start(recipe, lora)


def changes_base(lora: Any) -> bool:
    """Whether this LoRA takes its first weights out of the base."""
    return str(lora.init_lora_weights).startswith(CHANGES_BASE)


def _refuse_lonely(name: str, args: Any) -> None:
    if name.startswith("vllm_") and not args.use_vllm:
        raise _idle(name, "use_vllm is off", "trl")
    other, wanted = NEEDS.get(name, (None, None))
    if other is None:
        return
    value = getattr(args, other, None)
    if wanted not in (value if isinstance(value, list) else [value]):
        raise _idle(name, f"it counts only with {other}: {str(wanted).lower()}", "trl")


def _refuse_idle_lora(args: Any, lora: Any) -> None:
    if lora.lora_dropout and getattr(args, "disable_dropout", False):
        raise _idle(
            "lora_dropout",
            "this method switches dropout off (trl: {disable_dropout: false})",
            "lora",
        )
    if lora.bias != "none":
        raise _idle("bias", "the base could not be had back by switching the adapter off", "lora")
    if lora.lora_bias:
        raise _idle("lora_bias", "it can't be merged into layers that have no bias", "lora")
    if lora.loftq_config and lora.init_lora_weights != "loftq":
        raise _idle("loftq_config", "init_lora_weights is not loftq", "lora")


def _refuse_start(recipe: TrainRecipe, lora: Any) -> None:
    """Initialisations that can't be had here, or would falsify what the method compares with."""
    start = str(lora.init_lora_weights)
    why = ""
    if start.startswith(_NEEDS_DATA):
        why = "it needs a pass over the data that is not made here"
    elif start == "loftq":
        why = "its adapter fits only the quantized base that it was made with"
    elif changes_base(lora) and recipe.KIND != "sft":
        why = "it moves weights out of the base, which this method compares with or judges by"
    elif changes_base(lora) and recipe.tuning == "qlora":
        why = "it moves weights out of the base, and 4-bit weights can't be changed"
    elif changes_base(lora) and lora.use_dora:
        why = "with use_dora its adapter can't be turned into one for the unchanged base"
    if why:
        raise UserError(
            f"init_lora_weights: {start} can't be used: {why}.",
            "Leave it out, or choose gaussian or orthogonal.",
        )


def _idle(name: str, reason: str, where: str) -> UserError:
    return UserError(f"{name} has no place here: {reason}.", f"Leave it out of {where}.")
