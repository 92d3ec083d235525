"""Pairs: a prompt with a chosen and a rejected answer, in the ways that are in use."""

import re

from engine.core.errors import RowError
from engine.core.examples import Kind, Message, Preference
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answer_to, last_answer, prompt_turns
from engine.formats.turns import assistant, place, share, system, user

TITLE = "Chosen and rejected"
KIND: Kind = "preference"
SUMMARY = (
    "prompt or conversations (absent where chosen and rejected are whole chats), chosen, rejected; "
    "reference where a person wrote a better answer than both"
)
COLUMNS = frozenset(
    {"prompt", "conversations", "chosen", "rejected", "reference", "system", "group"}
)

SPEAKER = re.compile(r"\n\n(Human|Assistant):[ \n]?")


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with both answers."""
    return share(rows, lambda row: "chosen" in row and "rejected" in row)


def read(row: FileRow, number: int) -> Preference:
    """A pair; RowError when the two answers do not follow the same prompt."""
    stated = _stated_prompt(row)
    before, chosen = _answer(row, "chosen", stated)
    before_rejected, rejected = _answer(row, "rejected", stated)
    if before != before_rejected:
        raise RowError("'chosen' and 'rejected' do not answer the same conversation")
    prompt = (*system(row), *_whole(stated, before))
    if not prompt:
        raise RowError("there is no prompt, neither as a column nor inside 'chosen'")
    improved = _improved(row, prompt)
    return Preference(
        prompt=prompt, chosen=chosen, rejected=rejected, improved=improved, **place(row, number)
    )


def _stated_prompt(row: FileRow) -> tuple[Message, ...]:
    for column in ("prompt", "conversations"):
        if row.get(column) not in (None, "", []):
            return prompt_turns(row, column)
    return ()


def _improved(row: FileRow, prompt: tuple[Message, ...]) -> str | None:
    """TRL's column for an answer that is better than both."""
    if row.get("reference") in (None, "", []):
        return None
    return answer_to(prompt, row, "reference")


def _answer(
    row: FileRow, column: str, stated: tuple[Message, ...]
) -> tuple[tuple[Message, ...], str]:
    before, answer = last_answer(row, column)
    return (before, answer) if before or stated else _transcript(answer)


def _whole(stated: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """The longer of the two when one ends the other: files repeat the prompt inside the answers."""
    if not before or (stated and stated[-len(before) :] == before):
        return stated
    if before[len(before) - len(stated) :] == stated:
        return before
    raise RowError("'chosen' has turns before its answer that differ from the prompt")


def _transcript(whole: str) -> tuple[tuple[Message, ...], str]:
    """The turns before the last answer, and it, of a text with "Human:" and "Assistant:" in it."""
    parts = SPEAKER.split(f"\n\n{whole.lstrip()}")
    speakers, texts = parts[1::2], parts[2::2]
    if parts[0] or len(texts) < 2 or speakers[-1] != "Assistant":
        return (), whole
    makers = {"Human": user, "Assistant": assistant}
    spoken = [makers[who](what) for who, what in zip(speakers, texts, strict=True)]
    return tuple(spoken[:-1]), spoken[-1].content
