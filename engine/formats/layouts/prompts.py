"""Questions without an answer to learn: for generating, rating and scoring."""

from engine.core.errors import RowError
from engine.core.examples import Kind, Prompt
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import prompt_turns
from engine.formats.turns import place, references, share, system

TITLE = "Prompts"
KIND: Kind = "prompts"
SUMMARY = "prompt, references (may be absent)"
COLUMNS = frozenset({"prompt", "references", "question", "answer", "system", "group"})

# beside a prompt these are answers or judgements, and dropping them silently would lose them
ANSWERS = frozenset(
    {"completion", "response", "answer", "answers", "output", "target", "reply"}
    | {"chosen", "rejected", "rejected_response", "rejected_messages", "label", "winner"}
)


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a prompt and no answer."""
    return share(rows, _is_prompt)


def read(row: FileRow, number: int) -> Prompt:
    """A prompt with the answers that count as right, if the file gives any.

    Rows of {question, answer} are read too where a person asks for this layout.
    """
    asked, accepted = ("prompt", "references") if "prompt" in row else ("question", "answer")
    prompt = (*system(row), *prompt_turns(row, asked))
    if prompt[-1].role == "assistant":
        raise RowError("the prompt ends with a turn of the assistant")
    return Prompt(prompt=prompt, references=references(row, accepted), **place(row, number))


def _is_prompt(row: FileRow) -> bool:
    return isinstance(row.get("prompt"), str | list) and not ANSWERS & row.keys()
