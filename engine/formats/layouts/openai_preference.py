"""OpenAI's pairs: input.messages with a preferred and a non-preferred output."""

from engine.core.errors import RowError
from engine.core.examples import Kind, Preference
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answer_to
from engine.formats.turns import OPENAI, kind_of, place, share, turns

TITLE = "OpenAI preference"
KIND: Kind = "preference"
SUMMARY = "input: {messages}, preferred_output, non_preferred_output"
COLUMNS = frozenset({"input", "preferred_output", "non_preferred_output", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with both outputs."""
    return share(rows, lambda row: "preferred_output" in row and "non_preferred_output" in row)


def read(row: FileRow, number: int) -> Preference:
    """A pair of two outputs to the same messages."""
    given = row.get("input")
    if not isinstance(given, dict):
        raise RowError(f"'input' is {kind_of(given)}, not an object with messages")
    prompt = turns(given.get("messages"), OPENAI, "input.messages")
    chosen = answer_to(prompt, row, "preferred_output")
    rejected = answer_to(prompt, row, "non_preferred_output")
    return Preference(prompt=prompt, chosen=chosen, rejected=rejected, **place(row, number))
