"""A folder that trains the same model again with transformers, TRL and PEFT, without Tuneloop."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.json_object import JsonObject
from engine.core.recipe import ReplayRecipe, TrainRecipe
from engine.exporters import runtimes
from engine.files import pieces, sha256_of_file
from engine.methods import training
from engine.methods.training_rows import EncodedRow
from engine.recipe_files import readme
from engine.recipe_files.run import (
    ExportedRun,
    HashedLines,
    Part,
    as_json,
    line,
    text,
    without_paths,
)

TITLE = "Eject (transformers, TRL, PEFT)"
SUMMARY = "A script, its data as tokens and the losses it ends at; it needs no Tuneloop."
TOLERANCE = 1e-3
SPLITS: tuple[Split, ...] = ("train", "held_out")
LIBRARIES = ("accelerate", "datasets", "numpy", "peft", "safetensors", "tokenizers", "torch",
             "transformers", "trl")  # fmt: skip
BASE_FILES = ("*.json", "*.jinja", "*.safetensors", "*.model")
START_FILES = ("adapter_config.json", "adapter_model.safetensors")
LOSSES = ("last_train_loss", "last_held_out_loss", "best_held_out_loss")


def notes(run: ExportedRun) -> list[str]:
    """What somebody who runs it must know."""
    found = [
        "The rows are token ids, cut and masked as the run had them: TRL alone cannot mark the "
        "answers of every chat template, and joins tokens across the start of an answer.",
        f"On the same kind of processor the losses are the same within {TOLERANCE:g}; another "
        "processor, a graphics card or other versions of the libraries can differ by more.",
    ]
    if run.result.bf16 is None:
        found.append("The run did not store its precision; float32 is taken.")
    if run.result.on_gpu:
        found.append("The run was made on a graphics card.")
    if not run.is_fetchable:
        found.append("The base is in the folder base: nobody publishes exactly these weights.")
    return found


def files(run: ExportedRun) -> Iterator[Part]:
    """Script, pins, data, the base where it can't be fetched, settings, README, in this order."""
    _refuse(run)
    yield "train.py", pieces(Path(runtimes.__file__).with_name("ejected_train.py"))
    yield "requirements.txt", text(_requirements(run))
    data: dict[str, JsonObject] = {}
    for split in SPLITS:
        lines = HashedLines(_tokens(run, split))
        yield f"data/{split}.jsonl", lines
        if lines.count:
            about = JsonObject(file=f"data/{split}.jsonl", rows=lines.count, sha256=lines.sha256)
            data[split] = about
    if run.replayed and run.encode_replayed:
        lines = HashedLines(_lines(run.replayed(), run.encode_replayed))
        yield "data/replay.jsonl", lines
        data["replay"] = JsonObject(file="data/replay.jsonl", rows=lines.count, sha256=lines.sha256)
    if run.start:
        for name in START_FILES:
            yield f"start/{name}", without_paths(run.start / name)
    if not run.is_fetchable:
        for path in base_files(run):
            yield f"base/{path.name}", without_paths(path)
    yield "settings.json", as_json(_settings(run, data))
    yield "README.md", text(_readme(run))


def base_files(run: ExportedRun) -> list[Path]:
    """Weights, configuration and tokenizer of the base; no pickle and no code."""
    found = {path for kind in BASE_FILES for path in run.base_folder.glob(kind)}
    return sorted(path for path in found if path.name != "tuneloop.json")


def _refuse(run: ExportedRun) -> None:
    start = str(run.recipe.lora.get("init_lora_weights", ""))
    if start.startswith(("pissa", "olora")):
        raise UserError(
            f"A run with init_lora_weights: {start} cannot be ejected: its adapter is the "
            "difference from a changed base.",
            "Export its recipe, or train with another start.",
        )


def _tokens(run: ExportedRun, split: Split) -> Iterator[bytes]:
    """Rows as the trainer got them: `input_ids` and `labels`, or a pair's ids."""
    return _lines(run.rows(split), run.encode)


