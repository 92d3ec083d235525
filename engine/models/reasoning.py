"""Reasoning that an answer holds between tags, and the tag that a prompt leaves open."""

import re
from typing import NamedTuple

NAMES = "think|thinking|reasoning"
BLOCK = re.compile(rf"\s*<({NAMES})>(.*?)</\1>(.*)", re.DOTALL)
LEFT_OPEN = re.compile(rf"<({NAMES})>\s*\Z")


class Reasoned(NamedTuple):
    """An answer in its two parts, and the name of its tags."""

    tag: str
    reasoning: str
    text: str


def parted(content: str) -> Reasoned | None:
    """The parts of an answer that begins with reasoning between tags; None for any other."""
    found = BLOCK.match(content)
    return Reasoned(*found.groups()) if found else None


def tag_left_open(prompt: str) -> str:
    """The name of the reasoning tag that a prompt ends with, empty where it ends otherwise."""
    found = LEFT_OPEN.search(prompt[-40:])
    return found[1] if found else ""


def closing(tag: str) -> str:
    """What follows an opened tag where nothing is reasoned."""
    return f"\n</{tag}>\n\n"


def without_opening(content: str, tag: str) -> str:
    """The answer after the opened tag that the prompt ends with already."""
    return re.sub(rf"\A\s*<{tag}>\n?", "", content)
