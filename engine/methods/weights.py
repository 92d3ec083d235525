"""The weights of a training: loaded for LoRA, QLoRA or all of them, and written at the end."""

import shutil
from pathlib import Path
from typing import Any, Literal, TypedDict

from engine.core import extras
from engine.core.errors import UserError
from engine.core.job_context import ModelFiles
from engine.core.model import ModelKind
from engine.core.recipe import TrainRecipe, Tuning
from engine.methods import attention, refused_options
from engine.models import adapter_folder
from engine.models.precision import use_cores

Task = Literal["CAUSAL_LM", "SEQ_CLS"]  # PEFT's names: it writes, or it judges
# what a folder of a model holds beside its weights
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json")


def folder(recipe: TrainRecipe) -> str:
    """What the folder of the trained weights is called."""
    return "model" if recipe.tuning == "full" else "adapter"


def kind(recipe: TrainRecipe) -> ModelKind:
    """What a training of `recipe` makes."""
    if recipe.KIND == "reward":
        return "reward"
    return "full" if recipe.tuning == "full" else "adapter"


def check(recipe: TrainRecipe, files: ModelFiles, task: Task = "CAUSAL_LM") -> None:
    """Raise UserError where the recipe's tuning and the model to start from don't go together."""
    if recipe.tuning == "full" and recipe.lora != _default_lora(recipe):
        raise UserError(
            "tuning: full trains all weights, so the lora settings would change nothing.",
            "Leave lora out, or choose tuning: lora.",
        )
    if recipe.tuning == "qlora":
        extras.require("bitsandbytes", "qlora", "tuning: qlora", "choose tuning: lora")
    judge = files.model.kind == "reward"
    if judge and task == "CAUSAL_LM":
        raise UserError(
            f"{files.model.name} is a reward model: it scores answers and cannot generate them.",
            "Start from a model that answers.",
        )
    if files.adapter is not None and task == "SEQ_CLS" and not judge:
        raise UserError(
            "A reward model can't start from an adapter: it holds no score layer.",
            "Start from the base model of that adapter, or from a fully trained model.",
        )
    if files.adapter is not None and task == "SEQ_CLS" and recipe.tuning == "full":
        raise UserError(
            "A reward adapter can't become a reward model with all weights trained.",
            "Start from its base model, or go on with tuning: lora.",
        )


def _default_lora(recipe: TrainRecipe) -> Any:
    return type(recipe).model_fields["lora"].get_default(call_default_factory=True)


def load(
    files: ModelFiles, args: Any, tuning: Tuning = "lora", task: Task = "CAUSAL_LM"
) -> tuple[Any, Any]:
    """The model, with its adapter ready to be trained on where it has one, and the tokenizer.

    A frozen base is in bfloat16 when `args` trains in it, or in 4 bits; what is trained is in
    float32 always. All weights of an adapter's model: the adapter is added to its base first.
    """
    import transformers
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    transformers.set_seed(args.seed)  # a new judging layer is drawn at random
    use_cores()
    causal = task == "CAUSAL_LM"
    loader = "AutoModelForCausalLM" if causal else "AutoModelForSequenceClassification"
    model: Any = getattr(transformers, loader).from_pretrained(
        files.base,
        local_files_only=True,
        use_safetensors=True,
        **_options(args, tuning),
        **_labels(task),
    )
    if args.bf16 and args.use_cpu:
        attention.use_float32(model)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(files.base, local_files_only=True)
    if files.adapter is not None:
        model = _with_adapter(model, files, files.adapter, tuning)
    return model, tokenizer


class LoadOptions(TypedDict, total=False):
    """What `from_pretrained` takes, of the types of torch and transformers."""

    dtype: Any
    quantization_config: Any


def _labels(task: Task) -> dict[str, int]:
    return {} if task == "CAUSAL_LM" else {"num_labels": 1}


def _options(args: Any, tuning: Tuning) -> LoadOptions:
    import torch

    half = torch.bfloat16 if args.bf16 else torch.float32
    if tuning == "full":
        return {"dtype": torch.float32}
    if tuning == "lora":
        return {"dtype": half}
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=half,
    )
    return {"dtype": half, "quantization_config": config}


def _with_adapter(model: Any, files: ModelFiles, adapter: Path, tuning: Tuning) -> Any:
    from peft import PeftModel

    both: Any = PeftModel.from_pretrained(model, str(adapter), is_trainable=tuning != "full")
    if tuning == "full":
        whole = both.merge_and_unload()
        whole.requires_grad_(True)
        return whole
    # a saved adapter names no path; without one PEFT would ask the Hub at each checkpoint
    both.peft_config["default"].base_model_name_or_path = str(files.base)
    return both


def reference(model: Any) -> Any:
    """A frozen copy of a model whose weights will all change."""
    import copy

    return copy.deepcopy(model).eval().requires_grad_(False)


def in_float32(model: Any) -> None:
    """Let what is trained be in float32, for in bfloat16 small steps round to nothing.

    TRL casts a QLoRA adapter to it, and a new judging layer comes in the type of the base.
    """
    for weight in model.parameters():
        if weight.requires_grad and weight.is_floating_point():
            weight.data = weight.data.float()


def save_initial_adapter(model: Any, folder: Path) -> Path | None:
    """Where an adapter whose start was taken out of the base is kept for `save`; None for others.

    Only the difference from its start is an adapter for the unchanged base.
    """
    config = getattr(model, "peft_config", {}).get("default")
    if config is None or not refused_options.changes_base(config):
        return None
    place = folder / "start"  # PEFT makes a module of this name: no dots
    init, config.init_lora_weights = config.init_lora_weights, True
    model.save_pretrained(place, selected_adapters=["default"], save_embedding_layers=False)
    config.init_lora_weights = init
    return place


def save(model: Any, files: ModelFiles, place: Path, start: Path | None = None) -> None:
    """Write what was trained to `place` in one step, without this machine's paths."""
    _refuse_broken(model)
    partial = place.with_name(f".{place.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    if hasattr(model, "peft_config"):
        _save_adapter(model, files, partial, start)
    else:
        _save_whole(model, files, partial)
    shutil.rmtree(place, ignore_errors=True)
    partial.rename(place)


def _save_adapter(model: Any, files: ModelFiles, partial: Path, start: Path | None) -> None:
    model.save_pretrained(
        partial,
        selected_adapters=["default"],  # DPO's frozen copy "ref" is not part of the result
        save_embedding_layers=False,
        path_initial_model_for_weight_conversion=start and str(start),
    )
    if start:
        shutil.rmtree(start)
    adapter_folder.tidy(partial, files.base.name)


def _save_whole(model: Any, files: ModelFiles, partial: Path) -> None:
    """The weights, and the tokenizer and template of the model it started from as they were."""
    model.save_pretrained(partial)
    for file in files.base.iterdir():
        new = partial / file.name
        if file.is_file() and not new.exists() and not file.name.endswith(_WEIGHTS):
            shutil.copyfile(file, new)


def _refuse_broken(model: Any) -> None:
    """The last step can break a model after its last loss was still a number."""
    if not all(p.isfinite().all() for p in model.parameters() if p.requires_grad):
        raise UserError(
            "The last training step made the weights infinite or NaN.",
            "Start again with a lower learning_rate.",
        )
