"""A simulated rater who knows the right answers and is not perfect."""

import random
import re
from collections import Counter
from collections.abc import Sequence

from engine.core.rating import Choice
from engine.simulated_raters.simple import shorter

BAD_BELOW = 0.5  # wrong answers share a quarter of their words with a right one by chance
TIE_WITHIN = 0.05
SLIP = 0.1  # two such raters then agree on 82 % of the clear pairs
EXTRA_WORD = 0.01  # taken off for each word beyond the reference's length

_WORD = re.compile(r"\w+(?:'\w+)*")


def expert(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Picks the answer that says the reference's words without padding; slips 1 time in 10.

    Each answer scores its word-overlap F1 with the best reference, minus 0.01 for each word more
    than that reference has. Two scores below 0.5 are both bad, and scores less than 0.05 apart
    tie. A slip picks the other side. Without references the shorter non-empty answer is the
    better one. Takes one number from `rng` whatever the outcome, so that a run can be repeated.
    """
    slips = rng.random() < SLIP
    choice = _judge(left, right, references) if references else shorter(left, right, (), rng)
    if not slips:
        return choice
    return _other(choice)


def score(answer: str, references: Sequence[str]) -> float:
    """Word-overlap F1 with the best reference, less the penalty: 1 at most, and it can be negative.

    Raises ValueError when there is no reference.
    """
    return max(_against(answer, reference) for reference in references)


def _judge(left: str, right: str, references: Sequence[str]) -> Choice:
    of_left, of_right = score(left, references), score(right, references)
    if max(of_left, of_right) < BAD_BELOW:
        return "both_bad"
    if abs(of_left - of_right) < TIE_WITHIN:
        return "tie"
    return "left" if of_left > of_right else "right"


def _against(answer: str, reference: str) -> float:
    given, wanted = _words(answer), _words(reference)
    shared = (Counter(given) & Counter(wanted)).total()
    f1 = 2 * shared / (len(given) + len(wanted)) if shared else 0.0
    return f1 - EXTRA_WORD * max(0, len(given) - len(wanted))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def _other(choice: Choice) -> Choice:
    swapped: dict[Choice, Choice] = {"left": "right", "right": "left"}
    return swapped.get(choice, choice)