def _lines(examples: Iterator[Example], encode: Callable[[Example], EncodedRow]) -> Iterator[bytes]:
    for example in examples:
        encoded = encode(example)
        if encoded.columns is not None:
            for columns in (encoded.columns, *encoded.rest):
                yield line(columns)


def _requirements(run: ExportedRun) -> str:
    """The installed versions; a build tag such as +cpu names no package of the index."""
    names = [*LIBRARIES, *(["bitsandbytes"] if run.recipe.tuning == "qlora" else [])]
    return "".join(f"{name}=={version(name).partition('+')[0]}\n" for name in sorted(names))


def _settings(run: ExportedRun, data: dict[str, JsonObject]) -> dict[str, object]:
    recipe, result = run.recipe, run.result
    weights = [path for path in base_files(run) if path.suffix == ".safetensors"]
    known = result.model_dump()
    losses = {name: known[name] for name in LOSSES if known.get(name) is not None}
    return {
        "method": run.method,
        "tuning": recipe.tuning,
        "start": bool(run.start),
        "base": {
            "name": run.base.name,
            "revision": run.base.revision,
            "files": {path.name: sha256_of_file(path) for path in weights},
        },
        "data": data,
        "dataset": {"name": run.dataset.label, "sha256": run.dataset.sha256},
        "trl": _options(run, bool(data.get("held_out"))),
        "lora": {"task_type": "CAUSAL_LM", **recipe.lora},
        "early_stopping_patience": recipe.early_stopping_patience,
        **_replay(recipe),
        "stop_at": result.stopped_at if result.stopped_by == "you" else None,
        "expected": {"steps": result.steps, "losses": losses, "tolerance": TOLERANCE},
    }


def _replay(recipe: TrainRecipe) -> dict[str, object]:
    """How many examples each batch learned beside votes, and their weight."""
    if not isinstance(recipe, ReplayRecipe) or not recipe.replay_rows:
        return {}
    return {"replay": {"each": recipe.replay_rows, "weight": recipe.replay_weight}}


def _options(run: ExportedRun, held_out: bool) -> JsonObject:
    """TRL's options by name, with how often the held-out rows are measured."""
    recipe = run.recipe
    given = training.upstream_options(recipe, bf16=bool(run.result.bf16), use_cpu=True)
    mine = {key: value for key, value in given.items() if key not in ("use_cpu", "project")}
    if not held_out:
        return mine
    every = recipe.trl.get("eval_steps", training.steps_between_evals(recipe, run.result.rows))
    often = JsonObject(
        eval_strategy="steps", eval_on_start=True, eval_steps=every, save_strategy="steps",
        save_steps=every, save_only_model=True, save_total_limit=1,
    )  # fmt: skip
    best = JsonObject(metric_for_best_model=recipe.BEST, greater_is_better=False)
    keeps = run.keeps_best or recipe.early_stopping_patience
    return {**mine, **often, "load_best_model_at_end": run.keeps_best, **(best if keeps else {})}


def _readme(run: ExportedRun) -> str:
    base = (
        f"fetched from the Hub: {run.base.name} at {run.base.revision}"
        if run.is_fetchable
        else "in the folder `base`"
    )
    rows = [
        ("`train.py`", "the training: transformers, TRL and PEFT, nothing else"),
        ("`settings.json`", "every option under its own name, hashes, expected losses"),
        ("`requirements.txt`", "the versions of the libraries"),
        ("`data/`", "training and held-out rows as token ids; labels of -100 carry no loss"),
        *([("`start/`", f"the adapter it starts from: {run.start_name}")] if run.start else []),
        ("base", base),
    ]
    table = "".join(f"| {name} | {what} |\n" for name, what in rows)
    return readme.page(
        run,
        TITLE,
        notes(run),
        "python -m venv env\nenv/bin/pip install -r requirements.txt\nenv/bin/python train.py\n",
        f"| file | what it is |\n| --- | --- |\n{table}\n"
        "The script checks the data and the weights by their hashes, trains, writes the result to "
        "`out`, and ends with 0 where every loss is the expected one.",
    )
