"""Answers for many who ask at once: one thread for all models, and a running batch for each.

A base and its adapters share memory; each of them has a batch of its own, which prompts join and
leave. The batches take turns, a few tokens each, so that nobody waits for somebody else's answer.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.job_context import ModelFiles
from engine.models import batched_decoding, folder
from engine.models.answer import MOST_ROWS, Answerer
from engine.models.chat_template import Template
from engine.models.continuous_batching import NewToken, RunningBatch
from engine.models.growing_text import UNFINISHED, GrowingText
from engine.models.sampling import Sampling

MOST_BASES = 2  # in memory at once; the one unused for longest leaves
MOST_WAITING = 512  # questions; more are refused
TURN = 16  # tokens of each row before another model has its turn
USUAL_TOKENS = 1024  # of an answer where nobody says how many

log = logging.getLogger("tuneloop.api")

Finish = Literal["", "stop", "length"]


class AnswerPart(NamedTuple):
    """A part of an answer; the last one has `finish`, or the `problem` that ended it."""

    text: str = ""
    finish: Finish = ""
    tokens: int = 0  # of the answer so far, the end token included
    problem: UserError | None = None


Hear = Callable[[AnswerPart], None]


class TooLong(UserError):
    """The prompt and its answer do not fit into the model."""


class Busy(UserError):
    """Too many questions wait."""

    status = 503


@dataclass
class AnswerRequest:
    """A prompt, who answers, how, and who hears the answer: `hear` is called on the thread."""

    files: ModelFiles
    prompt: Sequence[Message]
    prompt_ids: list[int]
    ways: Sampling
    stops: tuple[str, ...]
    hear: Hear
    number: int
    base: str  # which files of a base: `folder.identity`, read while somebody waits for it
    text: "AnswerText" = field(init=False)

    def __post_init__(self) -> None:
        self.text = AnswerText(self.stops)


class AnswerText:
    """An answer as it grows: what can be shown of it, without a stop text or what follows it.

    The whole is what `Answerer` says: white space around it is left out. What may be the beginning
    of a stop text, half a character or white space at the end is held back until more is known.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._growing: GrowingText | None = None
        self._fixed = ""  # what is not shown yet and will not change
        self._shown = 0  # characters of `_fixed` and of the tail after it
        self._begun = False
        self.stopped = False

    @property
    def tokens(self) -> int:
        """How many tokens it has so far, without the end token."""
        return self._growing.tokens if self._growing else 0

    def grown(self, template: Template, token: int) -> str:
        """What more can be shown after `token`; `stopped` where a stop text was reached."""
        growing = self._growing = self._growing or template.growing_text()
        growing.add(token)
        self._fixed += growing.take()
        gone = min(self._shown, len(self._fixed))
        self._fixed, self._shown = self._fixed[gone:], self._shown - gone
        text = self._left(growing.tail)
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            self.stopped = True
            return self._show(text[: min(places)].rstrip())
        known = max(0, len(self._fixed) + len(growing.stable) - self._shown)
        return self._show(text[: min(known, len(text) - self._held_back(text))].rstrip())

    def rest(self) -> str:
        """What is left to show when the answer is over."""
        if self.stopped or self._growing is None:
            return ""
        return self._show(self._left(self._growing.tail).rstrip())

    def _left(self, tail: str) -> str:
        """What is not shown yet, without the white space before the answer."""
        whole = self._fixed + tail
        if not self._begun:
            self._shown = len(whole) - len(whole.lstrip())
        return whole[self._shown :]

    def _show(self, more: str) -> str:
        self._begun = self._begun or bool(more)
        self._shown += len(more)
        return more

    def _held_back(self, text: str) -> int:
        known = text.rstrip(UNFINISHED)
        begun = max(
            (n for stop in self._stops for n in range(1, len(stop)) if known.endswith(stop[:n])),
            default=0,
        )
        known = known[: len(known) - begun].rstrip()
        return len(text) - len(known)


