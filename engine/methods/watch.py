"""What a running training says: metrics, progress, and the reasons to stop."""

import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from engine.core.context import Context
from engine.core.errors import UserError

_LEFT_OUT = ("train_", "eval_runtime", "eval_samples_", "eval_steps_", "eval_num_tokens", "total_")


class Watch:
    """Turns the trainer's callbacks into events of the job; holds the numbers of its result."""

    def __init__(self, ctx: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._ctx = ctx
        self._clock = clock
        self._began = self._step_began = clock()
        self._busy = 0.0  # seconds in training steps since the last metric
        self._busy_total = 0.0
        self._tokens = 0.0
        self._train: list[float] = []
        self._held_out: list[float] = []
        self.steps = 0

    def begin(self) -> None:
        self._began = self._clock()

    def step_begins(self) -> None:
        self._step_began = self._clock()

    def step_ends(self, step: int, total: int) -> None:
        """Say how far it is; raises Cancelled when the person asked to stop."""
        now = self._clock()
        self._busy += now - self._step_began
        self.steps = step
        left = (now - self._began) / step * (total - step)
        label = f"Step {step} of {total}"
        self._ctx.emit(
            "progress",
            {"done": step, "total": total, "label": label, "eta_s": round(left, 1)},
            step,
        )
        self._ctx.check()

    def logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Say the trainer's numbers; raises UserError once the loss is no number any more."""
        self._refuse_nan(step, logs)
        metrics = {
            name: float(value)
            for name, value in logs.items()
            if not name.startswith(_LEFT_OUT) and isfinite(float(value))
        }
        if "loss" in logs:
            self._train.append(metrics["loss"])
            metrics |= self._speed(metrics.get("num_tokens", 0.0))
        if "eval_loss" in logs:
            self._held_out.append(metrics["eval_loss"])
        if metrics.keys() - {"epoch"}:
            self._ctx.emit("metric", metrics, step)

    def result(self) -> dict[str, Any]:
        """Losses, steps, tokens, seconds; held-out losses are None when nothing was held out."""
        held_out: Sequence[float | None] = self._held_out or [None]
        return {
            "first_train_loss": self._train[0],
            "last_train_loss": self._train[-1],
            "best_train_loss": min(self._train),
            "first_held_out_loss": held_out[0],
            "last_held_out_loss": held_out[-1],
            # of the trained states only: one of them is kept, however good the start was
            "best_held_out_loss": min(self._held_out[1:], default=None),
            "steps": self.steps,
            "tokens": int(self._tokens),
            "seconds": round(self._clock() - self._began, 2),
            "tokens_per_s": round(self._tokens / max(self._busy_total, 1e-9), 1),
        }

    def got_worse(self) -> bool:
        """Whether the model to start from did better on the held-out rows than any trained one."""
        return len(self._held_out) > 1 and min(self._held_out[1:]) > self._held_out[0]

    def _speed(self, tokens: float) -> dict[str, float]:
        """Tokens a second since the last metric, the time for evaluations left out."""
        done, busy = tokens - self._tokens, self._busy
        self._tokens, self._busy = tokens, 0.0
        self._busy_total += busy
        return {"tokens_per_s": round(done / busy, 1)} if busy > 0 else {}

    def _refuse_nan(self, step: int, logs: Mapping[str, Any]) -> None:
        for name in ("loss", "eval_loss"):
            if name in logs and not isfinite(float(logs[name])):
                raise UserError(
                    f"The training broke at step {step}: its {name} is {float(logs[name])}.",
                    "Start again with a tenth of the learning_rate; if that breaks too, look for "
                    "broken rows in the data.",
                )


def callback(watch: Watch) -> Any:
    """`watch` as a TrainerCallback."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            watch.begin()

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            watch.step_begins()

        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            watch.step_ends(state.global_step, state.max_steps)

        def on_log(self, _args: Any, state: Any, _control: Any, **more: Any) -> None:
            watch.logs(state.global_step, more["logs"])

    return Callback()
