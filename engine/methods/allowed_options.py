"""Which of TRL's and PEFT's options a person may set: numbers and switches, and words of a list.

An option that takes free text could name a file, an address, a program or a pattern, and upstream
opens some of them while it reads its settings. So everything is refused that is not known to be
harmless, whatever upstream adds. Light: asked before a job is queued and again in its process.
"""

import re
from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from engine.core.errors import UserError, quoted
from engine.core.recipe import TrainRecipe
from engine.methods.refused_options import IDLE, IDLE_LORA

# a word of upstream's own lists, which upstream compares with them
WORD = re.compile(r"[a-z][a-z0-9_]{0,40}")
MODULE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")  # a part of a module's name, no pattern
TAKES_A_WORD = frozenset(
    {
        "cache_implementation",
        "f_divergence_type",
        "importance_sampling_level",
        "include_num_input_tokens_seen",
        "init_lora_weights",
        "logging_strategy",
        "loss_type",
        "lr_scheduler_type",
        "multi_objective_aggregation",
        "optim",
        "scale_rewards",
        "train_sampling_strategy",
        "vllm_importance_sampling_mode",
        "vllm_model_impl",
        "bias",
    }
)
TAKES_ONE_OF: dict[str, frozenset[str]] = {
    "log_level": frozenset({"debug", "info", "warning", "error", "critical", "passive"}),
    "torch_compile_backend": frozenset({"inductor", "eager", "aot_eager", "cudagraphs"}),
    "torch_compile_mode": frozenset(
        {"default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"}
    ),
    "vllm_mode": frozenset({"colocate"}),
}
TAKES_MODULES = frozenset(
    {"exclude_modules", "layers_pattern", "modules_to_save", "target_modules", "target_parameters"}
)
MODULES_TO_NUMBERS = frozenset({"alpha_pattern", "rank_pattern", "trainable_token_indices"})
ALL_LINEAR = "all-linear"
MOST: dict[str, int] = {"dataloader_num_workers": 8, "dataloader_prefetch_factor": 64}
# from 0 to below 1: what PyTorch refuses else, when the first step is made
SHARES = frozenset({"adam_beta1", "adam_beta2", "lora_dropout"})
COUNTS: dict[str, int] = {"r": 2**16, "gradient_accumulation_steps": 2**20}  # from 1 to this
CLOSED: dict[str, str] = {
    **dict.fromkeys(
        (
            "accelerator_config", "ddp_backend", "ddp_timeout", "deepspeed", "fsdp", "fsdp_config",
            "local_rank", "parallelism_config",
        ),
        "one process trains here",
    ),
    **dict.fromkeys(
        ("vllm_server_base_url", "vllm_server_host"), "a run asks no other server",
    ),
}  # fmt: skip
NUMBERS = "numbers, true and false"


def check_recipe(recipe: TrainRecipe, hints: Mapping[str, Any] | None = None) -> None:
    """The same for both kinds of options of a training."""
    elsewhere = frozenset({*IDLE, *recipe.IDLE, *IDLE_LORA})
    check(recipe.trl, recipe.lora, elsewhere, hints)


def check(
    trl: Mapping[str, Any],
    lora: Mapping[str, Any],
    elsewhere: frozenset[str] = frozenset(),
    hints: Mapping[str, Any] | None = None,
) -> None:
    """UserError for the first option that may not be set, or not to this.

    `elsewhere` are options that are refused with a reason of their own. `hints` are upstream's own
    types, where they are at hand: what takes no text by its type is left to upstream's check.
    """
    for where, values in (("trl", trl), ("lora", lora)):
        for name, value in values.items():
            if name in elsewhere:
                continue
            if name in CLOSED:
                raise UserError(
                    f"{name} has no place here: {CLOSED[name]}.", f"Leave it out of {where}."
                )
            may_be = _refused(name, value, None if hints is None else _takes_text(hints, name))
            if may_be:
                raise UserError(
                    f"{name} under {where} takes {may_be} here; {quoted(value)} is none of them.",
                    "Change it or leave it out.",
                )


def _takes_text(hints: Mapping[str, Any], name: str) -> bool:
    """Whether upstream's type lets text through; a name that it does not know is refused there."""
    return name in hints and _text_in(hints[name])


def _text_in(hint: Any) -> bool:
    if hint in (bool, int, float, type(None)):
        return False
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return False
    if origin in (Union, UnionType, list, tuple):
        return any(_text_in(part) for part in parts if part is not ...)
    return True


def _refused(name: str, value: Any, text: bool | None) -> str:
    """What the option takes, where this value is not of it; else nothing."""
    if name in TAKES_ONE_OF:
        fits = value is None or (isinstance(value, str) and value in TAKES_ONE_OF[name])
        return "" if fits else " or ".join(sorted(TAKES_ONE_OF[name]))
    if name in TAKES_MODULES:
        fits = value == ALL_LINEAR or value is None or _all(_list(value), MODULE)
        return "" if fits else f"a list of names of modules, or {ALL_LINEAR}"
    if name in MODULES_TO_NUMBERS and isinstance(value, dict):
        fits = _all(list(value), MODULE) and _plain(list(value.values()), text=True)
        return "" if fits else "names of modules with numbers"
    if name in TAKES_A_WORD and _all(_list(value), WORD):
        return ""
    range_of_it = _out_of_range(name, value)
    if range_of_it:
        return range_of_it
    if text is False:
        return ""
    return "" if _plain(value, text=bool(text)) else NUMBERS


def _out_of_range(name: str, value: Any) -> str:
    """The numbers that the option takes, where this is none of them."""
    if name in MOST and not (_is_number(value) and 0 <= float(value) <= MOST[name]):
        return f"a number from 0 to {MOST[name]}"
    if name in SHARES and not (_is_number(value) and 0 <= float(value) < 1):
        return "a number from 0 to below 1"
    if name in COUNTS and not (_is_whole(value) and 1 <= float(value) <= COUNTS[name]):
        return f"a whole number from 1 to {COUNTS[name]:,}"
    return ""


def _plain(value: Any, *, text: bool) -> bool:
    """Whether it is made of numbers, true, false and nothing alone; `text`: numbers as such."""
    if isinstance(value, dict):
        named = all(isinstance(key, str) and WORD.fullmatch(key) for key in value)
        return named and all(_plain(each, text=True) for each in value.values())
    if isinstance(value, (list, tuple)):
        return all(_plain(each, text=True) for each in value)
    if isinstance(value, str):
        return not text and (_is_number(value) or value.lower() in ("true", "false"))
    return value is None or isinstance(value, (bool, int, float))


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) == float(value)
    except (TypeError, ValueError):
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, str)) and _is_number(value) and float(value) % 1 == 0


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def _all(values: list[Any], pattern: re.Pattern[str]) -> bool:
    return all(isinstance(each, str) and pattern.fullmatch(each) for each in values)
