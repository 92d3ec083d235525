"""Options and defaults of a round (votes, gold share, stopping rule), and the plan they make."""

import hashlib
from collections.abc import Sequence
from math import ceil
from typing import ClassVar

from pydantic import Field

from engine.core.errors import UserError
from engine.core.rating import (
    MOST_ANSWERS,
    DecisionRule,
    GoldItem,
    Mode,
    PredictorRule,
    Purpose,
    RoundPlan,
)
from engine.core.recipe import MOST_SEED, Recipe, Ref, RefKind
from engine.stats.power import detectable, wins_needed
from engine.stats.power import plan as needed
from engine.stats.rater_population import DIFFER, FEWEST_RATERS, raters_needed
from engine.stats.side_bias import SIDE_ALPHA
from engine.stats.verdict import votes_for_even

ALPHA = 0.05
SURE = 0.65  # the win rate that a reader is told the cost of
FEWEST_PAIRS = 20  # that a training takes
MOST_PROMPTS = 2000
# two samples of one model must differ; a test compares what a user would get
TEMPERATURE: dict[Purpose, float] = {
    "train_pairs": 0.9,
    "blind_eval": 0.0,
    "aa_control": 0.9,
    "calibration": 0.9,
}
RULES: dict[DecisionRule, str] = {
    "fixed": "better when the interval of the win rate lies above one half and p < 0.05",
    "sequential": "better as soon as the range that holds at every look lies above one half",
}
SAMPLES = 4  # answers to a question; two alone are the same too often (decision 98)
GUIDELINES = """\
Read the question, then both answers, and choose the one that **you** would rather have got.

1. **Right** comes first: a wrong fact outweighs everything else.
2. Then: does it **answer what was asked**, and in the form that was asked for?
3. Then: is anything important **missing**?
4. Only then style. Longer is not better by itself.

**Tie**: both are good and you would take either. **Both bad**: neither should be given to anybody.
**Flag** what is unsafe, holds personal data, says which model it is, or can't be read.
"""


class RoundRecipe(Recipe):
    """What may be chosen about a round: its models, its questions, and how it is rated.

    The form, the command, the recipe file and Python callers all fill in these fields.
    """

    KIND: ClassVar[str] = "round"

    purpose: Purpose = Field("train_pairs", description="Purpose of the votes")
    model: str = Field(description="The model under test, or the one that answers")
    baseline: str | None = Field(
        None, description="Baseline of the comparison; the same model if empty"
    )
    dataset: str = Field(description="Dataset of the questions")
    prompts: int = Field(50, ge=1, le=MOST_PROMPTS, description="Questions to rate")
    overlap: int = Field(
        1, ge=1, le=100_000, description="Votes per comparison, from different people"
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature; if empty, 0 in a blind test and 0.9 otherwise",
    )
    max_new_tokens: int = Field(
        256, ge=1, le=4096, description="Longest answer, in tokens; longer ones are not shown"
    )
    seed: int = Field(
        1, ge=0, le=MOST_SEED, description="Seed of the choice of questions and of sampling"
    )
    name: str = Field("", max_length=80, description="Name of the round")
    mode: Mode = Field("pair", description="Two answers to compare, or one to rate as good or bad")
    decision: DecisionRule = Field(
        "fixed", description="A blind test ends after a fixed number of votes, or with its evidence"
    )
    gold: float = Field(
        0.0, ge=0, le=0.3, description="Share of gold items: comparisons with a known answer"
    )
    gold_items: tuple[GoldItem, ...] = Field((), description="Your own gold items")
    repeats: float = Field(
        0.0, ge=0, le=0.3, description="Share shown again with sides swapped (self-consistency)"
    )
    practice: int = Field(
        0, ge=0, le=20, description="Comparisons with feedback before the first vote"
    )
    per_rater: int | None = Field(
        None, ge=1, le=10_000, description="Maximum votes per person and day"
    )
    guidelines: str = Field(GUIDELINES, max_length=10_000, description="Instructions for raters")
    spare: float = Field(
        0.0, ge=0, le=4, description="Share of further answers, from which close calls are chosen"
    )
    samples: int | None = Field(
        None,
        ge=2,
        le=8,
        description="Answers written to each question, of which those that differ most are "
        "shown; if empty, 4 where preferences are collected for training and 2 otherwise",
    )
    answers: int = Field(
        2,
        ge=2,
        le=MOST_ANSWERS,
        description="Answers shown at a time, where preferences are collected for training: "
        "3 or 4 are ranked",
    )

    best_of: int = Field(
        1,
        ge=1,
        le=8,
        description="Answers that the model under test writes to each question, of which the "
        "reward head of earlier votes chooses the one that is shown",
    )
    predictor: PredictorRule = Field(
        "none",
        description="What predicts the votes of a blind test: the difference in length, in overlap "
        "with the reference, or by the reward head of earlier votes; used only where it "
        "narrows the interval",
    )
    further: int = Field(
        0, ge=0, le=MOST_PROMPTS, description="Further questions for the predictor, without votes"
    )

    @property
    def against(self) -> str:
        """The model it is compared with."""
        return self.baseline or self.model

    @property
    def uses_head(self) -> bool:
        """Whether the reward head of earlier votes has a part in it."""
        return self.best_of > 1 or self.predictor == "head"

    @property
    def sampling_temperature(self) -> float:
        """The temperature that the answers are sampled at."""
        return TEMPERATURE[self.purpose] if self.temperature is None else self.temperature

    @property
    def selects(self) -> bool:
        """Whether two of several answers may be chosen: for training, never in a test."""
        sampled = self.sampling_temperature > 0 and self.best_of == 1
        return self.purpose == "train_pairs" and self.mode == "pair" and sampled

    @property
    def samples_written(self) -> int:
        """How many answers to each question are written."""
        return (SAMPLES if self.selects else 2) if self.samples is None else self.samples

    def needs(self) -> list[Ref]:
        """The dataset and both models."""
        models = (Ref(RefKind.MODEL, each) for each in (self.model, self.against))
        return [Ref(RefKind.DATASET, self.dataset), *models]


