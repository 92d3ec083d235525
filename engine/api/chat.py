"""`POST /v1/chat/completions`: what is asked, and the answer whole or piece by piece."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from engine.api import served_models
from engine.api.callers import Asking, Caller, OpenWorkspace
from engine.api.errors import Refused, Wire, of_user_error
from engine.core import ids
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.job_context import ModelFiles
from engine.core.json_object import JsonObject
from engine.core.model import Model
from engine.models.request_scheduler import AnswerPart, Hear, RequestScheduler
from engine.models.sampling import Sampling
from engine.services import feedback
from engine.services.models import registry
from engine.workspace import Workspace

router = APIRouter()
MOST_TURNS, MOST_TEXT, MOST_ANSWERS, MOST_STOPS, LONGEST_STOP = 1000, 2_000_000, 16, 4, 200
LOOK_EVERY_S = 1.0  # whether whoever asked is still there
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# what OpenAI has and this server has not: refused where it would change the answer
UNSUPPORTED = (
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "audio",
    "modalities",
    "prediction",
    "web_search_options",
    "reasoning_effort",
    "verbosity",
)
# what changes no answer: OpenAI's bookkeeping
HARMLESS = frozenset(
    {
        "user", "store", "metadata", "service_tier", "parallel_tool_calls", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention",
    }
)  # fmt: skip
NEUTRAL: dict[str, tuple[object, ...]] = {
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "reasoning_effort": ("none",),
}


class ChatMessage(BaseModel):
    """One message of a conversation; parts other than text are refused."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[JsonObject] | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """What OpenAI's clients send. `seed` is drawn from the clock where nobody gives one."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=300)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_TURNS)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(None, ge=1, le=MOST_ANSWERS)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)  # as OpenAI has it
    stop: str | list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_format: JsonObject | None = None

    def check(self) -> None:
        """Refused for what would be left out in silence otherwise."""
        extra = self.model_extra or {}
        for name in UNSUPPORTED:
            if extra.get(name) and extra[name] not in NEUTRAL.get(name, ()):
                raise _unsupported(name)
        for name in extra.keys() - HARMLESS - set(UNSUPPORTED):
            raise Refused(
                f"Unrecognized request argument supplied: {name[:80]}.", param=name[:80],
                code="unknown_parameter",
            )  # fmt: skip
        for name in ("presence_penalty", "frequency_penalty"):
            if getattr(self, name):
                raise _unsupported(name)
        if self.response_format and self.response_format.get("type") != "text":
            raise _unsupported("response_format")
        if len(self.stops) > MOST_STOPS or any(len(each) > LONGEST_STOP for each in self.stops):
            raise Refused(
                f"stop takes at most {MOST_STOPS} texts of {LONGEST_STOP} characters.", param="stop"
            )

    @property
    def stops(self) -> tuple[str, ...]:
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(each for each in given if each)

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The conversation; Refused for a role or a part that no model here takes."""
        found = tuple(_message(number, turn) for number, turn in enumerate(self.messages))
        if sum(len(each.content) for each in found) > MOST_TEXT:
            raise Refused(
                f"The messages have more than {MOST_TEXT:,} characters.", param="messages"
            )
        return found

    def ways(self) -> Sampling:
        """How the answer is written. Where nothing is said the temperature is OpenAI's, 1."""
        seed = self.seed if self.seed is not None else time.time_ns()
        return Sampling(
            self.max_completion_tokens or self.max_tokens or 0,
            1.0 if self.temperature is None else self.temperature,
            seed,
            1.0 if self.top_p is None else self.top_p,
        )


@router.get("/v1/models")
def models(ws: OpenWorkspace, caller: Asking) -> Wire:
    """The models that answer."""
    return {"object": "list", "data": served_models.list_all(ws, caller)}


@router.get("/v1/models/{name:path}")
def model(ws: OpenWorkspace, caller: Asking, name: str) -> Wire:
    """What is known of a model."""
    return served_models.shown(ws, caller, name)


