"""A model's chat template, run as the hostile program it may be."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Environment, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from engine.core.errors import UserError
from engine.core.examples import Message

MAX_SOURCE = 200_000  # characters; the longest known templates have about 20 000
MAX_REASON = 160  # characters of a template's own words


class TemplateRefused(UserError):
    """A conversation that a chat template does not render; `reason` is its own."""

    def __init__(self, reason: str) -> None:
        self.reason = " ".join(reason.split())[:MAX_REASON].rstrip(".")
        super().__init__(
            f"The model's chat template refuses a conversation: {self.reason}.",
            "Check the order of its roles, or choose another model.",
        )


class Render:
    """Messages to text. The sandbox has no files, no Python attributes and no big powers."""

    def __init__(self, source: str, tokens: dict[str, str]) -> None:
        if len(source) > MAX_SOURCE:
            raise UserError("The model's chat template is too long.", "Choose another model.")
        self._tokens = tokens
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise UserError(
                f"The model's chat template is broken: {str(error)[:MAX_REASON]}.",
                "Choose another model.",
            ) from None

    def __call__(self, messages: Sequence[Message], open_answer: bool) -> str:
        """The text of `messages`, and with `open_answer` the start of the answer to come."""
        plain = [{"role": m.role, "content": m.content} for m in messages]
        try:
            return self._template.render(
                **self._tokens, messages=plain, add_generation_prompt=open_answer
            )
        except Exception as error:  # a template can raise anything; none of it is our bug
            raise TemplateRefused(str(error)) from error


class _Sandbox(ImmutableSandboxedEnvironment):
    """Templates join strings; `"x" * 10**9` has no honest use in one."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (isinstance(left, int) and isinstance(right, int)):
            raise TemplateError(f"the operator {operator} is allowed between whole numbers only")
        return super().call_binop(context, operator, left, right)


class _Generation(Extension):
    """`{% generation %}` marks answers for other trainers; here its body is simply rendered."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own declaration

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Namespace(Namespace):
    """A namespace whose names cannot reach Python's own attributes."""

    def __init__(*args: Any, **values: Any) -> None:
        named = dict(*args[1:], **values)
        if any(str(name).startswith("_") for name in named):
            raise SecurityError("names in a namespace must not start with an underscore")
        Namespace.__init__(args[0], named)

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError("names in a namespace must not start with an underscore")
        super().__setitem__(name, value)


def _environment() -> Environment:
    """The environment that chat templates are written for, as in transformers."""
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals = {
        "range": environment.globals["range"],  # the sandbox's own, with a limit
        "dict": _dict,
        "namespace": _Namespace,
        "raise_exception": _refuse,
        "strftime_now": _now,
    }
    return environment


def _dict(*args: Any, **values: Any) -> dict[Any, Any]:
    return dict(*args, **values)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.now().strftime(pattern)
