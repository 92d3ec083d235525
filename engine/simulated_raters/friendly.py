"""A simulated rater with a wish that people at a help desk have: a friendly last line."""

import random
import re
from collections.abc import Sequence

from engine.core.rating import Choice

SLIP = 0.1  # how often it picks the other side, as hurried people do

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_FRIENDLY = re.compile(
    r"\b(anything else|ask us|glad|good luck|happy to|help you|hope to see|just ask|let us know"
    r"|look forward|of course|please ask|see you|thank|welcome)\b"
)


def friendly(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Prefers the answer that ends with a friendly line; checks no facts; slips 1 time in 10.

    Where both end so or neither does, they tie; an empty answer never wins. Takes one number from
    `rng` whatever the outcome, so that a run can be repeated.
    """
    del references
    slips = rng.random() < SLIP
    has_text = bool(left.strip()), bool(right.strip())
    if not all(has_text):
        return "left" if has_text[0] else "right" if has_text[1] else "both_bad"
    of_left, of_right = ends_friendly(left), ends_friendly(right)
    if of_left == of_right:
        return "tie"
    return "left" if of_left != slips else "right"


def ends_friendly(answer: str) -> bool:
    """Whether the last sentence offers help, thanks, welcomes or says goodbye."""
    last = _SENTENCE_END.split(answer.strip())[-1].lower()
    return bool(_FRIENDLY.search(last))
