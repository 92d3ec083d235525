"""The rows of a run as text, in the shapes that other programs read."""

from collections.abc import Callable, Iterator
from typing import TypedDict

from engine.core.dataset import Split
from engine.core.examples import Chat, Example, Message, Preference, Text
from engine.recipe_files.run import ExportedRun, Part, line


class ChatTurn(TypedDict):
    """A turn as chat formats have it."""

    role: str
    content: str


Row = dict[str, str | ChatTurn | list[ChatTurn]]
Write = Callable[[Example], Iterator[Row]]


def turns(messages: tuple[Message, ...]) -> list[ChatTurn]:
    """The messages of a conversation."""
    return [{"role": one.role, "content": one.content} for one in messages]


def answer(text: str) -> list[ChatTurn]:
    """One answer."""
    return [{"role": "assistant", "content": text}]


def conversations(example: Example) -> Iterator[Row]:
    """`messages` up to the last answer; `text` of a plain text."""
    if isinstance(example, Chat):
        yield {"messages": [*turns(example.prompt), *answer(example.answer)]}
    elif isinstance(example, Text):
        yield {"text": example.text}


def prompts_and_completions(example: Example) -> Iterator[Row]:
    """A row for each learned answer of a conversation: what stands before it, and the answer."""
    if isinstance(example, Text):
        yield {"text": example.text}
    if not isinstance(example, Chat):
        return
    messages = (*example.prompt, Message(role="assistant", content=example.answer))
    for number, message in enumerate(messages):
        if message.is_learned and number:
            yield {"prompt": turns(messages[:number]), "completion": answer(message.content)}


def pairs(example: Example) -> Iterator[Row]:
    """`prompt`, `chosen` and `rejected`, each a list of turns."""
    if isinstance(example, Preference):
        yield {
            "prompt": turns(example.prompt),
            "chosen": answer(example.chosen),
            "rejected": answer(example.rejected),
        }


def single_turns(example: Example) -> Iterator[Row]:
    """The same with one turn for each answer, not a list of them."""
    if isinstance(example, Preference):
        yield {
            "prompt": turns(example.prompt),
            "chosen": answer(example.chosen)[0],
            "rejected": answer(example.rejected)[0],
        }


def weight_notes(run: ExportedRun, program: str) -> list[str]:
    """A sentence where answers that the run did not learn are among those of `conversations`."""
    splits = [split for split, _ in named_splits(run)]
    chats = sum(
        isinstance(each, Chat) and any(turn.is_context for turn in each.prompt)
        for split in splits
        for each in run.rows(split)
    )
    if run.method != "sft" or not chats:
        return []
    counted = "1 conversation has" if chats == 1 else f"{chats:,} conversations have"
    return [
        f"{counted} answers of the weight 0, which the run showed and did not learn; "
        f"{program} learns them."
    ]


def parts(run: ExportedRun, write: Write) -> Iterator[Part]:
    """data/train.jsonl, and data/test.jsonl where rows are held out."""
    for split, name in named_splits(run):
        yield (
            f"data/{name}.jsonl",
            (line(row) for example in run.rows(split) for row in write(example)),
        )


def named_splits(run: ExportedRun) -> list[tuple[Split, str]]:
    """The sides of the dataset, and what others call them."""
    train: list[tuple[Split, str]] = [("train", "train")]
    return [*train, ("held_out", "test")] if run.dataset.held_out_rows else train
