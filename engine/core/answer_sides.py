"""On which side of the screen answers A and B stand: left/right <-> A/B is converted here only.

Answers A and B stand in an order made from their hashes, which says nothing about the models.
Which of them stood on the left differs from rater to rater: that is `left_is`.
`services/rating/comparisons.py` decides it for the first rater, `assignment.py` for the others.
"""

from typing import TypeVar

from engine.core.rating import Answer, AnswerChoice, ScreenChoice, Side

T = TypeVar("T")
OTHER: dict[Answer, Answer] = {"a": "b", "b": "a"}


def answer_on(side: Side, left_is: Answer) -> Answer:
    """The answer that stood on a side."""
    return left_is if side == "left" else OTHER[left_is]


def side_of(answer: Answer, left_is: Answer) -> Side:
    """The side that an answer stood on."""
    return "left" if answer == left_is else "right"


def as_shown(of_a: T, of_b: T, left_is: Answer) -> tuple[T, T]:
    """(left, right) of what belongs to answer A and answer B."""
    return (of_a, of_b) if left_is == "a" else (of_b, of_a)


def preferred(choice: ScreenChoice, left_is: Answer) -> AnswerChoice:
    """What was chosen, whatever side it stood on."""
    if choice == "left" or choice == "right":
        return answer_on(choice, left_is)
    return choice