class _Lane:
    """The questions to one model: those that wait, and those that are being answered."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.waiting: deque[AnswerRequest] = deque()
        self.going: dict[int, AnswerRequest] = {}
        self.batch: RunningBatch | None = None

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.going


class RequestScheduler:
    """Answers questions until it is closed."""

    def __init__(self, most_bases: int = MOST_BASES) -> None:
        self._most_bases = most_bases
        self._changed = threading.Condition()
        self._asked: deque[AnswerRequest] = deque()
        self._gone: set[int] = set()
        self._closing = False
        self._numbers = count(1)
        self._templates: dict[str, Template] = {}
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._answerers: OrderedDict[str, Answerer] = OrderedDict()
        self._wanted = ""  # a base that waits for room: nobody joins the batches of others
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def ask(
        self,
        files: ModelFiles,
        prompt: Sequence[Message],
        ways: Sampling,
        stops: tuple[str, ...],
        hear: Hear,
    ) -> tuple[int, int]:
        """Hand a question in: its number, for `cancel`, and the tokens of its prompt.

        TooLong where the prompt leaves no room for the answer, Busy where too many wait. An answer
        of 0 tokens means as many as are usual, or as there is room for.
        """
        base = folder.identity(files.base)
        template = self._template(base, files)
        room = folder.context_length(files.base)
        # before it is cut around its answers, which takes a rendering for each of them
        whole = template.count([template.prompt_text(prompt)])[0]
        if whole >= room:
            raise _too_long(whole, ways.max_new_tokens, room, files)
        ids = template.prompt_ids(prompt, files.model.reasons)
        wanted = ways.max_new_tokens or min(USUAL_TOKENS, room - len(ids))
        if wanted < 1 or len(ids) + wanted > room:
            raise _too_long(len(ids), wanted, room, files)
        number = next(self._numbers)
        ways = ways._replace(max_new_tokens=wanted)
        question = AnswerRequest(files, prompt, ids, ways, stops, hear, number, base)
        with self._changed:
            if len(self._asked) + sum(len(lane.waiting) for lane in self._lanes.values()) >= (
                MOST_WAITING
            ):
                raise Busy("Too many requests wait for an answer.", "Try again in a while.")
            self._asked.append(question)
            self._changed.notify()
        return number, len(ids)

    def cancel(self, number: int) -> None:
        """Let a question go: nobody hears its answer any more."""
        with self._changed:
            self._gone.add(number)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step under way; what waits is refused."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _template(self, base: str, files: ModelFiles) -> Template:
        """The chat template, in a process of its own: this one answers everybody."""
        if base not in self._templates:
            self._templates[base] = Template.load(files.base, isolated=True)
        return self._templates[base]

    def _run(self) -> None:
        while self._take():
            for lane in list(self._lanes.values()):
                if lane.idle:  # or idle by now: who asked may leave during another's turn
                    continue
                try:
                    self._turn(lane)
                except BaseException as error:  # a library of Rust may panic
                    self._fail(lane, error)
        stopped = UserError("The server is being stopped.", "Ask again later.")
        for lane in self._lanes.values():
            self._fail(lane, stopped)

    def _take(self) -> bool:
        """Sort what was asked into lanes, wait where there is nothing to do; False at the end."""
        with self._changed:
            while not (self._closing or self._asked or self._busy()):
                self._gone.clear()
                self._changed.wait()
            while self._asked:
                question = self._asked.popleft()
                adapter = question.files.model.id if question.files.adapter else ""
                lane = self._lanes.setdefault((question.base, adapter), _Lane(question.base))
                lane.waiting.append(question)
            gone, self._gone = self._gone, set()
        for lane in self._lanes.values():
            _leave(lane, gone)
        if self._wanted and not self._asks_for(self._wanted):
            self._wanted = ""  # who asked for that base has left: others may join again
        return not self._closing

    def _busy(self) -> bool:
        return any(not lane.idle for lane in self._lanes.values())

    def _turn(self, lane: _Lane) -> None:
        """A few tokens for each row of a lane; new questions to it join in between."""
        import torch

        files = next(iter([*lane.going.values(), *lane.waiting])).files
        answerer = self._answerer(lane, files)
        if answerer is None:  # its turn comes when another base is done
            return
        with answerer.using(files) as model, torch.inference_mode():
            if not batched_decoding.can(model):
                self._answer_one(answerer, model, lane)
                return
            for _ in range(TURN):
                if lane.batch is None:
                    lane.batch = RunningBatch(model, self._template(lane.base, files).ends)
                self._admit(lane, answerer)
                self._hear(lane, lane.batch.step())
                with self._changed:
                    more = bool(self._asked or self._gone or self._closing)
                if more and not self._take():
                    return
                if lane.idle:
                    break

    def _answer_one(self, answerer: Answerer, model: Any, lane: _Lane) -> None:
        """One whole answer of a model that only transformers' own `generate` can follow."""
        question = lane.waiting.popleft()
        lane.going[question.number] = question  # heard of where it fails, and let go by `_take`

        def given_up() -> bool:
            with self._changed:
                return self._closing or question.number in self._gone

        reply = answerer.generate_one(model, question.prompt_ids, question.ways, given_up)
        if given_up():
            return
        text = reply.text
        finish: Finish = "stop" if reply.finished else "length"
        places = [at for stop in question.stops if stop and (at := text.find(stop)) >= 0]
        if places:
            text, finish = text[: min(places)].rstrip(), "stop"
        lane.going.clear()
        question.hear(AnswerPart(text, finish, reply.tokens))

    def _admit(self, lane: _Lane, answerer: Answerer) -> None:
        """Let as many waiting questions join as the memory allows."""
        assert lane.batch is not None
        joining: dict[int, AnswerRequest] = {}
        width = lane.batch.width
        while lane.waiting and self._wanted in ("", lane.base):
            first = lane.waiting[0]
            wide = max(width, len(first.prompt_ids) + first.ways.max_new_tokens)
            rows = len(lane.batch) + len(joining)
            if rows and rows >= answerer.most_rows(MOST_ROWS)(wide):
                break
            width = wide
            joining[first.number] = lane.waiting.popleft()
        if joining:
            lane.going |= joining
            asked = {number: (each.prompt_ids, each.ways) for number, each in joining.items()}
            self._hear(lane, lane.batch.add(asked))

    def _hear(self, lane: _Lane, tokens: Sequence[NewToken]) -> None:
        """Tell who asked what their model new."""
        assert lane.batch is not None
        over: list[int] = []
        for new in tokens:
            question = lane.going[new.row]
            template, text = self._template(lane.base, question.files), question.text
            more = "" if new.ends else text.grown(template, new.token)
            length = text.tokens + new.ends
            finish: Finish = ""
            if new.ends or text.stopped:
                finish = "stop"
            elif length >= question.ways.max_new_tokens:
                finish = "length"
            if finish:
                more += text.rest()
                over.append(new.row)
            if more or finish:
                question.hear(AnswerPart(more, finish, length))
        lane.batch.drop(over)  # those that stopped at a text; the others have left
        for number in over:
            del lane.going[number]

    def _answerer(self, lane: _Lane, files: ModelFiles) -> Answerer | None:
        """The base in memory, or loaded now; None where others are in use and there is no room."""
        known = self._answerers.get(lane.base)
        if known is not None and (lane.going or known.takes(files)):
            self._answerers.move_to_end(lane.base)
            return known
        idle = [base for base in self._answerers if not self._going(base)]
        if known is not None:
            idle = [lane.base] if lane.base in idle else []
        if len(self._answerers) >= self._most_bases or known is not None:
            if not idle:
                self._wanted = self._wanted or lane.base
                return None
            self._release(idle[0])
        if self._wanted == lane.base:
            self._wanted = ""
        self._answerers[lane.base] = Answerer(files.base, isolated=True)
        return self._answerers[lane.base]

    def _asks_for(self, base: str) -> bool:
        return any(not lane.idle for lane in self._lanes.values() if lane.base == base)

    def _going(self, base: str) -> bool:
        return any(lane.going for lane in self._lanes.values() if lane.base == base)

    def _release(self, base: str) -> None:
        """Give the memory of a base back that nobody asks at the moment."""
        import gc

        for lane in self._lanes.values():
            if lane.base == base:
                lane.batch = None
        del self._answerers[base]
        gc.collect()  # modules hold one another in circles

    def _fail(self, lane: _Lane, error: BaseException) -> None:
        problem = error if isinstance(error, UserError) else UserError(
            f"The model could not answer: {type(error).__name__}.", "See the server's log."
        )  # fmt: skip
        if not isinstance(error, UserError):
            log.error("a model failed", exc_info=error)
        for question in [*lane.going.values(), *lane.waiting]:
            question.hear(AnswerPart(problem=problem))
        lane.going.clear()
        lane.waiting.clear()
        lane.batch = None


def _too_long(prompt: int, wanted: int, room: int, files: ModelFiles) -> TooLong:
    return TooLong(
        f"The prompt's {prompt} tokens and {max(wanted, 1)} new ones do not fit into the "
        f"{room} of {files.model.name}.",
        "Shorten the prompt, or ask for fewer new tokens.",
    )


def _leave(lane: _Lane, gone: set[int]) -> None:
    """Let questions go whose askers have left."""
    left = [number for number in lane.going if number in gone]
    if left and lane.batch is not None:
        lane.batch.drop(left)
    for number in left:
        del lane.going[number]
    if gone and lane.waiting:
        lane.waiting = deque(each for each in lane.waiting if each.number not in gone)
