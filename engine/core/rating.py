"""Blind rating: rounds of comparisons, votes, and what they add up to.

A comparison keeps its two answers, A and B, in an order made from their hashes, which says
nothing about the models. An assignment decides which of the two is shown on the left. In a round
of the mode `single` a comparison holds one answer, A, which is called good or bad. A comparison of
three or four answers, A to D, is ranked: the vote holds a rank for each of them, as they stood.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_serializer, with_config
from typing_extensions import TypedDict  # pydantic reads this one before Python 3.12

from engine.core.examples import Message

Purpose = Literal["train_pairs", "blind_eval", "aa_control", "calibration"]
BLIND: tuple[Purpose, ...] = ("blind_eval", "aa_control")  # nothing is told before the close
Mode = Literal["pair", "single"]
DecisionRule = Literal["fixed", "sequential"]
Choice = Literal["left", "right", "tie", "both_bad"]
Side = Literal["left", "right"]
Position = Literal[
    "left", "right", "third", "fourth"
]  # on the screen; of two answers the first two
POSITIONS: tuple[Position, ...] = ("left", "right", "third", "fourth")
LETTERS = "abcd"  # the answers of a ranking
MOST_ANSWERS = len(LETTERS)
ShownMode = Literal["pair", "single", "rank"]
Answer = Literal["a", "b"]
ScreenChoice = Literal["left", "right", "tie", "both_bad", "good", "bad", "ranked"]
AnswerChoice = Literal["a", "b", "tie", "both_bad", "good", "bad", "ranked"]
RoundStatus = Literal["preparing", "open", "closed", "failed", "removed"]
ComparisonKind = Literal["normal", "identical", "gold", "repeat", "calibration", "further"]
PredictorRule = Literal["none", "length", "overlap", "head"]  # services/rating/predictors.py
FlagTarget = Literal["prompt", "left", "right", "third", "fourth", "pair"]
FlagKind = Literal[
    "unsafe", "pii", "identity_leak", "broken_render", "off_topic", "duplicate", "cannot_judge"
]
Generally = Literal["better", "worse", "not shown"]
Decision = Literal["better", "worse", "no difference shown"]
SHOWN_CHARACTERS = 20_000  # of one answer; what lies beyond is cut and said so
REASONS = (
    "more accurate",
    "follows the question",
    "more complete",
    "clearer",
    "better tone",
    "right length",
    "better format",
    "safer",
)


class AssignmentState(StrEnum):
    """What became of a comparison that a rater was given."""

    LEASED = "leased"
    VOTED = "voted"
    EXTRA = "extra"  # voted when the places were taken
    SKIPPED = "skipped"
    FLAGGED = "flagged"


class AnswerOfModel(TypedDict):
    """An answer beyond the second, and the model that wrote it."""

    text: str
    model: str


@with_config(ConfigDict(extra="allow"))
class ComparisonDetails(TypedDict, total=False):
    """What is known of a comparison beside its texts.

    Of a gold or practice item `answer`, the right one, and `reason`; of a repeat `of`, the first.
    `rule` says why it was chosen to be rated, `margin` how much better a model finds answer A.
    `written` answers were there to choose from, and its two have this `difference`
    (jobs/most_different). `no_text` is set where the file that it came from has no prompt or no
    answers. `scores` are those of answers A and B by the plan's reward head. `more` are answers C
    and D of a comparison that is ranked; `ranking` is the comparison that a pair was taken from,
    for counting alone.
    """

    answer: AnswerChoice
    reason: str
    of: str
    rule: str
    margin: float
    written: int
    difference: float
    no_text: bool
    more: list[AnswerOfModel]
    ranking: str
    scores: list[float]


class EditDetails(TypedDict):
    """A better text of the answer on `side`, as it is stored with a vote."""

    side: Position
    text: str


class VoteDetails(TypedDict, total=False):
    """What a rater said beside the choice; what was left out is not there.

    `ranks` of a ranking: of each answer as it stood, 1 for the best; tied answers share a rank.
    """

    ranks: list[int]
    layout: Literal["side", "stacked"]
    strength: Literal[1, 2]
    acceptable_left: bool
    acceptable_right: bool
    reasons: list[str]
    rationale: str
    edit: EditDetails


class Candidate(BaseModel):
    """One model's answer to one prompt; `prompt_no` counts the round's prompts from 0."""

    model_config = ConfigDict(frozen=True)

    prompt_no: int
    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()
    model_id: str
    seed: int
    text: str
    finished: bool = True  # False: cut at the token limit, never shown
    score: float | None = None  # by the reward head of the plan
    details: ComparisonDetails = ComparisonDetails()  # why its pair was chosen to be rated


class GoldItem(BaseModel):
    """A question, the answer that is right beyond dispute, one that is not, and why."""

    model_config = ConfigDict(frozen=True)

    prompt: tuple[Message, ...]
    right: str = Field(min_length=1, max_length=20_000)
    wrong: str = Field(max_length=20_000)
    reason: str = Field(min_length=1, max_length=500)


class RoundOrigin(BaseModel):
    """The file that a round was made of; `votes` and `ratings` came with it, `answers` without.

    `sides`: every vote states which answer stood on the left. `linked`: both models are models of
    the project, not names alone. `left_out`: rows that became nothing, by reason.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["votes", "ratings", "answers"]
    file: str
    sha256: str
    format: str = ""
    sides: bool = False
    linked: bool = False
    left_out: dict[str, int] = Field(default_factory=dict)


