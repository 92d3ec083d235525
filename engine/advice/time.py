"""How long a training takes: what must be done, how fast that goes here, and how sure that is."""

from statistics import median
from typing import Literal, NamedTuple

from engine.advice.size import Size

Source = Literal["runs", "warmup", "arithmetic"]
START_S = 15.0  # libraries and model, before the first step
MOST_RUNS = 20  # the newest similar ones; older machines and versions fade
EVALUATION = {"dpo": 0.6, "kto": 0.6, "tpo": 0.4}  # cost of a held-out token, in trained tokens
WIDE = 4.0  # a guess from arithmetic is off by up to so many times
NARROW = 1.15  # what a measurement of the same thing is off by anyway
ALONE = 1.5  # a single measurement
WORK = {"dpo": 6, "kto": 6, "grpo": 8, "rloo": 8}  # operations a weight and trained token


class Work(NamedTuple):
    """Tokens that a training learns from, and those of one of its held-out `measurements`."""

    steps: int
    tokens: float
    held_out_tokens: float
    measurements: int


class FinishedRun(NamedTuple):
    """A finished run: how fast it was, and what had been said of it."""

    model_id: str
    method: str
    tuning: str
    length: float  # mean tokens of a row
    tokens_per_s: float
    start_s: float  # before and after the training itself
    seconds: float
    source: str = ""  # what the estimate of it rested on
    estimated_s: float | None = None  # before any correction


class Speed(NamedTuple):
    """Tokens a second, low and high around the likely one; `basis` says where they come from."""

    low: float
    likely: float
    high: float
    basis: str
    source: Source
    start_s: float = START_S
    measurement_s: float | None = None  # of one held-out measurement, where it was timed


class Seconds(NamedTuple):
    low: float
    likely: float
    high: float


def from_runs(
    runs: list[FinishedRun], model_id: str, method: str, tuning: str, length: float
) -> Speed | None:
    """The speed of the most similar runs, newest first in `runs`; None where none is similar.

    Runs of the same model, method and tuning count; where at least three have rows of half to
    twice the length, only they do.
    """
    same = [
        run
        for run in runs
        if (run.model_id, run.method, run.tuning) == (model_id, method, tuning)
        and run.tokens_per_s > 0
    ]
    close = [run for run in same if length / 2 <= run.length <= length * 2]
    used = (close if len(close) >= 3 or len(close) == len(same) else same)[:MOST_RUNS]
    if not used:
        return None
    speeds = sorted(run.tokens_per_s for run in used)
    middle, margin = median(speeds), NARROW if len(speeds) > 2 else ALONE
    many = f"{len(used)} earlier run{'s' if len(used) > 1 else ''}"
    return Speed(
        min(speeds[0], middle / margin),
        middle,
        max(speeds[-1], middle * margin),
        f"from {many} of this model and method here: {middle:,.0f} tokens a second",
        "runs",
        median(run.start_s for run in used),
    )


def from_warmup(tokens_per_s: float, start_s: float, measurement_s: float) -> Speed:
    """The speed that a warm-up measured, and how long all held-out rows took once."""
    return Speed(
        tokens_per_s / ALONE,
        tokens_per_s,
        tokens_per_s * ALONE,
        f"from a short warm-up on these rows: {tokens_per_s:,.0f} tokens a second",
        "warmup",
        start_s,
        measurement_s,
    )


def from_arithmetic(size: Size, method: str, tuning: str, operations_per_s: float) -> Speed:
    """A guess from the number of weights and how fast this machine multiplies matrices."""
    each = WORK.get(method, 4) + (2 if tuning == "full" else 0)
    likely = operations_per_s / 2 / (each * size.parameters)
    return Speed(
        likely / WIDE,
        likely,
        likely * WIDE,
        "a rough guess from the size of the model and the speed of this machine; "
        "a warm-up makes it better",
        "arithmetic",
    )


def seconds(work: Work, speed: Speed, method: str) -> Seconds:
    """How long it takes with the start and the held-out measurements."""
    rates = (speed.high, speed.likely, speed.low)
    return Seconds(*(_seconds(work, speed, method, max(rate, 1e-9)) for rate in rates))


def _seconds(work: Work, speed: Speed, method: str, rate: float) -> float:
    if speed.measurement_s is None:
        once = EVALUATION.get(method, 0.5) * work.held_out_tokens / rate
    else:
        once = speed.measurement_s * speed.likely / rate
    return speed.start_s + work.tokens / rate + once * work.measurements


def learned(runs: list[FinishedRun], method: str, source: Source) -> float:
    """How much longer runs of this method took than was said: a median; 1.0 with none to tell.

    Only estimates that rested on the same `source` tell anything about the next one.
    """
    ratios = [
        run.seconds / run.estimated_s
        for run in runs
        if (run.method, run.source) == (method, source) and run.estimated_s
    ]
    return min(5.0, max(0.2, median(ratios[:MOST_RUNS]))) if ratios else 1.0
