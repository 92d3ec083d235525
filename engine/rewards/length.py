"""Rewards for the length of an answer: higher is better, and an empty answer earns nothing."""

from collections.abc import Sequence

from engine.core.examples import Message
from engine.rewards.title import titled

Prompts = Sequence[Sequence[Message]]
References = Sequence[Sequence[str]]  # accepted answers, for each prompt

WORDS = 50


@titled("Shorter answers")
def shorter(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer of one word, 1/2 for two words, and so on."""
    del prompts, references
    return [1 / len(text.split()) if text.split() else 0.0 for text in answers]


@titled("At most 50 words")
def up_to_50_words(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 for an answer of at most 50 words, falling to 0 at 100."""
    del prompts, references
    return [_within(len(text.split())) for text in answers]


def _within(words: int) -> float:
    return min(1.0, max(0.0, 2 - words / WORDS)) if words else 0.0
