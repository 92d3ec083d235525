"""A chat template rendered in a process of its own, under limits of processor time and memory.

A brought model's template is a program of a stranger, and the web process serves everybody. Run as
`python -m engine.models.template_process`: the first line of its input is the template, each line
after it a conversation; it answers each with one line. It ends when its input does.
"""

import json
import sys
from collections.abc import Sequence

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.json_object import JsonObject
from engine.models.limited_process import LimitedProcesses, allow, bound_memory, say
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
        _processes.ask(self._template, self._template, None)

    def __call__(self, messages: Sequence[Message], open_answer: bool) -> str:
        """The text of `messages`, and with `open_answer` the start of the answer to come."""
        plain = [message.model_dump(mode="json") for message in messages]
        line = json.dumps([plain, open_answer])
        kind, value = _processes.ask(self._template, self._template, line)
        if kind == "refused":
            raise TemplateRefused(value)
        return str(value)


def _broken() -> UserError:
    return UserError(
        f"The model's chat template takes more than {CPU_S} seconds or "
        f"{MEMORY // 2**30} GB to run.",
        OTHER,
    )


_processes = LimitedProcesses("engine.models.template_process", PROCESSES, _broken, WALL_S)


def main() -> None:
    """Answer conversations until the input ends."""
    bound_memory(MEMORY)
    allow(CPU_S)
    asked = json.loads(sys.stdin.readline())
    try:
        render = Render(asked["source"], asked["tokens"])
    except UserError as error:
        say("error", [error.problem, error.fix])
        return
    say("ready", "")
    for line in sys.stdin:
        allow(CPU_S)
        _answer(render, *json.loads(line))


def _answer(render: Render, messages: list[JsonObject], open_answer: bool) -> None:
    try:
        text = render([Message.model_validate(each) for each in messages], open_answer)
    except TemplateRefused as error:
        say("refused", error.reason[:200])
        return
    if len(text) > MOST_TEXT:
        say("refused", "it writes too much")
        return
    say("text", text)


if __name__ == "__main__":
    main()