class RoundPlan(BaseModel):
    """How a round is asked, rated and judged, frozen before the first vote.

    It dumps as what it was made of or read from: fields that were not given stay out, and fields
    of another version stay in, so its JSON has the hash that the round keeps (`plan_sha256`).
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    arms: tuple[str, ...] = ()  # ids of the models: under test, then the baseline
    dataset: str = ""
    rows: tuple[int, ...] = ()  # numbers of the rows whose questions are asked
    keep: int | None = None  # pairs that are rated, where more answers are written
    samples: int = 2  # answers written to each question, of which `answers` are shown
    answers: int = 2  # most answers that are shown at a time; more than two are ranked
    prompts: int = 0
    predictor: PredictorRule = "none"  # of the votes, on the further questions too
    further: int = 0  # of the rows, the last ones: answered, and shown to nobody
    head: str | None = None  # the job whose reward head predicts votes, or chooses answers
    head_sha256: str | None = None
    best_of: int = 1  # answers that the arm under test writes, of which the head prefers one
    best_of_model: str | None = None  # the model that writes them; the arm is known by name alone
    overlap: int = 1  # votes on each pair, each of a different person
    temperature: float = 0.0
    max_new_tokens: int = 0
    seed: int = 1
    purpose: Purpose = "train_pairs"
    mode: Mode = "pair"
    alpha: float = 0.05
    rule: str = ""
    decision: DecisionRule = "fixed"
    detectable: float | None = None  # the smallest win rate that this many prompts can show
    repeats: int = 0
    guidelines: str | None = None
    per_rater: int | None = None  # most votes of one person a day
    practice: tuple[GoldItem, ...] = Field((), alias="calibration")
    gold: tuple[GoldItem, ...] = ()
    again: str | None = None  # the round whose contested pairs are asked again
    origin: RoundOrigin | None = None  # the file that its answers, or votes too, came from

    @model_serializer(mode="plain")
    def _as_given(self) -> dict[str, object]:
        fields = type(self).model_fields
        given = {
            fields[name].alias or name: getattr(self, name)
            for name in fields
            if name in self.model_fields_set
        }
        return {**given, **(self.model_extra or {})}


class Round(BaseModel):
    """A plan frozen before the first vote. `arm_new` is under test against `arm_base`."""

    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    name: str
    purpose: Purpose
    arm_new: str
    arm_base: str
    plan: RoundPlan
    plan_sha256: str
    status: RoundStatus
    job_id: str | None = None
    created_by: str
    created_at: float
    closed_at: float | None = None

    @property
    def blind(self) -> bool:
        """Whether nobody may see how it stands before it is closed."""
        return self.purpose in BLIND

    @property
    def mode(self) -> Mode:
        return self.plan.mode

    @property
    def imported(self) -> bool:
        """Whether its votes came from a file."""
        return self.plan.origin is not None and self.plan.origin.kind != "answers"

    @property
    def states_sides(self) -> bool:
        """Whether it is known which answer stood on the left; False: not known to be blind."""
        origin = self.plan.origin
        return origin is None or origin.kind == "answers" or origin.sides

    @property
    def weighable(self) -> bool:
        """Whether a verdict may be given of its votes."""
        two = self.arm_new != self.arm_base and self.mode == "pair"
        return self.blind or (self.imported and self.states_sides and two)

    @property
    def of_the_loop(self) -> bool:
        """Whether it says something of two models of the project."""
        return self.plan.origin is None or self.plan.origin.linked


class Comparison(BaseModel):
    """Two answers to one prompt, each of the model that wrote it; one of them in single rounds."""

    model_config = ConfigDict(frozen=True)

    id: str
    round_id: str
    position: int
    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()
    answer_a: str
    answer_b: str
    model_a: str
    model_b: str
    kind: ComparisonKind = "normal"
    details: ComparisonDetails = ComparisonDetails()

    @property
    def ranked(self) -> bool:
        """Whether it holds three or four answers."""
        return bool(self.details.get("more"))

    @property
    def answers(self) -> dict[str, str]:
        """The texts of answers A to D by their letters, as many as there are."""
        more = [each["text"] for each in self.details.get("more", [])]
        return dict(zip(LETTERS, (self.answer_a, self.answer_b, *more), strict=False))

    @property
    def models(self) -> dict[str, str]:
        """The models that wrote answers A to D, by their letters."""
        more = [each["model"] for each in self.details.get("more", [])]
        return dict(zip(LETTERS, (self.model_a, self.model_b, *more), strict=False))


class Edit(BaseModel):
    """A better text that a rater made of the answer on `side`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Position
    text: str = Field(min_length=1, max_length=SHOWN_CHARACTERS)


