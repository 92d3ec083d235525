"""When two texts count as the same question or answer: case, spacing and Unicode form aside."""

import unicodedata
from hashlib import blake2b

from engine.core.examples import Example, Message, prompt_of


def normal(text: str) -> str:
    """`text` in NFKC, case-folded, each run of white space one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def prompt_key(example: Example) -> str:
    """The normalised prompt with its roles: equal for two examples that ask the same."""
    return "\n".join(f"{turn.role}: {normal(turn.content)}" for turn in prompt_of(example))


def question_key(prompt: tuple[Message, ...]) -> str:
    """The normalised prompt, its system message aside: the same where raters see one question."""
    return "\n".join(normal(turn.content) for turn in prompt if turn.role != "system")


def question_mark(prompt: tuple[Message, ...]) -> int:
    """A number of 64 bits that stands for `question_key`: a million of them take 8 MB."""
    key = question_key(prompt).encode(errors="replace")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
