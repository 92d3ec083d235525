"""The job of the LLM judge: a model's answers and the baseline's, over a finished evaluation."""

import os
import time
from collections.abc import Callable

from pydantic import Field

from engine.core.errors import UserError
from engine.core.evaluation import EvaluatedRow, Evaluation
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import JudgeName, JudgeResult, JudgeVerdict
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.metrics.llm_judge import Question, compare, from_environment
from engine.stats.verdict import verdict

TITLE = "LLM judge"
SUMMARY = "A language model compares the answers of two models."

KIND = "judge"


class Recipe(BaseRecipe):
    """Which answers are judged. Where the judge is, the worker's environment alone says."""

    KIND = KIND
    LANE = "loop"  # it waits for others and takes nothing of this machine

    evaluation: str = Field(description="The evaluation whose answers are judged")
    model: str = Field(description="The model that is compared with the evaluation's first")
    max_rows: int = Field(100, ge=1, le=10_000, description="Rows judged, from the first on")

    def needs(self) -> list[Ref]:
        """The evaluation and the model."""
        return [Ref(RefKind.EVALUATION, self.evaluation), Ref(RefKind.MODEL, self.model)]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Ask the judge about every row that both models answered, in both orders."""
    asked = from_environment(os.environ)
    found = ctx.evaluation(recipe.evaluation)
    rows = both_answered(found, recipe.model)[: recipe.max_rows]
    if not rows:
        raise UserError("No row was answered by both models.", "Choose another evaluation.")
    base, new = found.models[0], recipe.model
    questions = [
        Question(_prompt(row), row.outputs[new].text, row.outputs[base].text) for row in rows
    ]
    hears = _progress(ctx, len(questions))
    hears(0)
    judged = compare(asked, questions, on_verdict=hears)
    preference = verdict(judged.wins, judged.losses, judged.ties)
    result = JudgeResult(
        sentence=preference.sentence,
        verdict=JudgeVerdict.model_validate(preference.model_dump(mode="json")),
        judged=judged,
        rows=tuple(row.index for row in rows),
        judge=JudgeName(model=asked.model, host=asked.host),
        evaluation=recipe.evaluation,
        models=(base, new),
    )
    return Outcome(result=result)


def both_answered(evaluation: Evaluation, model: str) -> list[EvaluatedRow]:
    """The rows that the first model and `model` both answered, in order.

    UserError where the model was not asked, or is the first itself.
    """
    if model not in evaluation.models[1:]:
        raise UserError(
            "This evaluation has no other model beside that one.",
            "Choose a model that was asked beside the baseline.",
        )
    pair = (evaluation.models[0], model)
    return [row for row in evaluation.rows if all(not row.outputs[m].failed for m in pair)]


def _prompt(row: EvaluatedRow) -> str:
    if len(row.prompt) == 1:
        return row.prompt[0].content
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in row.prompt)


def _progress(ctx: Context, total: int) -> Callable[[int], None]:
    """What hears how many questions are judged: it says so, and stops when asked to."""
    start = time.monotonic()

    def hears(done: int) -> None:
        ctx.check()
        eta = (time.monotonic() - start) / done * (total - done) if done else None
        ctx.emit("progress", {"done": done, "total": total, "label": "judged", "eta_s": eta})

    return hears
