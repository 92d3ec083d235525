"""Rewards that compare an answer with the accepted ones: higher is better."""

from collections.abc import Sequence

from engine import plugins
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.normalise import normal
from engine.rewards.title import titled

Prompts = Sequence[Sequence[Message]]
References = Sequence[Sequence[str]]  # accepted answers, for each prompt


@titled("Equals an accepted answer")
def exact(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer that equals an accepted one but for case and spacing, else 0."""
    del prompts
    _need(references)
    pairs = zip(answers, references, strict=True)
    return [float(normal(text) in map(normal, accepted)) for text, accepted in pairs]


@titled("Overlap with an accepted answer (ROUGE-L)")
def overlap(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How much of an accepted answer comes in the same order: ROUGE-L, from 0 to 1."""
    del prompts
    _need(references)
    return list(plugins.load("metrics", "rougeL")(answers, references).each)


def _need(references: References) -> None:
    if not all(references):
        raise UserError(
            "This reward compares with accepted answers, and some prompts have none.",
            "Choose a dataset with answers, or another reward.",
        )
