"""Votes and ratings that a file gives, before anything of the project is known of them."""

from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.parsed_file import BrokenRow
from engine.core.rating import Choice

VoteRole = Literal[
    "prompt", "rater", "choice", "left_model", "right_model", "model_a", "model_b",
    "left_answer", "right_answer", "answer_a", "answer_b", "strength", "left_length",
    "right_length", "expected", "time", "model", "answer", "rating",
]  # fmt: skip
ROLES: tuple[VoteRole, ...] = get_args(VoteRole)
# a column on the left side of the screen and its partner; then those whose side nobody states
SIDES: tuple[tuple[VoteRole, VoteRole], ...] = (
    ("left_model", "right_model"), ("left_answer", "right_answer"),
)  # fmt: skip
LETTERS: tuple[tuple[VoteRole, VoteRole], ...] = (("model_a", "model_b"), ("answer_a", "answer_b"))


class VoteMapping(BaseModel):
    """Which column plays which role, and what its words for a choice mean.

    `choices`: a word of the file -> a word that is known, such as "5" -> "b is clearly better".
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[VoteRole, str]
    choices: dict[str, str] = {}


class GivenAnswer(NamedTuple):
    """One side of a vote; `text` is None where the file does not hold the answer."""

    model: str
    text: str | None = None
    length: float | None = None


class GivenVote(NamedTuple):
    """A vote on two answers, in the order of the file: a choice of `left` is the first.

    `sides` says whether the first one stood on the left for the rater. `item` tells one prompt
    from another, `strength` is 2 where the choice is a clear one and 1 where it is a slight one.
    """

    row: int
    item: str
    prompt: tuple[Message, ...]
    rater: str  # empty where the file names nobody
    first: GivenAnswer
    second: GivenAnswer
    choice: Choice
    strength: Literal[1, 2] | None = None
    sides: bool = False
    at: float | None = None  # seconds since 1970
    expected: Choice | None = None
    second_row: int | None = None  # where the second answer has a row of its own


class GivenRating(NamedTuple):
    """A rating of one answer: thumbs are 1 and 0, or 1 and -1; stars as they are."""

    row: int
    item: str
    prompt: tuple[Message, ...]
    rater: str
    answer: GivenAnswer
    value: float
    at: float | None = None


class SkippedRow(NamedTuple):
    """A row that holds no vote of a person and is no mistake: a draft, a score of a program."""

    row: int
    reason: str


class VoteFile(NamedTuple):
    """What a file of votes holds; each list is in the order of the file.

    `columns` are those of a table, with the mapping that was used. `notes` say what was passed
    over, as a sentence each.
    """

    format: str
    votes: list[GivenVote]
    ratings: list[GivenRating]
    skipped: list[SkippedRow]
    broken: list[BrokenRow]
    rows: int
    columns: tuple[str, ...] = ()
    mapping: VoteMapping | None = None
    notes: tuple[str, ...] = ()

    @property
    def sides(self) -> bool:
        """Whether every vote says which answer stood on the left."""
        return bool(self.votes) and all(vote.sides for vote in self.votes)


def vote_mapping(columns: dict[str, str], choices: dict[str, str] | None = None) -> VoteMapping:
    """The mapping that a person wrote down; UserError for a role that there is not."""
    unknown = [role for role in columns if role not in ROLES]
    if unknown:
        raise UserError(f"There is no role {unknown[0][:40]!r}.", f"Known: {', '.join(ROLES)}.")
    return VoteMapping.model_validate({"columns": columns, "choices": choices or {}})
