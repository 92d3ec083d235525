"""Keys of turns that no layout reads, named with their rows instead of dropped in silence."""

from collections.abc import Iterable

from engine.core.parsed_file import FileRow
from engine.formats.turns import OPENAI, ROLES, SHAREGPT, is_turns

READ = frozenset({*OPENAI, *SHAREGPT, "tool_calls", "tool_call_id", "name", "id", "weight"})
REASONING = frozenset({"reasoning_content", "reasoning", "thinking", "thought"})
HINTS = {
    **dict.fromkeys(
        REASONING,
        "To learn it, write it into the content, between <think> and </think> before the answer.",
    ),
    "weight": "Only answers of the assistant are learned, so the weight of other turns is moot.",
}
MOST_KEYS = 5
ROWS_NAMED = 5


def unread_keys(rows: Iterable[tuple[int, FileRow]]) -> list[str]:
    """A sentence for each key of turns that is not read: its rows, and what happens to it."""
    found: dict[str, list[int]] = {}
    for number, row in rows:
        for key in _unread(row):
            found.setdefault(key, []).append(number)
    return [_sentence(key, found[key]) for key in sorted(found)[:MOST_KEYS]]


def _unread(row: FileRow) -> set[str]:
    keys: set[str] = set()
    for value in row.values():
        if isinstance(value, list) and any(is_turns(value, each) for each in (OPENAI, SHAREGPT)):
            keys.update(
                str(key)
                for turn in value
                for key, content in turn.items()
                if key not in READ and content not in (None, "", [], {})
            )
            keys.update("weight" for turn in value if _asks_for_loss(turn))
    return keys


def _asks_for_loss(turn: FileRow) -> bool:
    """Whether a turn that is no answer has a weight, which OpenAI's fine-tuning refuses."""
    role = next((turn[key] for key in (OPENAI.role, SHAREGPT.role) if key in turn), None)
    return bool(turn.get("weight")) and ROLES.get(str(role).lower()) != "assistant"


def _sentence(key: str, rows: list[int]) -> str:
    named = ", ".join(f"{row:,}" for row in rows[:ROWS_NAMED])
    more = ", …" if len(rows) > ROWS_NAMED else ""
    counted = "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    hint = HINTS.get(key, "Only the role and the content of a turn are learned.")
    return f"{key[:40]!r} of turns is left out in {counted} ({named}{more}). {hint}"
