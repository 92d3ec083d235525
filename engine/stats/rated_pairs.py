"""One vote on one pair of answers, as all statistics of the rating read it."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.rating import Choice

LEFT_WINS: dict[str, float] = {"left": 1.0, "right": 0.0, "tie": 0.5, "both_bad": 0.5}


class RatedPair(NamedTuple):
    """`left` and `right` name the models that stood there; lengths are in characters or tokens.

    `expected` is the answer to a gold item, None on every other pair.
    """

    prompt: str
    rater: str
    left: str
    right: str
    choice: Choice
    left_len: float | None = None
    right_len: float | None = None
    expected: Choice | None = None

    @property
    def left_score(self) -> float:
        """1 where the left answer won, 0 where it lost, one half otherwise."""
        return LEFT_WINS[self.choice]

    @property
    def pair(self) -> tuple[str, str]:
        """The two models in alphabetical order."""
        return (self.left, self.right) if self.left <= self.right else (self.right, self.left)

    @property
    def two_models(self) -> bool:
        """False where a model met itself, which says something of sides only."""
        return self.left != self.right

    def score(self, model: str) -> float:
        """What `model` got: 1, one half or 0; UserError where it was not shown."""
        if model not in (self.left, self.right):
            raise UserError(f"{model!r} is not in the pair {self.left} and {self.right}.")
        return self.left_score if model == self.left else 1 - self.left_score


def hash_order_score(pair: RatedPair) -> int:
    """1 where the model that comes first by hash won, -1 where the other did, 0 for no winner.

    The order changes from prompt to prompt and knows nothing of which model is new. Coded as "new
    against old", raters who agree that the new model is better would look as if they guessed.
    """
    first = min(pair.pair, key=lambda name: sha256(f"{pair.prompt}\0{name}".encode()).digest())
    return round(2 * pair.score(first) - 1)


def counted(rated: Iterable[RatedPair]) -> list[RatedPair]:
    """The votes that count: no gold items, and of a repeated pair only a rater's first vote."""
    seen: dict[tuple[object, ...], RatedPair] = {}
    for pair in rated:
        if pair.expected is None:
            seen.setdefault((pair.prompt, pair.rater, pair.pair), pair)
    return list(seen.values())


def between(rated: Sequence[RatedPair], new: str) -> list[RatedPair]:
    """The votes on `new` against another model; UserError where there is none."""
    found = [pair for pair in rated if new in pair.pair and pair.two_models]
    if not found:
        known = sorted({name for pair in rated for name in pair.pair})[:20]
        raise UserError(
            f"No vote is about {new!r}.", f"The models are {', '.join(known) or 'none'}."
        )
    return found


def prompt_means(rated: Sequence[RatedPair], new: str) -> dict[str, float]:
    """Each prompt's mean score of `new`, in the order in which prompts were first voted on."""
    scores: dict[str, list[float]] = {}
    for pair in between(rated, new):
        scores.setdefault(pair.prompt, []).append(pair.score(new))
    return {prompt: sum(each) / len(each) for prompt, each in scores.items()}
