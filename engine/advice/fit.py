"""Whether a training fits, a smaller one that would, and why the settings are as they are."""

from collections.abc import Iterator
from typing import NamedTuple

from engine.advice import memory
from engine.advice.machine import Machine
from engine.advice.memory import TrainingPlan
from engine.advice.size import Size, lora_weights, of_number
from engine.core.json_object import JsonObject
from engine.core.recipe import Tuning
from engine.core.training_estimate import Fit, Proposal
from engine.core.units import memory_words, number_words

TIGHT = 0.8  # of what may be taken: the estimate itself is off by up to a third
SHORTEST = 128  # tokens; shorter rows teach little
SMALLER: dict[Tuning, tuple[Tuning, ...]] = {
    "full": ("full", "lora", "qlora"),
    "lora": ("lora", "qlora"),
    "qlora": ("qlora",),
}


class Judged(NamedTuple):
    verdict: Fit
    reasons: tuple[str, ...]


def assess(needed: int, machine: Machine) -> Judged:
    """The verdict, and in numbers why; it fits without a remark when there is no reason."""
    where = machine.where
    much, have, free = map(memory_words, (needed, machine.usable, machine.free))
    if needed > machine.usable:
        reason = f"It needs about {much} of memory; {where} has {have} to give."
        return Judged("impossible", (reason,))
    reasons = []
    if needed > TIGHT * machine.usable:
        reasons.append(f"It needs about {much} of the {have} that {where} can give.")
    if not machine.gpu and needed > machine.free:
        reasons.append(
            f"It needs about {much}, but only {free} are free right now: "
            "close something else first."
        )
    return Judged("tight" if reasons else "ok", tuple(reasons))


def smaller(size: Size, plan: TrainingPlan, most: int, qlora: bool) -> TrainingPlan | None:
    """The mildest change of `plan` that takes at most `most` bytes; None when none does.

    First fewer rows at once, then recomputing, then shorter rows, then training less of the model;
    4 bits only where `qlora` says that they can be had.
    """
    fitting = (
        one
        for one in _changes(plan)
        if (qlora or one.tuning != "qlora" or plan.tuning == "qlora")
        and sum(memory.parts(size, one).values()) <= most
    )
    return next(fitting, None)


def changes(old: TrainingPlan, new: TrainingPlan, accumulation: int = 1) -> Proposal:
    """What to change in the recipe; the rows that one update learns from stay as many."""
    found = Proposal()
    trl: JsonObject = {}
    if new.tuning != old.tuning:
        found["tuning"] = new.tuning
    if new.batch != old.batch:
        found["per_device_train_batch_size"] = new.batch
        trl["gradient_accumulation_steps"] = max(1, accumulation * old.batch // new.batch)
    if new.checkpointing != old.checkpointing:
        trl["activation_checkpointing"] = True
    if new.length != old.length:
        found["max_length"] = new.length
    if trl:
        found["trl"] = trl
    return found


def largest(plan: TrainingPlan, most: int, qlora: bool) -> float:
    """Weights of the largest model for which some smaller plan takes at most `most` bytes."""
    low, high = 1e6, 1e13
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        fits = smaller(of_number(middle), plan, most, qlora) is not None
        low, high = (middle, high) if fits else (low, middle)
    return low


def settings(size: Size, plan: TrainingPlan, whole: float, steps: int, rows: int) -> dict[str, str]:
    """Why a setting matters here, by its name; `whole` is the share of rows that stay uncut."""
    taken = sum(memory.parts(size, plan).values())
    double = sum(memory.parts(size, plan._replace(batch=2 * plan.batch)).values())
    found = {
        "per_device_train_batch_size": (
            f"Batch {plan.batch}, because up to {plan.tokens:,} tokens at once take "
            f"{memory_words(taken)} in all; batch {2 * plan.batch} would take "
            f"{memory_words(double)}."
        ),
        "max_length": (
            f"Of the rows {whole:.0%} fit whole; "
            + ("none loses its end." if whole == 1 else "the others are cut off.")
        ),
        "num_train_epochs": f"{steps:,} steps over {rows:,} rows.",
    }
    full = sum(memory.parts(size, plan._replace(tuning="full")).values())
    if plan.tuning != "full":
        part = number_words(lora_weights(size, plan.rank))
        whole_model = number_words(size.parameters)
        found["tuning"] = (
            f"{plan.tuning}, because it trains {part} weights of {whole_model} in "
            f"{memory_words(taken)}; full would need {memory_words(full)}."
        )
    return found


def _changes(plan: TrainingPlan) -> Iterator[TrainingPlan]:
    """Plans from the mildest change to the hardest."""
    for tuning in SMALLER[plan.tuning]:
        first = plan._replace(tuning=tuning)
        yield from _fewer(first)
        yield from _fewer(first._replace(checkpointing=True))
        length = plan.length // 2
        while length >= SHORTEST:
            yield first._replace(checkpointing=True, batch=plan.group, length=length)
            length //= 2


def _fewer(plan: TrainingPlan) -> Iterator[TrainingPlan]:
    groups = plan.batch // plan.group
    while groups >= 1:
        yield plan._replace(batch=groups * plan.group)
        groups //= 2
