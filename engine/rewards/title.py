"""A reward is a function; its title is an attribute, and its docstring's first line the summary."""

from collections.abc import Callable
from typing import TypeVar

Rule = TypeVar("Rule", bound=Callable[..., list[float]])


def titled(title: str) -> Callable[[Rule], Rule]:
    """Give a reward the name that forms show."""

    def with_title(rule: Rule) -> Rule:
        rule.TITLE = title  # type: ignore[attr-defined]
        return rule

    return with_title
