"""Answers that a file gives the weight 0: they are shown to the model and not learned."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.examples import Example, context_answers
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Conversations with such answers; one where every answer has the weight 0 is never read."""
    counts = {each.source_row: n for each in examples if (n := context_answers(each))}
    answers = sum(counts.values())
    named = "1 answer" if answers == 1 else f"{answers:,} answers"
    return finding(
        "answers_of_weight_zero",
        "info",
        counts,
        f"with {named} of the weight 0, which a training shows and does not learn",
        "The preview marks what is learned.",
    )