@router.post("/v1/chat/completions")
async def chat(request: Request, ws: OpenWorkspace, caller: Asking, asked: ChatRequest) -> Response:
    """An answer, whole or piece by piece."""
    asked.check()
    serving, root = request.app.state.serving, str(request.base_url).rstrip("/")
    answer = await run_in_threadpool(Answer, ws, caller, serving, asked, root)
    await answer.begin()
    if asked.stream:
        headers = {"cache-control": "no-cache"}
        return StreamingResponse(answer.streamed(), media_type="text/event-stream", headers=headers)
    return JSONResponse(await answer.whole(request))


class Answer:
    """The answers to one request, as they come."""

    def __init__(
        self,
        ws: Workspace,
        caller: Caller,
        serving: RequestScheduler,
        asked: ChatRequest,
        root: str,
    ) -> None:
        self._ws, self._caller, self._serving, self._asked = ws, caller, serving, asked
        self._root = root  # where whoever asked found this server
        self._choice = feedback.choose(
            ws, caller.actor, caller.project_id, asked.model, lambda: self._named(asked.model)
        )
        with self._secretly():
            self._files: ModelFiles = registry.files(ws, self._choice.model)
        self._prompt = asked.prompt
        self.id = f"chatcmpl-{ids.token()}"  # whoever knows it may say what they think
        self._created = int(time.time())
        self._queue: asyncio.Queue[tuple[int, AnswerPart]] = asyncio.Queue()
        self._numbers: list[int] = []
        self._prompt_tokens = 0
        self._texts = [""] * (asked.n or 1)
        self._finish: list[str | None] = [None] * len(self._texts)
        self._tokens = [0] * len(self._texts)

    def _named(self, name: str) -> Model:
        return served_models.find(self._ws, self._caller, name)

    async def begin(self) -> None:
        """Ask for every answer; what cannot be answered is refused here."""
        loop = asyncio.get_running_loop()

        def hear_for(place: int) -> Hear:
            def hear(piece: AnswerPart) -> None:
                with suppress(RuntimeError):  # the loop has ended: nobody waits
                    loop.call_soon_threadsafe(self._queue.put_nowait, (place, piece))

            return hear

        ways = self._asked.ways()
        try:
            for place in range(len(self._texts)):
                own = ways._replace(seed=ways.seed + place)
                with self._secretly():
                    number, self._prompt_tokens = await run_in_threadpool(
                        self._serving.ask, self._files, self._prompt, own, self._asked.stops,
                        hear_for(place),
                    )  # fmt: skip
                self._numbers.append(number)
        except BaseException:
            self._let_go()
            raise

    @contextmanager
    def _secretly(self) -> Iterator[None]:
        """Within it a refusal names no model of an arena."""
        try:
            yield
        except UserError as error:
            raise self._secret(error) from None

    def _secret(self, error: UserError) -> UserError:
        """`error` by the name that was asked for, where it names a model of an arena."""
        return feedback.unnamed(error, self._choice, self._asked.model)

    def _let_go(self) -> None:
        for number in self._numbers:
            self._serving.cancel(number)

    async def whole(self, request: Request) -> Wire:
        """The completion once all answers are there; they are let go where nobody waits."""
        gone = asyncio.create_task(self._watch(request))
        try:
            async for _ in self._pieces():
                pass
        finally:
            gone.cancel()
        found: Wire = {
            **self._head("chat.completion"),
            "choices": [
                {
                    "index": place,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": self._finish[place],
                }
                for place, text in enumerate(self._texts)
            ],
            "usage": self._usage(),
        }
        return found | await run_in_threadpool(self._kept)

    async def streamed(self) -> AsyncIterator[str]:
        """Server-sent events: a chunk for each piece, then `[DONE]`."""
        options = self._asked.stream_options
        usage: Wire = {"usage": None} if options and options.include_usage else {}
        try:
            for place in range(len(self._texts)):
                yield self._chunk(place, {"role": "assistant", "content": ""}, usage)
            async for place, piece in self._pieces():
                if piece.text:
                    yield self._chunk(place, {"content": piece.text}, usage)
                if piece.finish:
                    yield self._chunk(place, {}, usage, piece.finish)
            extra = await run_in_threadpool(self._kept)
            if usage or extra:
                last = {**self._head("chat.completion.chunk"), "choices": [], **extra}
                yield _event({**last, **({"usage": self._usage()} if usage else {})})
        except Failed as failed:
            yield _event(failed.body)
        yield "data: [DONE]\n\n"

    async def _pieces(self) -> AsyncIterator[tuple[int, AnswerPart]]:
        """Hear every answer to its end; those that nobody waits for are let go."""
        try:
            while None in self._finish:
                place, piece = await self._queue.get()
                if piece.problem is not None:
                    raise Failed(*of_user_error(self._secret(piece.problem)))
                self._texts[place] += piece.text
                self._tokens[place] = piece.tokens
                self._finish[place] = piece.finish or None
                yield place, piece
        finally:
            self._let_go()

    async def _watch(self, request: Request) -> None:
        """Let the answers go when whoever asked has left."""
        while not await request.is_disconnected():
            await asyncio.sleep(LOOK_EVERY_S)
        self._let_go()
        gone = AnswerPart(finish="stop")
        for place, finish in enumerate(self._finish):
            if finish is None:
                self._queue.put_nowait((place, gone))

    def _kept(self) -> Wire:
        """What feedback needs, where answers are kept."""
        key = self._caller.key
        path = feedback.keep(
            self._ws, self._caller.actor, self._caller.project_id, self._choice,
            completion_id=self.id, key_id=key.id if key else None,
            captures=bool(key and key.captures), prompt=self._prompt, text=self._texts[0],
        )  # fmt: skip
        return {"vote_url": self._root + path} if path else {}

    def _head(self, kind: Literal["chat.completion", "chat.completion.chunk"]) -> Wire:
        return {
            "id": self.id, "object": kind, "created": self._created, "model": self._asked.model,
            "system_fingerprint": None,
        }  # fmt: skip

    def _chunk(self, place: int, delta: Wire, usage: Wire, finish: str | None = None) -> str:
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**self._head("chat.completion.chunk"), "choices": [choice], **usage})

    def _usage(self) -> dict[str, int]:
        answered = sum(self._tokens)
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": answered,
            "total_tokens": self._prompt_tokens + answered,
        }


