"""One system prompt for rows that have none, in the place of what a chat template would add."""

from collections.abc import Callable, Sequence

from engine.checks.shared import asked_of
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Message, Text

LONGEST = 4000  # characters


def fix(text: str) -> Callable[[Sequence[Example]], list[Example]]:
    """Adds this system prompt to rows that have none; UserError for an empty or a long text."""
    prompt = text.strip()
    if not prompt:
        raise UserError("The system prompt is empty.", "Write one, such as: You answer briefly.")
    if len(prompt) > LONGEST:
        raise UserError(
            f"The system prompt has {len(prompt):,} characters.", f"Use at most {LONGEST:,}."
        )
    turn = Message(role="system", content=prompt)
    return lambda examples: [_with(example, turn) for example in examples]


def _with(example: Example, turn: Message) -> Example:
    if isinstance(example, Text) or any(each.role == "system" for each in asked_of(example)):
        return example
    if isinstance(example, Chat):
        return example.model_copy(update={"messages": (turn, *example.messages)})
    return example.model_copy(update={"prompt": (turn, *example.prompt)})
