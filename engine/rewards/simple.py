"""Rewards that a rule gives: higher is better, and an empty answer earns nothing."""

from collections.abc import Sequence

from engine import plugins
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.normal import normal

Prompts = Sequence[Sequence[Message]]
References = Sequence[Sequence[str]]  # accepted answers, for each prompt

WORDS = 50


def exact(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer that equals an accepted one but for case and spacing, else 0."""
    del prompts
    _need(references)
    pairs = zip(answers, references, strict=True)
    return [float(normal(text) in map(normal, accepted)) for text, accepted in pairs]


def overlap(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How much of an accepted answer comes in the same order: ROUGE-L, from 0 to 1."""
    del prompts
    _need(references)
    return list(plugins.load("metrics", "rougeL")(answers, references).each)


def shorter(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer of one word, 1/2 for two words, and so on."""
    del prompts, references
    return [1 / len(text.split()) if text.split() else 0.0 for text in answers]


def up_to_50_words(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer of at most 50 words, falling to 0 at 100."""
    del prompts, references
    return [_within(len(text.split())) for text in answers]


def _within(words: int) -> float:
    return min(1.0, max(0.0, 2 - words / WORDS)) if words else 0.0


def _need(references: References) -> None:
    if not all(references):
        raise UserError(
            "This reward compares with accepted answers, and some prompts have none.",
            "Choose a dataset with answers, or another reward.",
        )
