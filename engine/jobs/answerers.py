"""Models that answer for a job: loaded once, and asked only what no evaluation asked before."""

from collections.abc import Callable, Sequence
from math import ceil

from pydantic import BaseModel

from engine.core.evaluation import Output
from engine.core.examples import Message, Preference
from engine.core.job_context import Context, ModelFiles
from engine.jobs.answer_cache import AnswerCache, cache_key
from engine.models import folder
from engine.models.answer import Answerer, Reply
from engine.models.answer_states import State
from engine.models.chat_template import Template
from engine.models.template_render import TemplateRefused

SHORTEST, LONGEST, STEP = 96, 1024, 32  # tokens of an answer where nobody said how many
ROOM = 1.5  # times the longest reference: another way to say the same may need more
MOST_TOKENS = 10**9  # nothing is cut: what does not fit is left out


class Nats(BaseModel):
    nats: float


def load(ctx: Context, files: ModelFiles) -> Answerer:
    """The base of `files`, ready to answer: the one in memory where it serves, else loaded now.

    One base is in memory at a time, so keep no reference to an answerer while another is loaded.
    """

    def new() -> Answerer:
        ctx.emit("log", {"text": "The model is being loaded."})
        return Answerer(files.base)

    return ctx.model_cache.get(folder.identity(files.base), new, lambda known: known.takes(files))


def progress(ctx: Context, total: int, label: str, before: int = 0) -> Callable[[int], None]:
    """Emits how many of `total` are ready, `before` among them; raises where the job must stop."""

    def done(ready: int) -> None:
        ctx.check()
        ctx.emit("progress", {"done": before + ready, "total": total, "label": label})

    return done


def states(
    ctx: Context,
    files: ModelFiles,
    prompts: Sequence[Sequence[Message]],
    answers: Sequence[str],
    done: Callable[[int], None],
) -> list[State | None]:
    """The state of a model at the end of each answer, in order; None where it does not fit."""
    template = Template.load(files.base)
    rows = [_tokens(template, p, a) for p, a in zip(prompts, answers, strict=True)]
    model = load(ctx, files)
    fit = [n for n, each in enumerate(rows) if each[1] and sum(map(len, each)) <= model.room]
    found = dict(zip(fit, model.final_states(files, [rows[n] for n in fit], done), strict=True))
    return [found.get(n) for n in range(len(rows))]


class CachedAnswerer:
    """Models are loaded only for what no earlier evaluation has asked, one base at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._peak_mb = 0.0

    def longest(
        self, files: ModelFiles, prompts: Sequence[Sequence[Message]], references: Sequence[str]
    ) -> int:
        """Tokens for half as much again as the longest reference: 96 to 1024, a multiple of 32."""
        template = Template.load(files.base)
        both = zip(prompts, references, strict=True)
        tokens = max((len(_tokens(template, *one)[1]) for one in both), default=0)
        return min(LONGEST, max(SHORTEST, ceil(ROOM * tokens / STEP) * STEP))

    def answers(
        self,
        files: ModelFiles,
        prompts: Sequence[Sequence[Message]],
        max_new_tokens: int,
        done: Callable[[int], None],
    ) -> list[Output]:
        """The greedy answer to each prompt, in order; `done` hears how many are ready."""
        cache = self._cache(files, {"answer": "greedy", "max_new_tokens": max_new_tokens})
        template = Template.load(files.base)
        ids = [template.ids_or_refusal(prompt, files.model.reasons)[0] for prompt in prompts]
        found: dict[int, Output] = {}
        for place, one in enumerate(ids):
            kept = cache.get(one, Output)
            if kept is not None:
                found[place] = kept.model_copy(update={"cached": True})
        done(len(found))
        new = [place for place in range(len(ids)) if place not in found]
        if new:
            known = len(found)
            model = load(self._ctx, files)
            replies = model.answer(
                files,
                [prompts[place] for place in new],
                max_new_tokens=max_new_tokens,
                done=lambda ready: done(known + ready),
            )
            self._peak_mb = max(self._peak_mb, model.peak_mb())
            for place, reply in zip(new, replies, strict=True):
                found[place] = _output(reply)
                cache.put(ids[place], found[place])
            cache.save()
        return [found[place] for place in range(len(ids))]

    def likelihood(
        self, files: ModelFiles, prompts: Sequence[Sequence[Message]], answers: Sequence[str]
    ) -> list[tuple[float, int] | None]:
        """Nats and tokens of each answer, its end included; None where it does not fit."""
        cache = self._cache(files, {"answer": "likelihood"})
        template = Template.load(files.base)
        rows = [_tokens(template, p, a) for p, a in zip(prompts, answers, strict=True)]
        found: dict[int, float] = {}
        for place, (prompt, answer) in enumerate(rows):
            kept = cache.get([*prompt, -1, *answer], Nats)
            if kept is not None:
                found[place] = kept.nats
        new = [place for place in range(len(rows)) if place not in found]
        if new:
            model = load(self._ctx, files)
            new = [n for n in new if len(rows[n][1]) > 0 and sum(map(len, rows[n])) <= model.room]
            nats = model.likelihood(files, [rows[n] for n in new], lambda _: self._ctx.check())
            self._peak_mb = max(self._peak_mb, model.peak_mb())
            for place, value in zip(new, nats, strict=True):
                found[place] = value
                cache.put([*rows[place][0], -1, *rows[place][1]], Nats(nats=value))
            cache.save()
        return [
            (found[n], len(answer)) if n in found else None for n, (_, answer) in enumerate(rows)
        ]

    def peak_mb(self) -> float:
        """The most memory that answering took, in MB; 0 when every answer was known."""
        return self._peak_mb

    def _cache(self, files: ModelFiles, decoding: dict[str, float | int | str]) -> AnswerCache:
        return AnswerCache(self._ctx.cache, cache_key(self._ctx.cache, files, decoding))


def _tokens(
    template: Template, prompt: Sequence[Message], answer: str
) -> tuple[list[int], list[int]]:
    """Those of the prompt and of the answer; none where the template does not take them."""
    pair = Preference(prompt=tuple(prompt), chosen=answer, rejected="")
    try:
        encoded = template.encode_pair(pair, MOST_TOKENS)
    except TemplateRefused:
        return [], []
    return encoded.prompt_ids, encoded.chosen_ids


def _output(reply: Reply) -> Output:
    return Output(
        text=reply.text,
        failed=reply.failed,
        cut=not reply.finished and reply.failed is None,
        tokens=reply.tokens,
        seconds=reply.seconds,
        first_s=reply.first_s,
        last_s=reply.last_s,
    )