def check(recipe: RoundRecipe) -> None:
    """UserError for a plan that contradicts itself."""
    purpose = recipe.purpose
    itself = recipe.against == recipe.model and recipe.best_of == 1
    if purpose == "blind_eval" and itself:
        raise UserError("A blind round needs two different models.", "Choose another baseline.")
    if purpose == "aa_control" and not itself:
        raise UserError(
            "An A/A round compares one model with itself.", "Choose the same model twice."
        )
    if recipe.mode == "single" and purpose != "train_pairs":
        raise UserError(
            "Single answers can be collected for training only.",
            "Choose comparisons of two answers for this purpose.",
        )
    if recipe.decision == "sequential" and purpose != "blind_eval":
        raise UserError(
            "Only a blind test of two models can stop by its evidence.",
            "Choose a fixed number of votes.",
        )
    _check_best_of(recipe)
    _check_samples(recipe)
    _check_answers(recipe)
    _check_predictor(recipe)
    if recipe.spare and (purpose != "train_pairs" or recipe.mode == "single"):
        raise UserError(
            "Only training comparisons can be selected by closeness; a test needs all of them.",
            "Leave the selection to chance.",
        )


def _check_best_of(recipe: RoundRecipe) -> None:
    if recipe.best_of == 1:
        return
    if recipe.purpose not in ("train_pairs", "blind_eval") or recipe.mode == "single":
        raise UserError(
            "The best of several answers can be compared with a baseline only.",
            "Choose comparisons of two models, or let the model answer once.",
        )
    if recipe.samples_written > 2 or recipe.answers > 2 or recipe.spare:
        raise UserError(
            "The reward head chooses the answer of the model under test, so nothing else may.",
            "Show two answers at a time, one from each model.",
        )


def _check_predictor(recipe: RoundRecipe) -> None:
    if recipe.predictor == "none" and not recipe.further:
        return
    if recipe.purpose != "blind_eval" or recipe.decision != "fixed":
        raise UserError(
            "Only a blind test with a fixed number of votes takes a predictor.",
            "Leave out the predictor and its further questions.",
        )
    if recipe.predictor == "none" or not recipe.further:
        raise UserError(
            "A predictor and further questions go together.",
            "Choose both: four further questions for each vote are usual.",
        )


def _check_samples(recipe: RoundRecipe) -> None:
    if recipe.samples_written == 2 or recipe.selects:
        return
    if recipe.purpose == "train_pairs" and recipe.mode == "pair":
        raise UserError(
            "At a temperature of 0 every further answer is the same.",
            "Raise the temperature, or write two answers to each question.",
        )
    raise UserError(
        "Only training comparisons can be chosen from several answers; a test needs what a user "
        "would get.",
        "Write two answers to each question.",
    )


def _check_answers(recipe: RoundRecipe) -> None:
    if recipe.answers == 2:
        return
    if recipe.purpose != "train_pairs" or recipe.mode == "single":
        raise UserError(
            "Only training comparisons can be ranked; a test compares two answers.",
            "Show two answers at a time.",
        )
    if recipe.spare:
        raise UserError(
            "Close calls are chosen among pairs, not among rankings.",
            "Leave the selection to chance, or show two answers at a time.",
        )
    if recipe.samples_written < recipe.answers:
        raise UserError(
            f"{recipe.samples_written} answers are written to each question, fewer than the "
            f"{recipe.answers} that are shown.",
            "Write more answers, or show fewer.",
        )


