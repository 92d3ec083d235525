"""Features of the form of an answer: its length, its layout, its repetitions."""

import re
from collections.abc import Sequence

from engine.answer_features.described import Prompts, References, described

ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+\S", re.MULTILINE)
MARKUP = re.compile(r"\*\*[^*\n]+\*\*|^#{1,6}\s|`[^`\n]+`|^\s*\|.*\|", re.MULTILINE)
RUN = 3  # words that are said again


@described("longer", "shorter")
def length(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Characters."""
    del prompts, references
    return [float(len(text)) for text in answers]


@described("with a list", "without a list")
def has_list(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Whether two lines or more begin as items of a list."""
    del prompts, references
    return [float(len(ITEM.findall(text)) > 1) for text in answers]


@described("with marked-up text", "without marked-up text")
def markup(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Whether something is bold, a heading, code or a table in Markdown."""
    del prompts, references
    return [float(MARKUP.search(text) is not None) for text in answers]


@described("in more paragraphs", "in fewer paragraphs")
def paragraphs(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Lines that say something."""
    del prompts, references
    return [float(sum(bool(line.strip()) for line in text.splitlines())) for text in answers]


@described("saying more twice", "saying less twice")
def repetition(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """The share of runs of three words that stand in the answer before."""
    del prompts, references
    return [_repeated(text.lower().split()) for text in answers]


def _repeated(words: list[str]) -> float:
    runs = [tuple(words[n : n + RUN]) for n in range(len(words) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
