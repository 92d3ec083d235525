"""A model of the project as lm-evaluation-harness wants it, counted at every batch and token."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

from engine.jobs.nested_training import StudyProgress


class QuestionMeter:
    """How far one model is, in questions: its rows of a batch stand for a share of them."""

    def __init__(self, progress: StudyProgress, questions: int, label: str) -> None:
        self._whole, self._label = progress, label
        self._left, self._share = questions, 0
        self._seen = self._rows = 0

    def check(self) -> None:
        """Raise Cancelled when asked to stop."""
        self._whole.ctx.check()

    def begin(self, questions: int) -> None:
        """A kind of request that answers so many questions begins."""
        self._share, self._seen, self._rows = min(self._left, questions), 0, 0

    def expect(self, rows: int) -> None:
        """So many rows will go through the model, where that was not said before."""
        self._rows = self._rows or rows

    def count(self, rows: int) -> None:
        """So many rows went through the model."""
        self._seen = min(self._rows, self._seen + rows)
        self._whole.report(self._label, self._share * self._seen / max(1, self._rows))

    def end(self) -> None:
        """All requests of the kind are answered."""
        self._left -= self._share
        self._whole.done += self._share
        self._share = 0


class Each:
    """Called at each new token; changes nothing."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002  (transformers' names)
        """The scores as they are."""
        self._check()
        return scores


class MeteredModel:
    """The part of the harness's model that is ours; what answers is upstream's HFLM."""

    meter: QuestionMeter

    @contextmanager
    def _part(self, requests: Sequence[Any]) -> Any:
        self.meter.check()
        self.meter.begin(len({(one.task_name, one.doc_id) for one in requests}))
        yield
        self.meter.end()

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """Log-likelihood of each continuation, and whether it is the greedy one."""
        with self._part(requests):
            return super().loglikelihood(requests, disable_tqdm)  # type: ignore[misc]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """Log-likelihood of whole texts, window by window."""
        with self._part(requests):
            most = self.max_length  # type: ignore[attr-defined]
            lengths = [len(self.tok_encode(one.args[0])) for one in requests]  # type: ignore[attr-defined]
            self.meter.expect(sum(max(1, -(-length // most)) for length in lengths))
            return super().loglikelihood_rolling(requests, disable_tqdm)  # type: ignore[misc]

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """The text that follows each prompt, up to what ends it."""
        with self._part(requests):
            self.meter.expect(len(requests))
            return super().generate_until(requests, disable_tqdm)  # type: ignore[misc]

    def _loglikelihood_tokens(self, requests: Any, **more: Any) -> Any:
        # continuations of one token after the same context share a row
        self.meter.expect(len({(*one[-2], *one[-1][:-1]) for one in requests}))
        more["disable_tqdm"] = True
        return super()._loglikelihood_tokens(requests, **more)  # type: ignore[misc]

    def _model_call(self, inps: Any, *args: Any, **more: Any) -> Any:
        self.meter.check()
        found = super()._model_call(inps, *args, **more)  # type: ignore[misc]
        self.meter.count(len(inps))
        return found

    def _model_generate(self, context: Any, *args: Any, **more: Any) -> Any:
        more["logits_processor"] = [Each(self.meter.check)]
        found = super()._model_generate(context, *args, **more)  # type: ignore[misc]
        self.meter.count(len(context))
        return found


def wrapped(model: Any, tokenizer: Any, batch_size: int, meter: QuestionMeter) -> Any:
    """The harness's model around one that is loaded, with its adapter switched on."""
    from lm_eval.models.huggingface import HFLM

    class Model(MeteredModel, HFLM):
        """Ours, then upstream's."""

    made = Model(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
    made.meter = meter
    return made
