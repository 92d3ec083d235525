"""What earlier trainings tell about the speed of the next one."""

from typing import NamedTuple

from sqlalchemy import Connection

from engine.advice import time as advice_time
from engine.advice.time import FinishedRun, Speed
from engine.core.job import Job
from engine.core.job_result import TrainingResult, WarmupResult
from engine.core.recipe import TrainRecipe
from engine.store import estimates
from engine.store.estimates import Finished

WARMUP = "warmup"
MOST = 100  # jobs looked at


class TrainingHistory(NamedTuple):
    """Finished runs of one method, newest first; warm-ups; and of every model its base."""

    runs: list[FinishedRun]
    warmups: list[Job]
    bases: dict[str, str]


def read(conn: Connection, method: str) -> TrainingHistory:
    """What the whole workspace knows about `method`."""
    bases = estimates.bases(conn)
    done = estimates.finished(conn, (method,), MOST)
    warmups = [one.job for one in estimates.finished(conn, (WARMUP,), MOST)]
    runs = [run for one in done if (run := _run(one, bases))]
    return TrainingHistory(
        runs, [job for job in warmups if job.recipe.get("method") == method], bases
    )


def speed(earlier: TrainingHistory, base: str, recipe: TrainRecipe, length: float) -> Speed | None:
    """How fast it will go, from similar runs, else from a warm-up; None where there is neither."""
    found = advice_time.from_runs(earlier.runs, base, recipe.KIND, recipe.tuning, length)
    if found:
        return found
    for job in earlier.warmups:
        warmed = job.recipe["recipe"]
        same = earlier.bases.get(warmed.get("model")) == base
        if same and warmed.get("tuning", "lora") == recipe.tuning:
            return _warmed(job)
    return None


def _run(one: Finished, bases: dict[str, str]) -> FinishedRun | None:
    job, result = one.job, one.job.result_as(TrainingResult)
    if not result.tokens_per_s or not result.steps:
        return None
    recipe = job.recipe
    rows = recipe["per_device_train_batch_size"]
    rows *= (recipe.get("trl") or {}).get("gradient_accumulation_steps") or 1
    seconds = _seconds(job)
    estimated = one.estimate
    # a run that stopped early was not misjudged
    share = result.steps / estimated.steps if estimated and estimated.steps else 1.0
    return FinishedRun(
        model_id=bases.get(recipe["model"], recipe["model"]),
        method=job.kind,
        tuning=recipe.get("tuning", "lora"),
        length=result.tokens / result.steps / rows,
        tokens_per_s=result.tokens_per_s,
        start_s=max(0.0, seconds - result.seconds),
        seconds=seconds,
        source=estimated.source if estimated else "",
        estimated_s=estimated.uncorrected_s * min(1.0, share) if estimated else None,
    )


def _warmed(job: Job) -> Speed:
    measured = job.result_as(WarmupResult)
    start_s = max(0.0, _seconds(job) - measured.seconds)
    return advice_time.from_warmup(measured.tokens_per_s, start_s, measured.held_out_seconds)


def _seconds(job: Job) -> float:
    return max(0.0, (job.finished_at or 0.0) - (job.started_at or 0.0))
