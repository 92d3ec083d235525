"""One example of each kind, after its file layout has been forgotten.

All five are plain data: layouts (engine/formats) make them, checks look at them, the store keeps
them as JSON lines, methods train on them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

RoleName = Literal["system", "user", "assistant", "tool"]
Kind = Literal["sft", "preference", "unpaired", "text", "prompts"]


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: RoleName
    content: str


class _Example(BaseModel):
    model_config = ConfigDict(frozen=True)

    source_row: int = Field(0, description="1-based line or row number in the file it came from")
    group: str | None = Field(None, description="rows of one group never straddle the split")


class Chat(_Example):
    """A conversation whose last answer is the one to learn; `references` are all accepted answers.

    Turns of the user after that answer carry nothing to learn; a fix cuts them.
    """

    kind: Literal["sft"] = "sft"
    messages: tuple[Message, ...]
    references: tuple[str, ...] = ()

    @property
    def prompt(self) -> tuple[Message, ...]:
        return self.messages[: self._last]

    @property
    def answer(self) -> str:
        return self.messages[self._last].content

    @property
    def _last(self) -> int:
        """The place of the last answer; of the last turn where nobody answers."""
        places = [n for n, turn in enumerate(self.messages) if turn.role == "assistant"]
        return places[-1] if places else len(self.messages) - 1

    @property
    def accepted(self) -> tuple[str, ...]:
        """The references, or the answer itself where there are none."""
        return self.references or (self.answer,)


class Preference(_Example):
    """Two answers to one prompt, the better one first."""

    kind: Literal["preference"] = "preference"
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


class Unpaired(_Example):
    """One answer and whether it was liked."""

    kind: Literal["unpaired"] = "unpaired"
    prompt: tuple[Message, ...]
    completion: str
    label: bool


class Text(_Example):
    """Plain text, every token of which is learned."""

    kind: Literal["text"] = "text"
    text: str


class Prompt(_Example):
    """A question without an answer; `references` where the file gives accepted answers."""

    kind: Literal["prompts"] = "prompts"
    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()


Example = Annotated[Chat | Preference | Unpaired | Text | Prompt, Field(discriminator="kind")]
EXAMPLE_ADAPTER: TypeAdapter[Example] = TypeAdapter(Example)


def prompt_of(example: Example) -> tuple[Message, ...]:
    """The messages before the answer; a text is its own single user message."""
    if isinstance(example, Text):
        return (Message(role="user", content=example.text),)
    return example.prompt


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
