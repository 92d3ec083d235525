"""What the checks share: the texts of an example, and a finding made of row numbers."""

from collections.abc import Iterable, Iterator

from engine.core.examples import (
    Chat,
    Example,
    Message,
    Preference,
    Prompt,
    Text,
    Unpaired,
    prompt_of,
)
from engine.core.finding import Finding, Severity

SHOWN = 20  # row numbers kept in a finding


def answers_of(example: Example) -> tuple[str, ...]:
    """The texts to learn from or against; none for a prompt."""
    match example:
        case Chat():
            return (example.answer,)
        case Preference():
            return (example.chosen, example.rejected)
        case Unpaired():
            return (example.completion,)
        case Text():
            return (example.text,)
        case Prompt():
            return ()


def asked_of(example: Example) -> tuple[Message, ...]:
    """The turns before the answer; none for a text, which asks nothing."""
    return () if isinstance(example, Text) else prompt_of(example)


def texts_of(example: Example) -> Iterator[str]:
    """Every text of the example: its turns, then its answers."""
    yield from (turn.content for turn in asked_of(example))
    yield from answers_of(example)


def finding(
    name: str, severity: Severity, rows: Iterable[int], message: str, fix: str
) -> list[Finding]:
    """One finding about `rows`, or none when there are no rows.

    `message` completes "1 row ..." and "3 rows ...", as "with an empty answer" does.
    """
    numbers = sorted(set(rows))
    if not numbers:
        return []
    count = len(numbers)
    return [
        Finding(
            id=name,
            severity=severity,
            count=count,
            rows=tuple(numbers[:SHOWN]),
            message=f"{count:,} {'row' if count == 1 else 'rows'} {message}.",
            fix=fix,
        )
    ]
