"""One question with several answers: right for creative work, noise where one answer is true."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.examples import Chat, Example
from engine.core.finding import Finding
from engine.core.normalise import normal, prompt_key


def check(examples: Sequence[Example]) -> list[Finding]:
    """Chats that answer the question of an earlier row differently."""
    return finding(
        "asked_twice",
        "info",
        [examples[n].source_row for n in _others(examples)],
        "answering a question of an earlier row differently",
        "Keep the better answer if only one can be right.",
        fix_id="keep_first_answer",
    )


def keep_first(examples: Sequence[Example]) -> list[Example]:
    """Keeps the first answer to each question and removes rows that answer it differently."""
    others = _others(examples)
    return [e for n, e in enumerate(examples) if n not in others]


def _others(examples: Sequence[Example]) -> set[int]:
    first: dict[str, str] = {}
    others: set[int] = set()
    for n, example in enumerate(examples):
        if isinstance(example, Chat):
            answer = normal(example.answer)
            if first.setdefault(prompt_key(example), answer) != answer:
                others.add(n)
    return others