class Failed(Refused):
    """A model could not answer; `body` is the refusal as JSON."""

    def __init__(self, body: Wire, status: int) -> None:
        error: Any = body["error"]
        super().__init__(error["message"], param=error["param"], code=error["code"], status=status)
        self.body = body


def _message(number: int, turn: ChatMessage) -> Message:
    where = f"messages.{number}"
    if turn.role not in ROLES:
        raise Refused(
            f"The role {turn.role[:40]!r} is not served here; use system, user or assistant.",
            param=f"{where}.role",
        )
    if turn.content is None or (turn.model_extra or {}).get("tool_calls"):
        raise Refused("Calls of tools are not served here.", param=f"{where}.content")
    role: Any = ROLES[turn.role]
    text = _text(turn.content, f"{where}.content")
    if any("\ud800" <= sign <= "\udfff" for sign in text):  # JSON can hold halves of a character
        raise Refused("The text is no valid Unicode.", param=f"{where}.content")
    return Message(role=role, content=text)


def _text(content: str | Sequence[JsonObject], where: str) -> str:
    if isinstance(content, str):
        return content
    for part in content:
        if part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise Refused(
                f"A part of the type {str(part.get('type'))[:40]!r} is not served here; "
                "send text alone.",
                param=where,
            )
    return "".join(str(part["text"]) for part in content)


def _unsupported(name: str) -> Refused:
    return Refused(
        f"{name} is not served here; leave it out.", param=name, code="unsupported_parameter"
    )


def _event(value: Wire) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