class VoteRequest(BaseModel):
    """A vote as the browser sends it; `active_ms` is the time the comparison was on the screen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str = Field(max_length=64)
    key: str = Field(min_length=8, max_length=64, pattern=r"^[\x21-\x7e]+$")
    choice: ScreenChoice
    active_ms: int = 0
    via: Literal["key", "button", "touch", "api"] = "key"
    layout: Literal["side", "stacked"] | None = None
    strength: Literal[1, 2] | None = None
    acceptable_left: bool | None = None
    acceptable_right: bool | None = None
    reasons: tuple[str, ...] = Field((), max_length=len(REASONS))
    rationale: str | None = Field(None, max_length=2000)
    edit: Edit | None = None
    ranks: tuple[int, ...] | None = Field(None, min_length=3, max_length=MOST_ANSWERS)

    @property
    def details(self) -> VoteDetails:
        """What was written beside the choice; nothing that was left out."""
        beside = {"token", "key", "choice", "active_ms", "via"}
        written = self.model_dump(mode="json", exclude=beside, exclude_none=True)
        given = {name: value for name, value in written.items() if value not in ("", [])}
        return cast("VoteDetails", given)


class ShownComparison(BaseModel):
    """All that a rater ever learns of a comparison, as Markdown; a single answer stands left.

    `more` are the third and the fourth answer of one that is ranked.
    """

    model_config = ConfigDict(frozen=True)

    token: str
    mode: ShownMode = "pair"
    prompt: str
    left: str
    right: str
    more: tuple[str, ...] = ()
    done: int  # votes of this rater in this round
    total: int  # comparisons of the round that this rater can vote on
    can_undo: bool


class Feedback(BaseModel):
    """What a rater learns after a practice pair."""

    model_config = ConfigDict(frozen=True)

    right: bool
    expected: str
    reason: str


class RaterState(BaseModel):
    """Where a rater is; `pause` says why nothing is shown although something is left."""

    model_config = ConfigDict(frozen=True)

    pair: ShownComparison | None
    ahead: ShownComparison | None = None
    feedback: Feedback | None = None
    pause: str | None = None


def tally_words(wins: int, losses: int, ties: int, both_bad: int, identical: int = 0) -> str:
    """The votes of a round as every sentence has them, from the side of the new model.

    `identical` of the ties are questions with the same answer from both, which nobody voted on.
    """
    same = f", same answer {identical}" if identical else ""
    return f"wins {wins}, losses {losses}, ties {ties - identical}, both bad {both_bad}{same}"


def same_answer_words(identical: int) -> str:
    """What a sentence says of questions with one answer from both; empty without any."""
    return f", {identical} with the same answer from both counted as ties" if identical else ""


class Panel(BaseModel):
    """Who voted: people, and simulated raters with the number of rules that they follow."""

    model_config = ConfigDict(frozen=True)

    people: int = 0
    simulated: int = 0
    rules: int = 0

    @property
    def words(self) -> str:
        """As a sentence names them; simulated raters of one rule are one opinion."""
        raters = _several(self.people, "rater")
        if not self.simulated:
            return raters
        rules = _several(self.rules, "rule") if self.rules > 1 else "one rule"
        ruled = f"{_several(self.simulated, 'rater')} of {rules}"
        people = "person" if self.people == 1 else "people"
        return f"{self.people} {people} and {ruled}" if self.people else ruled


def simulated_rater(rule: str, number: int) -> str:
    """The name under which a simulated rater votes; no person can have it."""
    return f"simulated-{rule}-{number}"


def rule_or_rater(rater: str) -> str:
    """Whose judgement a vote is: the rater's own, or the rule's that simulated raters share."""
    ruled = _SIMULATED.fullmatch(rater)
    return f"simulated-{ruled[1]}" if ruled else rater


def panel_of(raters: Iterable[str]) -> Panel:
    """The raters of these names as people and simulated raters."""
    names = set(raters)
    ruled = {name for name in names if _SIMULATED.fullmatch(name)}
    return Panel(
        people=len(names - ruled),
        simulated=len(ruled),
        rules=len(set(map(rule_or_rater, ruled))),
    )


_SIMULATED = re.compile(r"simulated-(.+)-\d+")


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Tally(BaseModel):
    """Votes of a round from the side of `arm_new`; `by_prompt`: each prompt's mean in [0, 1]."""

    model_config = ConfigDict(frozen=True)

    wins: int
    losses: int
    ties: int
    both_bad: int
    raters: int
    prompts: int
    left: int  # votes for the left side, whatever stood there
    right: int
    by_prompt: tuple[float, ...]
    good: int = 0  # in a round of single answers
    bad: int = 0
    paused: int = 0  # votes of paused raters, which are in none of the numbers above
    guests: int = 0  # votes of people whom nobody knows, in none of the numbers above either
    deleted: int = 0  # votes that were deleted with all that their raters did
    identical: int = 0  # of the ties: questions with the same answer from both, that nobody saw
    ranked: int = 0  # votes that ranked three or four answers; each is a win, a loss or a tie above
    panel: Panel = Panel()


