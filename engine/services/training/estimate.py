"""Before a training starts: its memory, time and money, what would fit; afterwards, how it was."""

import time
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection

from engine.advice import fit, memory
from engine.advice import machine as machines
from engine.advice import time as advice_time
from engine.advice.machine import Machine
from engine.advice.memory import TrainingPlan
from engine.advice.size import Size, of_folder, of_number
from engine.advice.time import Seconds, Speed, Work
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.job_context import ModelFiles
from engine.core.recipe import Recipe, ReplayRecipe, TrainRecipe
from engine.core.training_estimate import Preflight, Proposal, TimeRange, proposal_words
from engine.core.units import number_words
from engine.methods import option_names, weights
from engine.models.precision import NARROW
from engine.services import access
from engine.services.data import token_lengths
from engine.services.data.token_lengths import Lengths
from engine.services.jobs import lifecycle, replay_data
from engine.services.models import registry
from engine.services.training import history
from engine.store import estimates
from engine.store.connect import reading, writing
from engine.workspace import Workspace

PEFT_RANK = 8  # of PEFT, where a recipe takes `lora.r` away with null
SIDE = 512  # of the matrices that are multiplied to see how fast this machine is
GPU_OPERATIONS = 3e13  # a second; cards differ by more than ten times, hence the wide range


class _Inputs(NamedTuple):
    """Everything that an estimate is made of."""

    recipe: TrainRecipe
    size: Size
    plan: TrainingPlan
    lengths: Lengths
    rows: int
    held_out_rows: int
    machine: Machine
    replayed: float = 0.0  # mean tokens of the examples that each batch learns beside votes


def estimate(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    recipe: TrainRecipe,
    usd_per_hour: float = 0.0,
    machine: Machine | None = None,
) -> Preflight:
    """What `recipe` will take on this machine, or on `machine`; nothing is started or kept."""
    actor.require(Role.TRAINER)
    option_names.check_before_start(recipe)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        dataset = access.dataset(conn, actor, recipe.dataset, project_id)
        model = access.model(conn, actor, recipe.model, project_id)
        found = replay_data.resolved(conn, actor, project_id, recipe)
        replayed = _replayed(conn, actor, found)
        known = history.read(conn, recipe.KIND)
    files = registry.files(ws, model)
    asked = _inputs(ws, recipe, files, dataset, machine or machines.here(), replayed)
    base = known.bases.get(model.id, model.id)
    speed = history.speed(known, base, recipe, asked.lengths.mean) or _guess(asked)
    learned = advice_time.learned(known.runs, recipe.KIND, speed.source)
    return _preflight(asked, speed, learned, usd_per_hour, _refusal(recipe, files))


def what_if(
    actor: Actor,
    recipe: TrainRecipe,
    model: float | Size,
    rows: int = 1000,
    memory_bytes: float | None = None,
    usd_per_hour: float = 0.0,
    machine: Machine | None = None,
) -> Preflight:
    """The same for a model that is only a size, or a number of weights, and rows of `max_length`.

    The machine is `machine`, or one like this with `memory_bytes`, or this one.
    """
    actor.require(Role.TRAINER)
    option_names.check_before_start(recipe)
    machine = machine or (machines.of(memory_bytes) if memory_bytes else machines.here())
    size = model if isinstance(model, Size) else of_number(model)
    lengths = Lengths(
        mean=recipe.max_length * memory.ROWS_PER_ROW.get(recipe.KIND, 1),
        longest=recipe.max_length,
        whole=1.0,
        blocks=1.0,
    )
    plan = _plan(recipe, size, lengths, machine, from_adapter=False)
    asked = _Inputs(recipe, size, plan, lengths, rows, 0, machine)
    return _preflight(asked, _guess(asked), 1.0, usd_per_hour, None)


def submit(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    recipe: TrainRecipe,
    name: str = "",
    usd_per_hour: float = 0.0,
    anyway: bool = False,
) -> Job:
    """Queue `recipe` and keep its estimate; UserError, with numbers, where it can't fit.

    `anyway` starts it all the same, unless the training itself would refuse.
    """
    expected = estimate(ws, actor, project_id, recipe, usd_per_hour)
    if expected.refused or (expected.verdict == "impossible" and not anyway):
        raise UserError(" ".join(expected.reasons), _fix(expected))
    job = lifecycle.submit(ws, actor, project_id, recipe, name)
    with writing(ws.db) as conn:
        estimates.add(conn, job.id, time.time(), expected)
    return job


def _fix(found: Preflight) -> str:
    if found.refused:  # its own words say what to do
        return ""
    if not found.proposal:
        return "Choose a smaller model, or a machine with more memory."
    return f"This would fit: {proposal_words(found.proposal)}."


def _inputs(
    ws: Workspace,
    recipe: TrainRecipe,
    files: ModelFiles,
    dataset: Dataset,
    machine: Machine,
    replayed: Dataset | None = None,
) -> _Inputs:
    sample = token_lengths.measure(ws, dataset, files.base)
    answer = getattr(recipe, "max_completion_length", None)
    if answer:
        sample = token_lengths.written(sample, answer)
    lengths = token_lengths.cut(sample, recipe.max_length)
    size = of_folder(files.base)
    plan = _plan(recipe, size, lengths, machine, from_adapter=files.adapter is not None)
    mean = 0.0
    if replayed and isinstance(recipe, ReplayRecipe):
        other = token_lengths.cut(
            token_lengths.measure(ws, replayed, files.base), recipe.max_length
        )
        mean = recipe.replay_rows * other.mean
        plan = plan._replace(replayed=recipe.replay_rows * other.longest)
    return _Inputs(
        recipe, size, plan, lengths, dataset.train_rows, dataset.held_out_rows, machine, mean
    )


