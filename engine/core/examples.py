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
    weight: Literal[0, 1] = Field(
        1, exclude_if=bool, description="0 for an answer that is context and carries no loss"
    )

    @property
    def is_context(self) -> bool:
        """Whether this is an answer that is shown and not learned."""
        return self.role == "assistant" and self.weight == 0

    @property
    def is_learned(self) -> bool:
        """Whether this is an answer that carries loss."""
        return self.role == "assistant" and self.weight == 1


class _Example(BaseModel):
    model_config = ConfigDict(frozen=True)

    source_row: int = Field(0, description="1-based line or row number in the file it came from")
    group: str | None = Field(None, description="rows of one group never straddle the split")


class Chat(_Example):
    """A conversation whose last answer is the one to learn; `references` are all accepted answers.

    Answers of the weight 0 are context. Turns after the last answer of the weight 1 carry nothing
    to learn and change no loss, so a training doesn't read them; a fix cuts those of the user.
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
        """The place of the last answer to learn; of the last turn where there is none."""
        places = [n for n, turn in enumerate(self.messages) if turn.is_learned]
        return places[-1] if places else len(self.messages) - 1

    @property
    def accepted(self) -> tuple[str, ...]:
        """The references, or the answer itself where there are none."""
        return self.references or (self.answer,)


class Preference(_Example):
    """Two answers to one prompt, the better one first.

    `improved` is a text that a person wrote after reading them, better than both. `weight` of its
    loss: the pairs of one ranking share that of one pair.
    """

    kind: Literal["preference"] = "preference"
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    improved: str | None = Field(None, exclude_if=lambda text: text is None)
    weight: float = Field(1.0, gt=0, le=1, exclude_if=lambda weight: weight == 1)


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


def references_of(example: Chat | Prompt) -> tuple[str, ...]:
    """The answers that count as right; none for a prompt that came without."""
    return example.accepted if isinstance(example, Chat) else example.references


def answers_of(example: Example) -> tuple[str, ...]:
    """The texts to learn from or against; none for a prompt."""
    match example:
        case Chat():
            return (example.answer,)
        case Preference():
            further = () if example.improved is None else (example.improved,)
            return (example.chosen, example.rejected, *further)
        case Unpaired():
            return (example.completion,)
        case Text():
            return (example.text,)
        case Prompt():
            return ()


def context_answers(example: Example) -> int:
    """How many answers of a conversation have the weight 0."""
    return sum(turn.is_context for turn in example.messages) if isinstance(example, Chat) else 0
