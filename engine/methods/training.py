"""What all training methods share: settings, the model, the run and the saved adapter."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.job_context import Context, ModelFiles
from engine.core.job_outcome import NewModel, Outcome
from engine.core.job_result import TrainingResult
from engine.core.json_object import JsonObject
from engine.core.model import REASONS, REPLAY, Model
from engine.core.recipe import TrainRecipe
from engine.methods import (
    allowed_options,
    checkpoint,
    final_numbers,
    library_options,
    lm_head,
    refused_options,
    weights,
)
from engine.methods.callback import callback
from engine.methods.checkpointer import Checkpointer
from engine.methods.progress import Watch
from engine.methods.samples import SampleWriter, questions
from engine.methods.training_rows import (
    WEIGHT,
    Columns,
    EncodedDataset,
    EncodedRow,
    encode_dataset,
)
from engine.methods.weights import Task
from engine.models.chat_template import Template
from engine.models.precision import fast_bf16, width
from engine.trackers import available, safe_tracker

TOO_FEW = (
    "{held_out} rows are held out, fewer than {fewest}: their loss would choose a state by chance, "
    "so the last one is kept."
)
# of every training; a method adds its own (NOT_TRL_FIELDS)
_NOT_TRL_FIELDS = frozenset(
    {
        "model",
        "dataset",
        "tuning",
        "num_evals",
        "early_stopping_patience",
        "keep_best",
        "samples",
        "evaluate_after",
        "trackers",
        "lora",
        "trl",
    }
)


MakeTrainer = Callable[[list[Any]], Any]  # callbacks to a trainer of TRL
EncodeRow = Callable[[Template, Example, int], EncodedRow]  # a row as tokens, at most so many


class UpstreamSettings(NamedTuple):
    """The two upstream configurations, checked."""

    args: Any  # SFTConfig, DPOConfig
    lora: Any  # LoraConfig


def prepare(
    recipe: TrainRecipe,
    ctx: Context,
    config_class: type,
    trainer_class: type,
    encode_row: EncodeRow,
    task: Task = "CAUSAL_LM",
    held_to_start: bool = False,
    arrange: Callable[[EncodedDataset], EncodedDataset] | None = None,
) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows as tokens, and how to make the trainer of them; all that can be wrong comes out.

    `held_to_start`: the trainer compares with the model it starts from. `arrange` makes other rows
    of the encoded ones, before they are counted.
    """
    files = ctx.model(recipe.model)
    weights.check(recipe, files, task)
    available.check(recipe)
    args, lora = settings(config_class, recipe, ctx.folder, fast_bf16(width(files.base)), task)
    refused_options.check(recipe, args, lora)
    template = Template.load(files.base)

    def encode(example: Example) -> EncodedRow:
        return encode_row(template, example, recipe.max_length)

    encoded = encode_dataset(ctx, recipe.dataset, encode, recipe.max_length, template)
    if arrange is not None:
        encoded = arrange(encoded)
    answers = getattr(args, "num_generations", 1)  # of each row, where the model writes them
    save_often(args, recipe, answers * len(encoded.train))
    if encoded.held_out:
        measure_held_out(args, recipe, len(encoded.held_out))
    model, tokenizer = weights.load(files, args, recipe.tuning, task)
    parts = {"model": model, "args": args, "processing_class": tokenizer}
    if recipe.tuning == "full" and held_to_start:
        parts["ref_model"] = weights.reference(model)
    elif recipe.tuning != "full" and files.adapter is None:
        parts["peft_config"] = lora
    tables = {"train_dataset": table(encoded.train), "eval_dataset": table(encoded.held_out)}
    return encoded, lambda callbacks: _made(trainer_class, **parts, **tables, callbacks=callbacks)


def _made(trainer_class: type, **parts: Any) -> Any:
    """The trainer; UserError with TRL's own words where it refuses a combination of settings."""
    try:
        return trainer_class(**parts)
    except (ValueError, ImportError, NotImplementedError) as error:
        reason = str(error).split(". ")[0].rstrip(".")
        raise UserError(f"TRL refuses these settings: {reason}.", "Change them.") from error


def curated(recipe: TrainRecipe) -> JsonObject:
    """The recipe's fields that carry upstream's names; None is left to upstream."""
    return recipe.model_dump(
        exclude=set(_NOT_TRL_FIELDS | recipe.NOT_TRL_FIELDS), exclude_none=True
    )


