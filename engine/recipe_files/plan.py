"""What all targets ask of a run: where it starts, its options, and what has no equal elsewhere."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.core.json_object import JsonObject
from engine.files import pieces
from engine.methods import training
from engine.recipe_files.run import ExportedRun, Part, as_json

WEIGHTS = "adapter_model.safetensors"
# options that make a run watchable here, or that are options of Tuneloop
HOUSE = frozenset(
    {"use_cpu", "project", "disable_tqdm", "remove_unused_columns", "train_sampling_strategy",
     "report_to", "logging_nan_inf_filter", "save_strategy"}
)  # fmt: skip


class Base(NamedTuple):
    """The model to name, its commit, and what a person must know of it."""

    name: str
    revision: str | None
    notes: tuple[str, ...]


def base(run: ExportedRun) -> Base:
    """The published name where there is one; otherwise a folder that the person puts there."""
    if "/" not in run.base.name:
        note = f"Put the files of {run.base.name} into the folder base: it is not published."
        return Base("base", None, (note,))
    if run.base.changed:
        note = f"The run's base is {run.base.name}, {run.base.changed}; the published one differs."
        return Base(run.base.name, run.base.revision, (note,))
    return Base(run.base.name, run.base.revision, ())


def options(run: ExportedRun) -> JsonObject:
    """TRL's options of the run by name, without those of Tuneloop."""
    given = training.upstream_options(run.recipe, bf16=bool(run.result.bf16), use_cpu=False)
    return {name: value for name, value in given.items() if name not in HOUSE}


def steps_between_evals(run: ExportedRun) -> int:
    """After how many steps the held-out loss is measured."""
    every = run.recipe.trl.get("eval_steps")
    if isinstance(every, int):
        return every
    return training.steps_between_evals(run.recipe, max(1, run.result.rows))


def start_parts(run: ExportedRun) -> Iterator[Part]:
    """The adapter that the run went on from, in the folder start, with the base's name there."""
    if run.start:
        named = base(run)
        path = run.start / "adapter_config.json"
        settings: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        about = {"base_model_name_or_path": named.name, "revision": named.revision}
        yield "start/adapter_config.json", as_json(settings | about)
        yield f"start/{WEIGHTS}", pieces(run.start / WEIGHTS)


def renamed(
    values: Mapping[str, object], names: Mapping[str, str], where: str
) -> tuple[dict[str, object], list[str]]:
    """`values` under other names, and a sentence for each that has no name there."""
    found = {names[name]: value for name, value in values.items() if name in names}
    lost = [name for name in values if name not in names]
    return found, [f"{where} has no key for {name}: {values[name]}." for name in lost]


def common_notes(run: ExportedRun) -> list[str]:
    """What differs in every other program."""
    found = [
        "The order of rows and the cut between prompt and answer are those of the other program, "
        "so losses are close to the run's and not equal; `eject` gives the equal ones."
    ]
    rows = getattr(run.recipe, "replay_rows", 0)
    if rows:
        found.append(
            f"Each batch of the run also learned from {rows} examples (replay_rows). The other "
            "program has no equivalent: it trains on the pairs alone, and facts can fade."
        )
    if run.start:
        found.append(f"The run went on from the adapter {run.start_name}.")
    return found
