"""Open WebUI's export of feedback: thumbs on an answer, with the chat it was given in.

Where the question has further answers (two models side by side, or one asked anew), a thumb up or
down is a vote for or against each of them, as Open WebUI's own leaderboard counts it. The names of
the models stand above the answers unless it is its arena, and nothing says which answer stood
where, so no vote of it is known to be blind.
https://docs.openwebui.com/features/evaluation/
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engine.core.errors import RowError
from engine.core.examples import Message
from engine.core.imported_votes import (
    GivenAnswer,
    GivenRating,
    GivenVote,
    SkippedRow,
)
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import ROLES, share
from engine.formats.votes import cells

TITLE = "Open WebUI"
SUMMARY = "feedback export: thumbs, with the other answers to the same question"
COLUMNS = frozenset({"snapshot", "meta", "data"})
DEEPEST = 1000  # turns of a chat
NOT_RATED = "feedback without a thumb"


class _Chat(NamedTuple):
    prompt: tuple[Message, ...]
    answer: str | None
    others: tuple[GivenAnswer, ...]


def sniff(rows: Sequence[FileRow]) -> float:
    """Feedback names its model and rating under `data`."""
    return share(
        list(rows),
        lambda row: (
            isinstance(row.get("data"), dict)
            and {"model_id", "rating"} & row["data"].keys()
            and "annotations" not in row
        ),
    )


def votes(
    rows: Sequence[NumberedRow],
) -> Iterator[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """A vote for each other answer, or the rating of the answer where there is no other."""
    for number, row in rows:
        try:
            yield from _feedback(row, number)
        except RowError as error:
            yield BrokenRow(number, str(error))


def _feedback(row: FileRow, number: int) -> list[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    data = row.get("data")
    if not isinstance(data, dict):
        raise RowError("is no feedback with data")
    rating = cells.number(data.get("rating"))
    if rating is None or rating == 0:
        return [SkippedRow(number, NOT_RATED)]
    if rating not in (1, -1):
        raise RowError(f"has the rating {str(data.get('rating'))[:40]!r}, not 1 or -1")
    model = cells.name_of(data.get("model_id"))
    rater = cells.name_of(row.get("user") or row.get("user_id"))
    chat, at = _chat(row), cells.seconds(row.get("created_at"))
    item = cells.item_of(chat.prompt, number)
    answer = GivenAnswer(model, chat.answer)
    others = chat.others or _siblings(data, model)
    if not others:
        return [GivenRating(number, item, chat.prompt, rater, answer, rating, at)]
    return [
        GivenVote(
            number, item, chat.prompt, rater, answer, other, "left" if rating > 0 else "right",
            at=at,
        )
        for other in others
    ]  # fmt: skip


def _siblings(data: FileRow, model: str) -> tuple[GivenAnswer, ...]:
    """The other models, where the chat itself is not in the export."""
    listed = data.get("sibling_model_ids")
    names = map(cells.name_of, listed if isinstance(listed, list) else [])
    return tuple(GivenAnswer(name) for name in dict.fromkeys(names) if name and name != model)


def _chat(row: FileRow) -> _Chat:
    """The turns before the rated answer, the answer, and the other answers to the same turn."""
    messages = _messages(row)
    meta = row.get("meta")
    rated = messages.get(str(meta.get("message_id"))) if isinstance(meta, dict) else None
    if rated is None:
        return _Chat((), None, ())
    parent = messages.get(str(rated.get("parentId")))
    others = [
        GivenAnswer(_model(each), text)
        for each in messages.values()
        if each is not rated
        and each.get("role") == "assistant"
        and each.get("parentId") == rated.get("parentId")
        and parent is not None
        and (text := _text(each))
        and text != _text(rated)
    ]
    return _Chat(_before(messages, parent), _text(rated) or None, tuple(others))


def _before(messages: dict[str, FileRow], last: FileRow | None) -> tuple[Message, ...]:
    found: list[Message] = []
    seen: set[int] = set()
    while last is not None and id(last) not in seen and len(found) < DEEPEST:
        seen.add(id(last))
        role = ROLES.get(str(last.get("role")).casefold())
        if role and _text(last):
            found.append(Message(role=role, content=_text(last)))
        last = messages.get(str(last.get("parentId")))
    return tuple(reversed(found))


def _messages(row: FileRow) -> dict[str, FileRow]:
    """The messages of the chat by their id."""
    at: Any = row
    for key in ("snapshot", "chat", "chat", "history", "messages"):
        at = at.get(key) if isinstance(at, dict) else None
    if not isinstance(at, dict):
        return {}
    return {str(key): value for key, value in at.items() if isinstance(value, dict)}


def _model(message: FileRow) -> str:
    return cells.name_of(message.get("selectedModelId") or message.get("model"))


def _text(message: FileRow) -> str:
    content = message.get("content")
    return content.strip() if isinstance(content, str) else ""