def settings(
    config_class: type,
    recipe: TrainRecipe,
    folder: Path,
    bf16: bool = False,
    task: Task = "CAUSAL_LM",
) -> UpstreamSettings:
    """Both configurations, before any model is loaded: this is where a typing error comes out.

    `bf16` is what this machine is fast at; the recipe's own trl: {bf16: ...} counts more.
    """
    import torch
    from peft import LoraConfig

    for where, extra in (("trl", recipe.trl), ("lora", recipe.lora)):
        library_options.refuse_doubles(type(recipe).model_fields, extra, where)
    hints = {**get_type_hints(LoraConfig), **get_type_hints(config_class)}
    allowed_options.check_recipe(recipe, hints)  # before upstream opens what an option names
    place = {"output_dir": str(folder / checkpoint.FOLDER)}
    use_cpu = not torch.cuda.is_available()
    given = {**upstream_options(recipe, bf16=bf16, use_cpu=use_cpu), **place}
    lora = {"task_type": task, **recipe.lora}
    return UpstreamSettings(
        library_options.build(config_class, given), library_options.build(LoraConfig, lora)
    )


def upstream_options(recipe: TrainRecipe, *, bf16: bool, use_cpu: bool) -> JsonObject:
    """What a run of `recipe` sets in TRL's configuration; light, so services may ask too.

    Its folder and its held-out measurements are not among it: see `save_often`.
    """
    return {**_defaults(recipe, bf16, use_cpu), **curated(recipe), **recipe.trl}


def _defaults(recipe: TrainRecipe, bf16: bool, use_cpu: bool) -> JsonObject:
    """Settings that make a run steady and watchable; every one may be changed under trl:."""
    return {
        "use_cpu": use_cpu,
        "bf16": bf16 and not recipe.trl.get("fp16"),
        "activation_checkpointing": False,  # gradient checkpointing, by its newer name
        "per_device_eval_batch_size": recipe.per_device_train_batch_size,
        "train_sampling_strategy": "group_by_length",
        "remove_unused_columns": False,  # or the lengths are gone before the sampler reads them
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a loss of NaN is shown as the last good one
        "report_to": "none",  # a tracker of the recipe is added by itself, guarded
        "project": "tuneloop",  # its name there
        "disable_tqdm": True,
        "save_strategy": "no",
        **recipe.TRL,
    }


def save_often(args: Any, recipe: TrainRecipe, rows: int) -> None:
    """Let `args` save the state `recipe.num_evals` times, spread over the steps."""
    if "eval_steps" not in recipe.trl:
        args.eval_steps = steps_between_evals(recipe, rows)
    args.save_steps = args.eval_steps
    args.save_strategy = type(args.save_strategy)("steps")


def steps_between_evals(recipe: TrainRecipe, rows: int) -> int:
    """After how many steps a run over `rows` rows measures the held-out loss."""
    steps = recipe.max_steps or ceil(recipe.num_train_epochs * ceil(rows / recipe.rows_per_step))
    return ceil(steps / recipe.num_evals)


def measure_held_out(args: Any, recipe: TrainRecipe, rows: int) -> None:
    """Let `args` evaluate `rows` held-out rows at the start and whenever a state is saved."""
    args.eval_strategy = type(args.eval_strategy)("steps")
    args.eval_on_start = True
    args.metric_for_best_model = recipe.BEST if recipe.keeps_best(rows) else None
    args.greater_is_better = recipe.BEST != "eval_loss"


