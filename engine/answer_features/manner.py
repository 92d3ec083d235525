"""Features of how an answer speaks to the reader; the words looked for are English."""

import re
from collections.abc import Sequence

from engine.answer_features.described import Prompts, References, described

POLITE = re.compile(
    r"\b(please|thanks?|thank you|welcome|sorry|apologi[sz]e|apologies|kindly|glad|happy to|"
    r"pleasure|feel free|hope|dear|good (?:morning|afternoon|evening|luck|day)|see you|enjoy)\b",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:i|we) (?:can(?:no|')t|can not|am not able|are not able|won't|will not|don't know|"
    r"do not know|don't have|do not have)\b|\bunable to\b|\bas an ai\b|\bi'm (?:sorry|not able)\b",
    re.IGNORECASE,
)
READER = re.compile(r"\b(?:you|your|yours)\b", re.IGNORECASE)


@described("asking something back", "asking nothing back")
def asks_back(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Whether a sentence of the answer is a question."""
    del prompts, references
    return [float(any(mark in text for mark in "?？؟")) for text in answers]


@described("more polite", "less polite")
def politeness(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How many polite words it has."""
    del prompts, references
    return [float(len(POLITE.findall(text))) for text in answers]


@described("declining to answer", "not declining to answer")
def refusal(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Whether it says that it cannot or will not answer."""
    del prompts, references
    return [float(REFUSAL.search(text.replace("’", "'")) is not None) for text in answers]


@described("speaking more to the reader", "speaking less to the reader")
def reader(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How often it says "you"."""
    del prompts, references
    return [float(len(READER.findall(text))) for text in answers]


@described("with more exclamation marks", "with fewer exclamation marks")
def exclamation(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How many exclamation marks it has."""
    del prompts, references
    return [float(text.count("!") + text.count("！")) for text in answers]
