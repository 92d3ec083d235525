"""What a running training says: metrics, progress, and the reasons to stop."""

import time
from collections.abc import Callable, Mapping
from math import isfinite
from statistics import fmean
from typing import Any, TypedDict

from engine.core.errors import UserError
from engine.core.job_context import Context
from engine.core.job_result import TrainingResult
from engine.methods.resources import ResourceMeter

LOSS = "eval_loss"
SAVE_EVERY_S = 600.0  # the most work that a crash may cost, however rarely a run is measured
WORSE = 1.03  # always the same rows are measured, so such a rise over the lowest is no accident
_LEFT_OUT = ("train_", "eval_runtime", "eval_samples_", "eval_steps_", "eval_num_tokens", "total_")


class WatchState(TypedDict):
    """What a later attempt goes on from; `said` are the metrics of each step in their order."""

    said: list[tuple[int, dict[str, float]]]
    steps: int
    tokens: float
    busy: float
    seconds: float


class Watch:
    """Turns the trainer's callbacks into events of the job; holds the numbers of its result.

    `best` is what decides which state is kept: the held-out loss, or a score that is better higher.
    """

    def __init__(
        self,
        ctx: Context,
        clock: Callable[[], float] = time.monotonic,
        *,
        best: str = LOSS,
        patience: int | None = None,
        keep_best: bool = True,
    ) -> None:
        self._ctx = ctx
        self._clock = clock
        self._best = best
        self._patience = patience
        self._keep_best = keep_best
        self._meter = ResourceMeter(clock)
        self._began = self._step_began = self._saved = clock()
        self._first_step = 0
        self._before = 0.0  # seconds of the attempts that this one goes on from
        self._busy = 0.0  # seconds in training steps since the last metric
        self._busy_total = 0.0
        self._tokens = 0.0
        self._reported: list[tuple[int, dict[str, float]]] = []
        self.steps = 0
        self.stopped_by: str | None = None

    def begin(self, step: int = 0) -> None:
        self._began = self._saved = self._clock()
        self._first_step = step

    def step_begins(self) -> None:
        self._step_began = self._clock()

    def step_ends(self, step: int, total: int) -> None:
        """Say how far it is."""
        now = self._clock()
        self._busy += now - self._step_began
        self.steps = step
        left = (now - self._began) / (step - self._first_step) * (total - step)
        label = f"Step {step} of {total}"
        self._ctx.emit(
            "progress",
            {"done": step, "total": total, "label": label, "eta_s": round(left, 1)},
            step,
        )

    def logs(self, step: int, logs: Mapping[str, Any], scaled: bool = False) -> None:
        """Say the trainer's numbers; raises UserError once the loss is no number any more.

        With `scaled` gradients (fp16) an infinite norm is a step that was skipped, and no fault.
        """
        self._refuse_nan(step, logs, ("loss", "eval_loss", *(() if scaled else ("grad_norm",))))
        metrics = {
            name: float(value)
            for name, value in logs.items()
            if not name.startswith(_LEFT_OUT) and isfinite(float(value))
        }
        if "loss" in logs:
            metrics |= self._speed(metrics.get("num_tokens", 0.0)) | self._meter.now()
        if metrics.keys() - {"epoch"}:
            self._say(step, metrics)

    def save_is_due(self) -> bool:
        """Whether the last saved state is so old that losing it would hurt."""
        return self._clock() - self._saved > SAVE_EVERY_S

    def saved(self) -> None:
        self._saved = self._clock()

    @property
    def best_step(self) -> int | None:
        """The step of the best measured state after the start; None where the last one counts."""
        trained = self._trained()
        return min(trained)[1] if trained and self._keep_best else None

    def patience_is_over(self) -> bool:
        """Whether as many measurements as allowed in a row were no better than the best."""
        trained = self._trained()
        if self._patience is None or not trained:
            return False
        return len(trained) - 1 - trained.index(min(trained)) >= self._patience

    def overfit(self) -> bool:
        """Whether the held-out loss rose clearly after its lowest while the training loss fell."""
        trained = self._trained(LOSS)
        if not trained or trained[-1][0] <= WORSE * min(trained)[0]:
            return False
        best = min(trained)[1]
        train = [(step, logs["loss"]) for step, logs in self._reported if "loss" in logs]
        until = [loss for step, loss in train if step <= best]
        after = [loss for step, loss in train if step > best]
        few = min(len(until), len(after), 5)  # one loss is of one batch, and says little
        return few > 0 and fmean(after[-few:]) < fmean(until[-few:])

    def got_worse(self) -> bool:
        """Whether the model to start from did better on the held-out rows than any trained one."""
        held_out = self._values(LOSS)
        return self._best == LOSS and len(held_out) > 1 and min(held_out[1:]) > held_out[0]

    def result(self) -> TrainingResult:
        """Losses, steps, tokens, seconds; held-out losses are None when nothing was held out."""
        train, held_out = self._values("loss"), self._values(LOSS)
        trained = [loss for loss, _ in self._trained(LOSS)]
        found = TrainingResult(
            first_train_loss=train[0],
            last_train_loss=train[-1],
            best_train_loss=min(train),
            first_held_out_loss=held_out[0] if held_out else None,
            last_held_out_loss=held_out[-1] if held_out else None,
            # of the trained states only: one of them is kept, however good the start was
            best_held_out_loss=min(trained, default=None),
            best_step=self.best_step,
            overfit=self.overfit(),
            steps=self.steps,
            tokens=int(self._tokens),
            seconds=round(self._seconds(), 2),
            tokens_per_s=round(self._tokens / max(self._busy_total, 1e-9), 1),
            **self._meter.peak(),
        )
        stopped = {"stopped_at": self.steps, "stopped_by": self.stopped_by}
        return found.model_copy(update=stopped) if self.stopped_by else found

    def state(self) -> WatchState:
        """What a later attempt needs to go on with these numbers, as JSON."""
        return {
            "said": self._reported,
            "steps": self.steps,
            "tokens": self._tokens,
            "busy": self._busy_total,
            "seconds": self._seconds(),
        }

    def restore(self, state: WatchState) -> None:
        """Go on with the numbers of an earlier attempt, and say them again.

        Whoever follows a run begins its curves anew with each attempt, so no step shows twice.
        """
        self.steps = state["steps"]
        self._tokens, self._busy_total = state["tokens"], state["busy"]
        self._before = state["seconds"]
        for step, metrics in state["said"]:
            self._say(step, metrics)

    def _say(self, step: int, metrics: dict[str, float]) -> None:
        self._reported.append((step, metrics))
        self._ctx.emit("metric", metrics, step)

    def _values(self, name: str) -> list[float]:
        return [metrics[name] for _, metrics in self._reported if name in metrics]

    def _trained(self, name: str | None = None) -> list[tuple[float, int]]:
        """A score, lower is better, and the step of each trained state that was measured."""
        name = name or self._best
        sign = 1 if name == LOSS else -1
        return [
            (sign * metrics[name], step)
            for step, metrics in self._reported
            if step and name in metrics
        ]

    def _seconds(self) -> float:
        return self._before + self._clock() - self._began

    def _speed(self, tokens: float) -> dict[str, float]:
        """Tokens a second since the last metric, the time for evaluations left out."""
        done, busy = tokens - self._tokens, self._busy
        self._tokens, self._busy = tokens, 0.0
        self._busy_total += busy
        return {"tokens_per_s": round(done / busy, 1)} if busy > 0 else {}

    def _refuse_nan(self, step: int, logs: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in names:
            if name in logs and not isfinite(float(logs[name])):
                raise UserError(
                    f"The training failed at step {step}: its {name} is {float(logs[name])}.",
                    "Start again with a tenth of the learning_rate; if that breaks too, look for "
                    "broken rows in the data.",
                )