class People(BaseModel):
    """The win rate with raters as well as questions drawn by chance, and what it shows.

    `raters` counts raters who judge for themselves: simulated ones of one rule are one.
    """

    model_config = ConfigDict(frozen=True)

    raters: int
    low: float
    high: float
    decision: Generally


class VotesAlone(BaseModel):
    """What the votes show without a predictor."""

    model_config = ConfigDict(frozen=True)

    win_rate: float
    low: float
    high: float


class Predictor(BaseModel):
    """Whether a predictor made the interval narrower, and by how many votes.

    `correlation` is that of its numbers with the scores of questions that have votes; None where
    one of them is the same everywhere. `votes_saved` is 0 where it was not used.
    """

    model_config = ConfigDict(frozen=True)

    used: bool
    correlation: float | None
    votes_saved: int
    sentence: str


class Verdict(BaseModel):
    """`win_rate` counts ties and both-bad as half; `decisive_rate` leaves them out.

    `n` counts votes, `decisive` those with a winner. `detectable` is the smallest true win rate
    (ties as half) that a test of this size shows in 80 of 100 cases; None where it shows none.
    `identical` of the ties are questions with the same answer from both, which nobody voted on.
    The decision is about the raters of `panel`, where that is known; `people` is about people in
    general, None below four raters. With a predictor `votes_only` and `predictor` are there, and
    where it was used, `win_rate` to `p` and `detectable` are those with it.
    """

    model_config = ConfigDict(frozen=True)

    sentence: str
    decision: Decision
    win_rate: float
    low: float
    high: float
    p: float
    n: int
    decisive: int
    decisive_rate: float
    decisive_low: float
    decisive_high: float
    detectable: float | None
    wins: int
    losses: int
    ties: int
    both_bad: int
    identical: int = 0
    panel: Panel | None = None
    people: People | None = None
    votes_only: VotesAlone | None = None
    predictor: Predictor | None = None

    @property
    def votes(self) -> int:
        """Votes that raters cast; `n` also counts questions with the same answer from both."""
        return self.n - self.identical

    @property
    def voted_ties(self) -> int:
        """Ties that raters chose."""
        return self.ties - self.identical
