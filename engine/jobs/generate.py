"""The answers of a rating round, written before anybody rates: two a prompt."""

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Chat, Prompt
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import WrittenResult
from engine.core.rating import Candidate
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.jobs import answerers, comparison_selection
from engine.models.answer import Reply

TITLE = "Answers for a round"
SUMMARY = "Generates two answers to every prompt before rating begins."


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
    seed: int = Field(1, ge=0, description="Same seed, same answers")
    keep: int | None = Field(
        None, ge=1, description="Comparisons to rate of those generated: half random, half close"
    )

    def needs(self) -> list[Ref]:
        """The dataset and both models."""
        models = [Ref(RefKind.MODEL, each) for each in (self.model_new, self.model_base)]
        return [Ref(RefKind.DATASET, self.dataset), *models]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Two answers to every prompt: one from each model, or two samples of one model."""
    by_index = {row.index: row.example for row in ctx.rows(recipe.dataset)}
    chosen = [by_index[number] for number in recipe.rows]
    asked = [e for e in chosen if isinstance(e, Chat | Prompt)]
    if not asked:
        raise UserError("This dataset has no prompts.", "Choose one of chats or prompts.")
    found: list[Candidate] = []
    for arm, model_id in enumerate((recipe.model_new, recipe.model_base)):
        files = ctx.model(model_id)
        replies = answerers.load(ctx, files).answer(
            files,
            [example.prompt for example in asked],
            max_new_tokens=recipe.max_new_tokens,
            temperature=recipe.temperature,
            seed=recipe.seed + arm,
            done=_progress(ctx, arm * len(asked), 2 * len(asked)),
        )
        found += [
            _candidate(n, example, reply, model_id, recipe.seed + arm)
            for n, (example, reply) in enumerate(zip(asked, replies, strict=True))
        ]
    result = WrittenResult(prompts=len(asked), answers=len(found))
    if recipe.keep:
        found = _selected(recipe, ctx, found)
        rules = Counter(str(one.details["rule"]) for one in found[::2])
        result = result.model_copy(update={"chosen": dict(rules)})
    return Outcome(result=result, round_id=recipe.round, candidates=tuple(found))


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
        one.model_copy(update={"details": why[one.prompt_no]})
        for pair in both
        for one in pair
        if one.prompt_no in why
    ]


def _progress(ctx: Context, before: int, total: int) -> Callable[[int], None]:
    def done(ready: int) -> None:
        ctx.check()
        ctx.emit("progress", {"done": before + ready, "total": total, "label": "answers"})

    return done


def _candidate(
    number: int, example: Chat | Prompt, reply: Reply, model_id: str, seed: int
) -> Candidate:
    return Candidate(
        prompt_no=number,
        prompt=example.prompt,
        references=example.accepted if isinstance(example, Chat) else example.references,
        model_id=model_id,
        seed=seed,
        text=reply.text,
        finished=reply.finished,
    )
