"""A chat template in Go's template language, as Ollama reads it.

Most templates write fixed text around each message, by its role. That text is found by rendering
conversations whose messages are marks, and is then tried on conversations it was not found from.
"""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.models.chat_template import Template

MARKS = ("QmarkaQ", "QmarkbQ", "QmarkcQ", "QmarkdQ", "QmarkeQ")
NO_EQUAL = UserError(
    "This model's chat template does more than write text around each message, which Ollama's "
    "templates cannot follow exactly.",
    "Export it as GGUF: llama.cpp reads the template itself.",
)


class Around(NamedTuple):
    """The text before and after the messages of one role."""

    before: str
    after: str


class GoTemplate(NamedTuple):
    """`start`, then every message between its two texts, then `opening` of the answer to come."""

    start: str
    system: Around | None
    user: Around
    assistant: Around
    opening: str

    @classmethod
    def of(cls, template: Template) -> "GoTemplate":
        """The same as `template`; UserError where nothing of this form writes what it writes."""
        found = _found(template)
        if not all(found.render(talk) == _asked(template, talk) for talk in _trials(found)):
            raise NO_EQUAL
        return found

    def render(self, messages: Sequence[Message]) -> str:
        """What Ollama would write for `messages`, in Python."""
        around = {"system": self.system, "user": self.user, "assistant": self.assistant}
        text = self.start
        for message in messages:
            sides = around[message.role]
            if sides is None:
                raise NO_EQUAL
            text += sides.before + message.content + sides.after
        return text + self.opening

    @property
    def text(self) -> str:
        """The template as it stands in a Modelfile."""
        cases = [("user", self.user), ("assistant", self.assistant)]
        cases += [("system", self.system)] if self.system else []
        inside = "".join(
            f'{{{{ {"if" if number == 0 else "else if"} eq .Role "{role}" }}}}'
            f"{_literal(sides.before)}{{{{ .Content }}}}{_literal(sides.after)}"
            for number, (role, sides) in enumerate(cases)
        )
        body = f"{{{{ range .Messages }}}}{inside}{{{{ end }}}}{{{{ end }}}}"
        return f"{_literal(self.start)}{body}{_literal(self.opening)}"


def _found(template: Template) -> GoTemplate:
    first, reply, second, *_ = MARKS
    talk = [_message("user", first), _message("assistant", reply), _message("user", second)]
    head, asked, answered, tail = _cut(_asked(template, talk), (first, reply, second))
    system = None
    before_user = [head, answered]
    with_system = _with_system(template)
    if with_system:
        system_head, system_tail = with_system
        before_user = [system_tail, answered]
        if not template.default_system():
            before_user.append(head)
    ends = [template.decode([end], skip_special_tokens=False) for end in template.ends]
    opening = _after_end(_common_end(before_user), ends)
    start = "" if template.default_system() else head.removesuffix(opening)
    if with_system:
        if not system_head.startswith(start):
            raise NO_EQUAL
        system = Around(system_head.removeprefix(start), system_tail.removesuffix(opening))
    turn = asked.removesuffix(_after_end(asked, ends))
    turn = turn if tail.startswith(turn) else ""
    return GoTemplate(
        start,
        system,
        Around(opening, turn),
        Around(asked.removeprefix(turn), answered.removesuffix(opening)),
        tail.removeprefix(turn),
    )


def _with_system(template: Template) -> tuple[str, str] | None:
    """The text before a system message and between it and a user's; None where none is taken."""
    system, user, *_ = MARKS
    try:
        text = _asked(template, [_message("system", system), _message("user", user)])
        head, between, _ = _cut(text, (system, user))
    except UserError:
        return None
    return head, between


def _trials(found: GoTemplate) -> list[list[Message]]:
    """Conversations with lines, signs, several turns, and a system message where one is taken."""
    short = [_message("user", "What is 2 + 2?")]
    long = [
        _message("user", "First line\nsecond line"),
        _message("assistant", "An answer: {x} <b>"),
        _message("user", "Größe, 数, emoji"),
        _message("assistant", "Second answer."),
        _message("user", "Last?"),
    ]
    system = [_message("system", "Be brief.\nAnswer in German.")]
    if found.system is None:
        return [short, long]
    # without a start of its own, every conversation has a system message: the Modelfile's
    bare = [short, long] if found.start or not found.system.before else []
    return [*bare, system + short, system + long]


def _asked(template: Template, messages: Sequence[Message]) -> str:
    return template.prompt_text(messages)


def _cut(text: str, marks: Sequence[str]) -> list[str]:
    """`text` between the marks, each of which must stand in it once and in order."""
    parts = []
    for mark in marks:
        if text.count(mark) != 1:
            raise NO_EQUAL
        before, _, text = text.partition(mark)
        parts.append(before)
    return [*parts, text]


def _common_end(texts: Sequence[str]) -> str:
    """The longest text that all of them end with."""
    shortest = min(texts, key=len)
    for length in range(len(shortest), 0, -1):
        if all(text.endswith(shortest[-length:]) for text in texts):
            return shortest[-length:]
    return ""


def _after_end(text: str, ends: Sequence[str]) -> str:
    """`text` from behind the last token that ends a turn and its line; all of it without one."""
    for end in ends:
        if end in text:
            text = text.rpartition(end)[2].removeprefix("\n")
    return text


def _literal(text: str) -> str:
    """`text` as Go's templates leave it."""
    return text.replace("{{", '{{ "{{" }}')


def _message(role: str, content: str) -> Message:
    return Message.model_validate({"role": role, "content": content})
