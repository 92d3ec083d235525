"""The trainer's callback: logs are reported, a checkpoint is written, cancelling stops it."""

from typing import Any

from engine.core.job_context import Cancelled, Context
from engine.methods.progress import Watch
from engine.methods.samples import SampleWriter


class _Calls:
    """The calls of a TrainerCallback that Tuneloop answers."""

    def __init__(self, watch: Watch, ctx: Context, sampler: SampleWriter) -> None:
        self._watch = watch
        self._ctx = ctx
        self._sampler = sampler

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._watch.begin(state.global_step)

    def on_epoch_begin(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The order of rows depends on the epoch alone, so that a run can go on in its middle."""
        from transformers import set_seed

        set_seed(args.seed + int(state.epoch or 0))

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._watch.step_begins()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._watch.step_ends(state.global_step, state.max_steps)
        control.should_save = control.should_save or self._watch.save_is_due()
        if self._ctx.cancelled():
            control.should_training_stop = control.should_save = True
            # the state of now can only be the best where something is held out to measure it
            control.should_evaluate = self._ctx.keeping() and args.eval_strategy != "no"
            self._watch.stopped_by = "you"

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        if self._ctx.cancelled() and not self._ctx.keeping():
            raise Cancelled

    def on_log(self, args: Any, state: Any, _control: Any, **more: Any) -> None:
        self._watch.logs(state.global_step, more["logs"], scaled=bool(args.fp16))

    def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._sampler.ask(more["model"], state.global_step, args)
        if state.global_step and self._watch.patience_is_over():
            control.should_training_stop = control.should_save = True
            self._watch.stopped_by = self._watch.stopped_by or "early stopping"

    def on_save(self, *_: Any, **__: Any) -> None:
        self._watch.saved()


def callback(watch: Watch, ctx: Context, sampler: SampleWriter) -> Any:
    """A TrainerCallback that lets `watch` and `sampler` speak, and stops when asked to."""
    from transformers import TrainerCallback

    class Callback(_Calls, TrainerCallback):
        """Our answers go before upstream's, which do nothing."""

    return Callback(watch, ctx, sampler)
