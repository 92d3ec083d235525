"""A chat template rendered in a process of its own, under limits of processor time and memory.

A brought model's template is a program of a stranger, and the web process serves everybody. Run as
`python -m engine.models.template_process`: the first line of its input is the template, each line
after it a conversation; it answers each with one line. It ends when its input does.
"""

import atexit
import json
import os
import resource
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from engine.core.environment import for_files
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.json_object import JsonObject
from engine.models.template_render import MAX_SOURCE, Render, TemplateRefused

CPU_S = 5  # of one conversation
WALL_S = 120.0  # a busy machine may take long for few processor seconds
MEMORY = 2**30  # bytes of address space
MOST_TEXT = 4_000_000  # characters of a rendered conversation
PROCESSES = 4
OTHER = "Choose another model."


class IsolatedRender:
    """The same call as `Render`, answered by a process that holds this template."""

    def __init__(self, source: str, tokens: dict[str, str]) -> None:
        if len(source) > MAX_SOURCE:
            raise UserError("The model's chat template is too long.", OTHER)
        self._template = json.dumps({"source": source, "tokens": tokens})
        _processes.ask(self._template, None)

    def __call__(self, messages: Sequence[Message], open_answer: bool) -> str:
        """The text of `messages`, and with `open_answer` the start of the answer to come."""
        plain = [message.model_dump(mode="json") for message in messages]
        return _processes.ask(self._template, json.dumps([plain, open_answer]))


class _Process:
    """One running process and its template; a call at a time."""

    def __init__(self, template: str) -> None:
        self._lock = threading.Lock()
        self._running = subprocess.Popen(
            [sys.executable, "-m", "engine.models.template_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=for_files(os.environ),
            cwd=Path(__file__).parents[2],
        )
        self.refusal = self._exchange(template)

    def ask(self, line: str) -> str:
        """The rendered text; UserError where the template refuses, EOFError where it broke down."""
        with self._lock:
            kind, value = self._exchange(line)
        if kind == "refused":
            raise TemplateRefused(value)
        return str(value)

    def end(self) -> None:
        """Kill it; nothing is lost."""
        self._running.kill()
        self._running.wait()

    def _exchange(self, line: str) -> tuple[str, Any]:
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        try:
            self._running.stdin.write(line.encode() + b"\n")
            self._running.stdin.flush()
            answer = _line(self._running.stdout, time.monotonic() + WALL_S)
        except BrokenPipeError:
            raise EOFError from None
        if not answer.endswith(b"\n"):
            raise EOFError
        kind, value = json.loads(answer)
        return kind, value


class _Processes:
    """The processes of the templates that were used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Process] = OrderedDict()

    def ask(self, template: str, line: str | None) -> str:
        try:
            process = self._of(template)
            if process.refusal[0] == "error":
                raise UserError(*process.refusal[1])
            return process.ask(line) if line is not None else ""
        except EOFError:
            self._drop(template)
            raise UserError(
                f"The model's chat template takes more than {CPU_S} seconds or "
                f"{MEMORY // 2**30} GB to run.",
                OTHER,
            ) from None

    def _of(self, template: str) -> _Process:
        with self._lock:
            if template not in self._known:
                self._known[template] = _Process(template)
            self._known.move_to_end(template)
            if len(self._known) > PROCESSES:
                self._known.popitem(last=False)[1].end()
            return self._known[template]

    def _drop(self, template: str) -> None:
        with self._lock:
            process = self._known.pop(template, None)
        if process:
            process.end()

    def end(self) -> None:
        while self._known:
            self._known.popitem()[1].end()


_processes = _Processes()
atexit.register(_processes.end)


def _line(stream: IO[bytes], until: float) -> bytes:
    """One line, read without waiting for ever; what there is when the time or the stream ends."""
    read = b""
    while not read.endswith(b"\n"):
        left = until - time.monotonic()
        ready = left > 0 and select.select([stream], [], [], left)[0]
        piece = os.read(stream.fileno(), 2**16) if ready else b""
        if not piece:
            break
        read += piece
    return read


def main() -> None:
    """Answer conversations until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _allow(CPU_S)
    asked = json.loads(sys.stdin.readline())
    try:
        render = Render(asked["source"], asked["tokens"])
    except UserError as error:
        _say("error", [error.problem, error.fix])
        return
    _say("ready", "")
    for line in sys.stdin:
        _allow(CPU_S)
        _answer(render, *json.loads(line))


def _allow(seconds: int) -> None:
    """So much processor time more from now on; beyond it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = spent + seconds if most == resource.RLIM_INFINITY else min(spent + seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def _answer(render: Render, messages: list[JsonObject], open_answer: bool) -> None:
    try:
        text = render([Message.model_validate(each) for each in messages], open_answer)
    except TemplateRefused as error:
        _say("refused", error.reason[:200])
        return
    if len(text) > MOST_TEXT:
        _say("refused", "it writes too much")
        return
    _say("text", text)


def _say(kind: str, value: Any) -> None:
    sys.stdout.write(json.dumps([kind, value]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