def plan(
    recipe: RoundRecipe,
    rows: Sequence[int],
    practice: Sequence[GoldItem],
    gold: Sequence[GoldItem],
) -> RoundPlan:
    """The frozen plan: `rows` are the numbers of the questions, more than are rated where spare."""
    prompts = min(recipe.prompts, len(rows))
    optional: dict[str, object] = {"keep": prompts} if recipe.spare else {}
    if recipe.predictor != "none":
        optional |= {"predictor": recipe.predictor, "further": len(rows) - prompts}
    if recipe.samples_written > 2:
        optional["samples"] = recipe.samples_written
    if recipe.answers > 2:
        optional["answers"] = recipe.answers
    if recipe.per_rater:
        optional["per_rater"] = recipe.per_rater
    return RoundPlan(
        arms=(recipe.model, recipe.against),
        dataset=recipe.dataset,
        rows=tuple(rows),
        overlap=recipe.overlap,
        prompts=prompts,
        temperature=recipe.sampling_temperature,
        max_new_tokens=recipe.max_new_tokens,
        seed=recipe.seed,
        purpose=recipe.purpose,
        mode=recipe.mode,
        alpha=ALPHA,
        rule=RULES[recipe.decision],
        decision=recipe.decision,
        detectable=detectable(prompts),
        repeats=ceil(recipe.repeats * prompts),
        guidelines=recipe.guidelines,
        practice=tuple(practice),
        gold=tuple(gold),
    ).model_copy(update=optional)


def version(guidelines: str) -> str:
    """A short name for this very text: a rater reads each version once."""
    return hashlib.sha256(guidelines.encode()).hexdigest()[:8]


def expected(purpose: Purpose, comparisons: int, decision: DecisionRule = "fixed") -> str:
    """What a round of this size can show, said before it is started."""
    if purpose == "calibration":
        return f"{comparisons} practice comparisons with the answer after each vote. None counts."
    if purpose == "train_pairs":
        return _of_training(comparisons)
    rate, wins = detectable(comparisons), wins_needed(comparisons)
    if rate is None or wins is None:
        return "A blind test of fewer than 6 comparisons can show nothing: take 60 or more."
    if purpose == "aa_control":
        return _of_control(comparisons, rate)
    sentence = (
        f"With {comparisons} comparisons this test can see a win rate of {ceil(100 * rate)} % or "
        f"more, if no vote is a tie: {wins} wins then name a winner. "
        "A smaller difference mostly stays unseen."
    )
    if comparisons < (more := needed(SURE).n):
        sentence += f" To see one of {100 * SURE:.0f} % it takes {more} comparisons."
    if decision == "sequential":
        sentence += (
            " Stopping by evidence ends sooner where the difference is large, and needs more votes "
            "where it is small."
        )
    return f"{sentence} {_of_people()}"


def _of_people() -> str:
    """How far a verdict reaches beyond its raters."""
    return (
        f"The verdict is about its raters. A claim about people in general takes {FEWEST_RATERS} "
        f"raters or more, and about {raters_needed(SURE)} for a win rate of {100 * SURE:.0f} %, "
        f"where their own win rates differ by {100 * DIFFER:.0f} points (standard deviation)."
    )


def _of_control(comparisons: int, rate: float) -> str:
    """What an A/A round can see; each answer stands left in half of the comparisons."""
    seen = ceil(100 * rate)
    sentence = (
        f"A model against itself on {comparisons} comparisons should come out even. Where votes "
        f"favour one half of its answers by {seen} to {100 - seen} or more, it mostly shows. "
    )
    if comparisons < (least := votes_for_even()):
        sentence += f"To be called even it takes about {least} votes with a winner. "
    side = detectable(comparisons, alpha=SIDE_ALPHA)
    if side is None:
        return f"{sentence}So few comparisons cannot show that raters favour a side."
    return (
        f"{sentence}A side that raters favour cancels out in this rate and has a test of its own, "
        f"which mostly shows {ceil(100 * side)} % or more of the votes on one side."
    )


def _of_training(comparisons: int) -> str:
    if comparisons < FEWEST_PAIRS:
        return (
            f"Training needs at least {FEWEST_PAIRS} pairs with a better answer; {comparisons} are "
            "too few."
        )
    return (
        f"{comparisons} comparisons to rate. Training needs at least {FEWEST_PAIRS} with a better "
        "answer; ties and “both bad” give none."
    )
