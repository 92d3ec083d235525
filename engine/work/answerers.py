"""The models of an evaluation: each answers, and says how likely it finds the references."""

from collections.abc import Callable, Sequence
from math import ceil

from pydantic import BaseModel

from engine.core.context import Context, ModelFiles
from engine.core.evaluation import Output
from engine.core.examples import Message, Preference
from engine.models.answer import Answerer, Reply
from engine.models.chat import Template
from engine.work.answer_cache import Memory, key_of

SHORTEST, LONGEST, STEP = 96, 1024, 32  # tokens of an answer where nobody said how many
ROOM = 1.5  # times the longest reference: another way to say the same may need more
MOST_TOKENS = 10**9  # nothing is cut: what does not fit is left out


class Nats(BaseModel):
    nats: float


class Panel:
    """Models are loaded only for what no earlier evaluation has asked, one base at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._loaded: Answerer | None = None

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
        memory = self._memory(files, {"answer": "greedy", "max_new_tokens": max_new_tokens})
        template = Template.load(files.base)
        ids = [template.prompt_ids(prompt) for prompt in prompts]
        found: dict[int, Output] = {}
        for place, one in enumerate(ids):
            kept = memory.get(one, Output)
            if kept is not None:
                found[place] = kept.model_copy(update={"remembered": True})
        done(len(found))
        new = [place for place in range(len(ids)) if place not in found]
        if new:
            known = len(found)
            replies = self._model(files).answer(
                files,
                [prompts[place] for place in new],
                max_new_tokens=max_new_tokens,
                done=lambda ready: done(known + ready),
            )
            for place, reply in zip(new, replies, strict=True):
                found[place] = _output(reply)
                memory.put(ids[place], found[place])
            memory.save()
        return [found[place] for place in range(len(ids))]

    def likelihood(
        self, files: ModelFiles, prompts: Sequence[Sequence[Message]], answers: Sequence[str]
    ) -> list[tuple[float, int] | None]:
        """Nats and tokens of each answer, its end included; None where it does not fit."""
        memory = self._memory(files, {"answer": "likelihood"})
        template = Template.load(files.base)
        rows = [_tokens(template, p, a) for p, a in zip(prompts, answers, strict=True)]
        found: dict[int, float] = {}
        for place, (prompt, answer) in enumerate(rows):
            kept = memory.get([*prompt, -1, *answer], Nats)
            if kept is not None:
                found[place] = kept.nats
        new = [place for place in range(len(rows)) if place not in found]
        if new:
            model = self._model(files)
            new = [n for n in new if len(rows[n][1]) > 0 and sum(map(len, rows[n])) <= model.room]
            nats = model.likelihood(files, [rows[n] for n in new], lambda _: self._ctx.check())
            for place, value in zip(new, nats, strict=True):
                found[place] = value
                memory.put([*rows[place][0], -1, *rows[place][1]], Nats(nats=value))
            memory.save()
        return [
            (found[n], len(answer)) if n in found else None for n, (_, answer) in enumerate(rows)
        ]

    def peak_mb(self) -> float:
        """The most memory that answering took, in MB; 0 when every answer was known."""
        return self._loaded.peak_mb() if self._loaded else 0.0

    def _memory(self, files: ModelFiles, decoding: dict[str, float | int | str]) -> Memory:
        return Memory(self._ctx.cache, key_of(self._ctx.cache, files, decoding))

    def _model(self, files: ModelFiles) -> Answerer:
        if self._loaded is None or self._loaded.base != files.base:
            self._loaded = None  # before the next one takes its place in memory
            self._loaded = Answerer(files.base)
        return self._loaded


def _tokens(
    template: Template, prompt: Sequence[Message], answer: str
) -> tuple[list[int], list[int]]:
    pair = Preference(prompt=tuple(prompt), chosen=answer, rejected="")
    encoded = template.encode_pair(pair, MOST_TOKENS)
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
