"""The answers of a rating round, written before anybody rates: two to four a prompt are shown."""

from collections import Counter
from typing import ClassVar

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Chat, Prompt, references_of
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import WrittenResult
from engine.core.rating import MOST_ANSWERS, Candidate
from engine.core.recipe import MOST_SEED, Ref, RefKind
from engine.core.recipe import Recipe as BaseRecipe
from engine.jobs import answerers, comparison_selection, head_scores, most_different
from engine.models.answer import Reply

TEMPERATURE = 0.9  # of the answers among which the head chooses, where a test is greedy
SEEDS_APART = 1000  # from the seeds of the other arm
TITLE = "Answers for a round"
SUMMARY = "Generates the answers to every prompt before rating begins."


class Recipe(BaseRecipe):
    """What the frozen plan of a round says (engine/services/rating/rounds.py makes it)."""

    KIND = "generate"
    ANSWERS: ClassVar[bool] = True

    round: str = Field(description="The round that waits for these answers")
    model_new: str = Field(description="The model under test")
    model_base: str = Field(
        description="Baseline of the comparison; the same model for two samples"
    )
    dataset: str = Field(description="Dataset of the prompts")
    rows: tuple[int, ...] = Field(description="Row numbers of the prompts")
    temperature: float = Field(0.9, ge=0, le=2, description="0 is greedy; higher is more varied")
    max_new_tokens: int = Field(256, ge=1, le=4096, description="Longest answer, in tokens")
    seed: int = Field(1, ge=0, le=MOST_SEED, description="Same seed, same answers")
    keep: int | None = Field(
        None, ge=1, description="Comparisons to rate of those generated: half random, half close"
    )

    samples: int = Field(
        2, ge=2, le=8, description="Answers to each prompt; those that differ most are kept"
    )
    head: str | None = Field(
        None,
        description="The job whose reward head scores the answers, to predict or to choose",
    )
    best_of: int = Field(
        1,
        ge=1,
        le=8,
        description="Answers of the model under test, of which the reward head prefers one",
    )
    arm: str | None = Field(None, description="What the best of several answers counts as")
    answers: int = Field(
        2, ge=2, le=MOST_ANSWERS, description="Answers to each prompt that are kept"
    )

    def needs(self) -> list[Ref]:
        """The dataset and both models."""
        models = [Ref(RefKind.MODEL, each) for each in (self.model_new, self.model_base)]
        return [Ref(RefKind.DATASET, self.dataset), *models]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Two answers to every prompt, one from each model or both of one, or up to four to rank.

    Where more are written, those that differ most are kept.
    """
    by_index = {row.index: row.example for row in ctx.rows(recipe.dataset)}
    chosen = [by_index[number] for number in recipe.rows]
    asked = [e for e in chosen if isinstance(e, Chat | Prompt)]
    if not asked:
        raise UserError("This dataset has no prompts.", "Choose one of chats or prompts.")
    found: list[Candidate] = []
    turns = sorted(range(recipe.samples), key=lambda turn: turn % 2)  # each model is loaded once
    for place, turn in enumerate(turns):
        model_id = (recipe.model_new, recipe.model_base)[turn % 2]
        files = ctx.model(model_id)
        if recipe.best_of > 1 and not turn % 2:
            found += _best(recipe, ctx, asked)
            continue
        replies = answerers.load(ctx, files).answer(
            files,
            [example.prompt for example in asked],
            max_new_tokens=recipe.max_new_tokens,
            temperature=recipe.temperature,
            seed=recipe.seed + turn,
            done=answerers.progress(
                ctx, recipe.samples * len(asked), "answers", place * len(asked)
            ),
        )
        found += [
            _candidate(n, example, reply, model_id, recipe.seed + turn)
            for n, (example, reply) in enumerate(zip(asked, replies, strict=True))
        ]
    result = WrittenResult(prompts=len(asked), answers=len(found))
    if recipe.head:
        found = head_scores.scored(ctx, ctx.reward_head(recipe.head), found)
    if recipe.answers > 2:
        found = _to_rank(found, len(asked), recipe.answers)
    elif recipe.samples > 2:
        found = _most_different(found, len(asked))
    if recipe.keep:
        found = _selected(recipe, ctx, found)
        rules = Counter(str(one.details["rule"]) for one in found[::2])
        result = result.model_copy(update={"chosen": dict(rules)})
    return Outcome(result=result, round_id=recipe.round, candidates=tuple(found))


def _best(recipe: Recipe, ctx: Context, asked: list[Chat | Prompt]) -> list[Candidate]:
    """Of several sampled answers to each prompt the one that the reward head prefers.

    One that was cut is taken where there is no other.
    """
    if recipe.head is None:
        raise UserError("No reward head chooses the answers.", "Learn one from the votes first.")
    files = ctx.model(recipe.model_new)
    written: list[Candidate] = []
    total = recipe.best_of * len(asked)
    for number in range(recipe.best_of):
        seed = recipe.seed + SEEDS_APART + number
        replies = answerers.load(ctx, files).answer(
            files,
            [example.prompt for example in asked],
            max_new_tokens=recipe.max_new_tokens,
            temperature=recipe.temperature or TEMPERATURE,
            seed=seed,
            done=answerers.progress(ctx, total, "answers", number * len(asked)),
        )
        written += [
            _candidate(n, example, reply, recipe.arm or recipe.model_new, seed)
            for n, (example, reply) in enumerate(zip(asked, replies, strict=True))
        ]
    scored = head_scores.scored(ctx, ctx.reward_head(recipe.head), written)
    return [max(scored[n :: len(asked)], key=_preferred) for n in range(len(asked))]


def _preferred(one: Candidate) -> tuple[bool, float]:
    shown = one.finished and bool(one.text.strip())
    return shown, float("-inf") if one.score is None else one.score


def _most_different(found: list[Candidate], prompts: int) -> list[Candidate]:
    """Two answers to each prompt, in the order that they have where no more are written."""
    kept = [most_different.two(found[n::prompts]) for n in range(prompts)]
    return [first for first, _ in kept] + [second for _, second in kept]


def _to_rank(found: list[Candidate], prompts: int, most: int) -> list[Candidate]:
    """Up to `most` different answers to each prompt, prompt by prompt."""
    return [
        each for n in range(prompts) for each in most_different.several(found[n::prompts], most)
    ]


def _selected(recipe: Recipe, ctx: Context, found: list[Candidate]) -> list[Candidate]:
    """The two answers of each pair that is worth a vote, and why it was chosen."""
    half = len(found) // 2
    both = list(zip(found[:half], found[half:], strict=True))
    pairs = [
        comparison_selection.AnswerPair(a.prompt_no, a.prompt, a.text, b.text)
        for a, b in both
        if a.finished and b.finished and a.text.split() != b.text.split()
    ]
    policy = ctx.model(recipe.model_new)
    answerer = answerers.load(ctx, ctx.model(recipe.model_base))  # the one in memory
    margins = comparison_selection.margins(ctx, answerer, policy, pairs)
    why = comparison_selection.choose(pairs, recipe.keep or len(pairs), margins, recipe.seed)
    return [
        one.model_copy(update={"details": {**one.details, **why[one.prompt_no]}})
        for pair in both
        for one in pair
        if one.prompt_no in why
    ]


def _candidate(
    number: int, example: Chat | Prompt, reply: Reply, model_id: str, seed: int
) -> Candidate:
    return Candidate(
        prompt_no=number,
        prompt=example.prompt,
        references=references_of(example),
        model_id=model_id,
        seed=seed,
        text=reply.text,
        finished=reply.finished,
    )
