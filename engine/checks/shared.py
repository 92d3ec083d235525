"""What the checks share: the texts of an example, and a finding made of row numbers."""

from collections.abc import Callable, Iterable, Iterator

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
from engine.core.examples import answers_of as answers_of
from engine.core.finding import Finding, Severity

SHOWN = 20  # row numbers kept in a finding


def asked_of(example: Example) -> tuple[Message, ...]:
    """The turns before the answer; none for a text, which asks nothing."""
    return () if isinstance(example, Text) else prompt_of(example)


def texts_of(example: Example) -> Iterator[str]:
    """Every text of the example: its turns, then its answers."""
    yield from (turn.content for turn in asked_of(example))
    yield from answers_of(example)


def with_texts(example: Example, change: Callable[[str], str]) -> Example:
    """The example with `change` made to each of its texts; the same object where none changed."""
    new = example.model_copy(update=_changed(example, change))
    return example if new == example else new


def _changed(example: Example, change: Callable[[str], str]) -> dict[str, object]:
    def turns(messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return tuple(m.model_copy(update={"content": change(m.content)}) for m in messages)

    match example:
        case Chat():
            references = tuple(map(change, example.references))
            return {"messages": turns(example.messages), "references": references}
        case Preference():
            answers = {"chosen": change(example.chosen), "rejected": change(example.rejected)}
            improved = None if example.improved is None else change(example.improved)
            return {"prompt": turns(example.prompt), **answers, "improved": improved}
        case Unpaired():
            return {"prompt": turns(example.prompt), "completion": change(example.completion)}
        case Text():
            return {"text": change(example.text)}
        case Prompt():
            references = tuple(map(change, example.references))
            return {"prompt": turns(example.prompt), "references": references}


def finding(
    name: str, severity: Severity, rows: Iterable[int], message: str, hint: str, fix_id: str = ""
) -> list[Finding]:
    """One finding about `rows`, or none when there are no rows; `fix_id` names its fix.

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
            hint=hint,
            fix_id=fix_id,
        )
    ]