def _replayed(conn: Connection, actor: Actor, recipe: Recipe) -> Dataset | None:
    """The dataset that a resolved recipe replays."""
    if isinstance(recipe, ReplayRecipe) and recipe.replay_rows and recipe.replay_dataset:
        return access.dataset(conn, actor, recipe.replay_dataset)
    return None


def _plan(
    recipe: TrainRecipe, size: Size, lengths: Lengths, machine: Machine, from_adapter: bool
) -> TrainingPlan:
    trl = recipe.trl
    fast = bool(machine.gpu) or (machine.bits16 and size.width >= NARROW)
    return TrainingPlan(
        method=recipe.KIND,
        tuning=recipe.tuning,
        batch=recipe.per_device_train_batch_size,
        length=lengths.longest,
        rank=_positive(recipe.lora, "r", PEFT_RANK),
        bits16=bool(trl.get("bf16", fast)),
        checkpointing=bool(
            trl.get("activation_checkpointing") or trl.get("gradient_checkpointing")
        ),
        from_adapter=from_adapter,
        gpu=bool(machine.gpu),
        group=getattr(recipe, "num_generations", 1),
    )


def _positive(values: Mapping[str, Any], name: str, default: int) -> int:
    value = values.get(name, default)
    return value if isinstance(value, int) and value > 0 else default


def _work(asked: _Inputs) -> Work:
    recipe, per_row = asked.recipe, asked.lengths.mean
    at_once = recipe.per_device_train_batch_size * _positive(
        recipe.trl, "gradient_accumulation_steps", 1
    )
    answers = getattr(recipe, "num_generations", 1)  # to each prompt, and each is a row
    rows = ceil(asked.rows * asked.lengths.blocks * answers)
    steps = recipe.max_steps or ceil(recipe.num_train_epochs * ceil(rows / at_once))
    seen = min(steps * at_once, steps / ceil(rows / at_once) * rows)
    held_out = asked.held_out_rows * asked.lengths.blocks * per_row
    num_evals = steps // ceil(steps / recipe.num_evals) + 1  # one before the first step
    batches = steps * at_once / recipe.per_device_train_batch_size
    tokens = seen * per_row + batches * asked.replayed
    return Work(steps, tokens, held_out, num_evals if held_out else 0)


def _guess(asked: _Inputs) -> Speed:
    fast = GPU_OPERATIONS if asked.machine.gpu else _operations_per_s() * (1 + asked.plan.bits16)
    return advice_time.from_arithmetic(asked.size, asked.recipe.KIND, asked.plan.tuning, fast)


@cache
def _operations_per_s() -> float:
    """How fast this machine multiplies matrices in float32: the best of three, in milliseconds."""
    matrix = np.ones((SIDE, SIDE), dtype=np.float32)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        _ = matrix @ matrix
        taken.append(time.perf_counter() - start)
    return float(2 * SIDE**3 / min(taken))


def _refusal(recipe: TrainRecipe, files: ModelFiles) -> str | None:
    """Why the training itself would refuse this, in its own words."""
    try:
        weights.check(recipe, files, "SEQ_CLS" if recipe.KIND == "reward" else "CAUSAL_LM")
    except UserError as error:
        return str(error)
    return None


def _preflight(
    asked: _Inputs, speed: Speed, learned: float, usd_per_hour: float, refusal: str | None
) -> Preflight:
    work = _work(asked)
    raw = advice_time.seconds(work, speed, asked.recipe.KIND)
    seconds = Seconds(*(learned * each for each in raw))
    parts = memory.parts(asked.size, asked.plan)
    judged = fit.assess(sum(parts.values()), asked.machine)
    proposal, hint = _smaller(asked) if judged.verdict == "impossible" else (Proposal(), ())
    return Preflight(
        memory=parts,
        memory_needed=sum(parts.values()),
        memory_here=_here(asked.machine),
        seconds=_range(seconds, 1.0),
        basis=speed.basis,
        usd=_range(seconds, usd_per_hour / 3600),
        steps=work.steps,
        rows=asked.rows,
        verdict="impossible" if refusal else judged.verdict,
        reasons=((refusal,) if refusal else ()) + judged.reasons + hint,
        proposal=proposal,
        settings=fit.settings(asked.size, asked.plan, asked.lengths.whole, work.steps, asked.rows),
        source=speed.source,
        uncorrected_s=raw.likely,
        refused=refusal is not None,
    )


def _smaller(asked: _Inputs) -> tuple[Proposal, tuple[str, ...]]:
    """Changes that would fit, and where there are none, the model that would."""
    qlora = find_spec("bitsandbytes") is not None
    usable = asked.machine.usable
    for most in (int(fit.TIGHT * usable), usable):
        plan = fit.smaller(asked.size, asked.plan, most, qlora)
        if plan:
            kept = _positive(asked.recipe.trl, "gradient_accumulation_steps", 1)
            found = fit.changes(asked.plan, plan, kept)
            if "trl" in found:
                found["trl"] = {**asked.recipe.trl, **found["trl"]}
            return found, ()
    most_weights = number_words(fit.largest(asked.plan, usable, qlora))
    return Proposal(), (
        f"The largest model that can be trained here has about {most_weights} weights.",
    )


def _here(machine: Machine) -> dict[str, int]:
    found = {**machine._asdict(), "usable": machine.usable}
    return {name: int(value) for name, value in found.items() if value and name != "bits16"}


def _range(seconds: Seconds, factor: float) -> TimeRange:
    low, likely, high = (factor * each for each in seconds)
    return TimeRange(low=low, likely=likely, high=high)
