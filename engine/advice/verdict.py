"""Whether a training fits, a smaller one that would, and why the settings are as they are."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from engine.advice import memory
from engine.advice.machine import Machine
from engine.advice.memory import TrainingPlan
from engine.advice.size import Size, in_words, lora_weights, of_number

Verdict = Literal["ok", "tight", "impossible"]
GB = 10**9
TIGHT = 0.8  # of what may be taken: the estimate itself is off by up to a third
SHORTEST = 128  # tokens; shorter rows teach little
SMALLER = {"full": ("full", "lora", "qlora"), "lora": ("lora", "qlora"), "qlora": ("qlora",)}


class Judged(NamedTuple):
    verdict: Verdict
    reasons: tuple[str, ...]


def judge(needed: int, machine: Machine) -> Judged:
    """The verdict, and in numbers why; it fits without a remark when there is no reason."""
    have, where = machine.usable, machine.where
    if needed > have:
        return Judged(
            "impossible",
            (f"It needs about {gb(needed)} of memory; {where} has {gb(have)} to give.",),
        )
    reasons = []
    if needed > TIGHT * have:
        reasons.append(f"It needs about {gb(needed)} of the {gb(have)} that {where} can give.")
    if not machine.gpu and needed > machine.free:
        reasons.append(
            f"It needs about {gb(needed)}, but only {gb(machine.free)} are free right now: "
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


def changes(old: TrainingPlan, new: TrainingPlan, accumulation: int = 1) -> dict[str, Any]:
    """What to change in the recipe; the rows that one update learns from stay as many."""
    found: dict[str, Any] = {}
    trl: dict[str, Any] = {}
    if new.tuning != old.tuning:
        found["tuning"] = new.tuning
    if new.batch != old.batch:
        found["per_device_train_batch_size"] = new.batch
        trl["gradient_accumulation_steps"] = max(1, accumulation * old.batch // new.batch)
    if new.checkpointing != old.checkpointing:
        trl["activation_checkpointing"] = True
    if new.length != old.length:
        found["max_length"] = new.length
    return {**found, "trl": trl} if trl else found


def largest(plan: TrainingPlan, most: int, qlora: bool) -> float:
    """Weights of the largest model for which some smaller plan takes at most `most` bytes."""
    low, high = 1e6, 1e13
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        fits = smaller(of_number(middle), plan, most, qlora) is not None
        low, high = (middle, high) if fits else (low, middle)
    return low


def in_sentence(proposal: dict[str, Any]) -> str:
    """A proposal as a person would say it."""
    trl = proposal.get("trl", {})
    said = [f"{name} {value}" for name, value in proposal.items() if name != "trl"]
    return ", ".join([*said, *(f"{name} {value}" for name, value in trl.items())])


def settings(size: Size, plan: TrainingPlan, whole: float, steps: int, rows: int) -> dict[str, str]:
    """Why a setting matters here, by its name; `whole` is the share of rows that stay uncut."""
    taken = sum(memory.parts(size, plan).values())
    double = sum(memory.parts(size, plan._replace(batch=2 * plan.batch)).values())
    found = {
        "per_device_train_batch_size": (
            f"Batch {plan.batch}, because up to {plan.tokens:,} tokens at once take {gb(taken)} "
            f"in all; batch {2 * plan.batch} would take {gb(double)}."
        ),
        "max_length": (
            f"Of the rows {whole:.0%} fit whole; "
            + ("none loses its end." if whole == 1 else "the others lose their end.")
        ),
        "num_train_epochs": f"{steps:,} steps over {rows:,} rows.",
    }
    full = sum(memory.parts(size, plan._replace(tuning="full")).values())
    if plan.tuning != "full":
        part = in_words(lora_weights(size, plan.rank))
        found["tuning"] = (
            f"{plan.tuning}, because it trains {part} weights of {in_words(size.parameters)} in "
            f"{gb(taken)}; full would need {gb(full)}."
        )
    return found


def gb(taken: float) -> str:
    """Bytes in words: "1.4 GB", "120 GB", "80 MB"."""
    if taken < GB:
        return f"{taken / 1e6:.0f} MB"
    return f"{taken / GB:.1f} GB" if taken < 10 * GB else f"{taken / GB:,.0f} GB"


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
