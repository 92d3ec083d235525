"""OpenAssistant: trees of messages, whole or as one message a row."""

from collections import defaultdict
from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats import threads
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import assistant, chat, place, share, text, user

TITLE = "OpenAssistant"
KIND: Kind = "sft"
SUMMARY = "prompt: {text, role, replies: [...]}; or message_id, parent_id, text, role, rank"
COLUMNS = frozenset(
    {"prompt", "message_id", "parent_id", "message_tree_id", "text", "role", "rank", "deleted"}
    | {"replies", "group"}
)
SURE = 0.9  # of messages under other names
SPEAKERS = {"prompter": user, "user": user, "assistant": assistant}


def sniff(rows: list[FileRow]) -> float:
    """The share of rows that are a tree, or a message of one."""
    known = share(rows, lambda row: _is_tree(row) or _is_message(row))
    return known or (SURE if threads.columns(rows) else 0.0)


def unfold(rows: list[NumberedRow]) -> list[NumberedRow]:
    """One tree a row, under the number of its first message."""
    if not any(_is_tree(row) or _is_message(row) for _, row in rows):
        rows = threads.renamed(rows)
    if not any(_is_message(row) for _, row in rows):
        return rows
    replies: dict[str, list[FileRow]] = defaultdict(list)
    roots = []
    for number, row in rows:
        node = {**row, "replies": replies[str(row.get("message_id"))]}
        if row.get("parent_id"):
            replies[str(row["parent_id"])].append(node)
        else:
            roots.append((number, {"prompt": node, "group": row.get("group")}))
    return roots


def columns(rows: list[FileRow]) -> frozenset[str]:
    """The columns under other names that hold the ids, the role and the text."""
    return threads.columns(rows)


def read(row: FileRow, number: int) -> Chat:
    """The best path of a tree, up to its last answer.

    At every turn it follows the reply of the lowest rank, the first one where none is ranked;
    deleted replies and what hangs on them are passed over.
    """
    node = row.get("prompt") if "prompt" in row else row
    if not isinstance(node, dict) or node.get("role") not in SPEAKERS:
        raise RowError("'prompt' is no tree of messages with a text and a role")
    path, seen = [], set[int]()
    while node and id(node) not in seen:
        seen.add(id(node))
        path.append(_turn(node))
        node = _best(node)
    while path and path[-1].role != "assistant":
        path.pop()
    if not path:
        raise RowError("nobody answers the first message")
    return chat(tuple(path), **place(row, number))


def _turn(node: FileRow) -> Any:
    speaker = SPEAKERS.get(str(node.get("role")))
    if speaker is None:
        raise RowError(f"a message has the unknown role {str(node.get('role'))[:40]!r}")
    return speaker(text(node, "text"))


def _best(node: FileRow) -> FileRow | None:
    replies = node.get("replies")
    if not isinstance(replies, list):
        return None
    alive = [one for one in replies if isinstance(one, dict) and one.get("deleted") is not True]
    return min(alive, key=_rank, default=None)


def _rank(node: FileRow) -> float:
    rank = node.get("rank")
    return float(rank) if isinstance(rank, int | float) else float("inf")


def _is_tree(row: FileRow) -> bool:
    return isinstance(row.get("prompt"), dict) and "replies" in row["prompt"]


def _is_message(row: FileRow) -> bool:
    return {"message_id", "text", "role"} <= row.keys() and "prompt" not in row