def table(rows: list[Columns]) -> Any:
    """`rows` as a datasets.Dataset; None when there are none."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    if any(WEIGHT in row for row in rows):
        rows = [{WEIGHT: 1.0, **row} for row in rows]  # a table has the columns of its first row
    return Dataset.from_list(rows) if rows else None


def run(recipe: TrainRecipe, ctx: Context, encoded: EncodedDataset, make: MakeTrainer) -> Outcome:
    """Train with the trainer that `make` builds from callbacks; the outcome holds the model.

    It goes on from the newest checkpoint in the folder of `ctx`, where an attempt left one. Raises
    Cancelled when the person asked to stop and to keep nothing.
    """
    import torch

    files = ctx.model(recipe.model)
    if files.adapter is not None and "lora" in recipe.model_fields_set:
        ctx.emit("log", {"text": "The lora settings are not used: the adapter keeps its shape."})
    watch = Watch(
        ctx,
        best=recipe.BEST,
        patience=recipe.early_stopping_patience,
        keep_best=recipe.keeps_best(len(encoded.held_out)),
    )
    few = _too_few_held_out(recipe, encoded)
    if few:
        ctx.emit("log", {"text": TOO_FEW.format(held_out=len(encoded.held_out), fewest=few)})
    template = Template.load(files.base)
    asked = questions(ctx, recipe, template, encoded.template.reasons)
    sampler = SampleWriter(ctx, asked, template)
    source = checkpoint.origin(recipe, encoded.all_rows())
    checkpointer = Checkpointer(ctx, watch, sampler, source)
    try:
        trainer = make([callback(watch, ctx, sampler)])
        start = weights.save_initial_adapter(trainer.model, ctx.folder)
        _speed_up(trainer, recipe)
        _silence(trainer)
        ctx.check()
        _train(trainer, recipe, ctx, checkpointer)
        _save(trainer, checkpointer, files, ctx.folder / weights.folder(recipe), start)
    except torch.OutOfMemoryError:
        raise UserError(
            "The graphics memory is too small for this training.",
            "Halve per_device_train_batch_size, or lower max_length.",
        ) from None
    _remark(ctx, watch)
    ran = {"bf16": bool(trainer.args.bf16), "on_gpu": not trainer.args.use_cpu}
    measured = watch.result().model_copy(update={**final_numbers.of(trainer.state), **ran})
    return _outcome(recipe, ctx.job_id, files.model, encoded, measured)


def _too_few_held_out(recipe: TrainRecipe, encoded: EncodedDataset) -> int:
    """How many held-out rows it would take to choose a state by them; 0 where there are enough."""
    held_out = len(encoded.held_out)
    few = recipe.keep_best and held_out and not recipe.keeps_best(held_out)
    return recipe.FEWEST_HELD_OUT if few else 0


def _save(
    trainer: Any, checkpointer: Checkpointer, files: ModelFiles, place: Path, start: Path | None
) -> None:
    """Write the state that is kept to `place`."""
    checkpointer.stop_here()
    checkpointer.load_best(trainer)
    try:
        weights.save(trainer.accelerator.unwrap_model(trainer.model), files, place, start)
    except Exception as error:
        checkpoint.refuse_full_disk(error)
        raise


def _remark(ctx: Context, watch: Watch) -> None:
    if watch.got_worse():
        ctx.emit(
            "log",
            {"text": "The held-out loss was lowest before the training: it made the model worse."},
        )
    if watch.overfit():
        kept = "That checkpoint is kept." if watch.best_step else "The last checkpoint is kept."
        text = (
            "The held-out loss rose after its lowest while the training loss went on falling: the "
            f"model overfits. {kept}"
        )
        ctx.emit("log", {"text": text})


def _speed_up(trainer: Any, recipe: TrainRecipe) -> None:
    if recipe.tuning != "full":
        weights.in_float32(trainer.model)
    # this head knows neither the temperature of answers nor the numbers that use_weighting takes
    other = hasattr(trainer, "temperature") or getattr(trainer, "use_weighting", False)
    scored = not other and trainer.model.get_output_embeddings() is not None
    if recipe.tuning != "full" and scored:
        lm_head.score_answers_only(trainer.model.get_base_model())


def _train(trainer: Any, recipe: TrainRecipe, ctx: Context, checkpointer: Checkpointer) -> None:
    """Train on an order of rows that the seed alone decides, from the start or a checkpoint."""
    from peft.helpers import disable_input_dtype_casting
    from transformers import set_seed

    checkpointer.attach(trainer)
    found = checkpointer.found()
    if found:
        trainer.args.eval_on_start = False  # was said already
        checkpointer.restore(found)
    beside = safe_tracker.beside(trainer, recipe, ctx, found.step if found else 0)
    # autocast casts each input itself; PEFT would cast it to float32 and back before. Answers that
    # are part of the training are written outside autocast
    casts = trainer.args.bf16 and not hasattr(trainer, "temperature")
    with beside, disable_input_dtype_casting(trainer.model, active=casts):
        set_seed(recipe.seed)  # what was drawn until here depends on the precision and the adapter
        trainer.train(resume_from_checkpoint=str(found.path) if found else None)


def _silence(trainer: Any) -> None:
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def _replay_info(encoded: EncodedDataset) -> JsonObject:
    """What the model says of the examples that it learned beside votes."""
    if encoded.replay is None:
        return {}
    dataset, rows, each, weight = encoded.replay
    return {REPLAY: JsonObject(dataset=dataset, rows=len(rows), each=each, weight=weight)}


def _outcome(
    recipe: TrainRecipe,
    job_id: str,
    start: Model,
    encoded: EncodedDataset,
    measured: TrainingResult,
) -> Outcome:
    rows = {
        "rows": len(encoded.train),
        "held_out_rows": len(encoded.held_out),
        "too_few_held_out": bool(_too_few_held_out(recipe, encoded)),
        "dropped": encoded.dropped,
        "truncated": encoded.truncated,
        "template": encoded.template,
    }
    result = measured.model_copy(update=rows)
    model = NewModel(
        name=f"{recipe.KIND}-{job_id[-4:]}",
        kind=weights.kind(recipe),
        path=weights.folder(recipe),
        base_id=start.id if start.has_all_weights else start.base_id or start.id,
        parent_id=None if start.has_all_weights else start.id,
        dataset_id=recipe.dataset,
        info={
            "method": recipe.KIND,
            "tuning": recipe.tuning,
            **result.model_dump(mode="json"),
            REASONS: encoded.template.reasons,
            **_replay_info(encoded),
        },
    )
    return Outcome(result=result, model=model)
