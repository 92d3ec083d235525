"""The words in which files say which of two answers is better."""

import re
from typing import Literal, NamedTuple

from engine.core.errors import RowError
from engine.core.rating import Choice

NEITHER = frozenset({
    "both bad", "bothbad", "both are bad", "neither", "none", "neither is good", "both wrong",
    "tie bothbad", "tie both bad", "both are wrong", "neither answer", "both poor",
})  # fmt: skip
EVEN = frozenset({
    "tie", "tied", "ties", "equal", "equally good", "same", "draw", "both", "both good",
    "both are good", "tie both good", "neutral", "no preference", "about the same", "similar",
    "equivalent", "indifferent", "undecided", "both equal", "equal quality", "a b", "0.5",
})  # fmt: skip
CLEARLY = frozenset(
    {"clearly", "much", "significantly", "strongly", "far", "definitely", "lot", "considerably"}
)
SLIGHTLY = frozenset(
    {"slightly", "somewhat", "marginally", "bit", "little", "weakly", "barely", "probably"}
)
WHO: dict[str, Literal["left", "right"]] = {
    "left": "left", "l": "left", "first": "left", "1": "left", "a": "left",
    "right": "right", "r": "right", "second": "right", "2": "right", "b": "right",
}  # fmt: skip
BY_SIDE = frozenset({"left", "right", "l", "r"})
WORSE = frozenset({"worse", "loses", "lost"})
OTHER: dict[str, Choice] = {"left": "right", "right": "left"}
ARROWS = re.compile(r"([ab12])\s*(>>|<<|>|<|=)\s*([ab12])")
WORD = re.compile(r"[\w.]+")
SHOWN = 40


class ChosenSide(NamedTuple):
    """`left` is the first of the two; `by_side` where the word itself is one of a side."""

    choice: Choice
    strength: Literal[1, 2] | None = None
    by_side: bool = False


def choice_of(value: object, first: tuple[str, ...], second: tuple[str, ...]) -> ChosenSide:
    """What the value of a cell chooses; RowError where it can't be told.

    `first` and `second` are what the two answers are called in the row: a model, a column.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError("has a choice that is no text")
    word = str(value).strip()
    called = _called(word, first), _called(word, second)
    if called[0] != called[1]:
        return ChosenSide("left" if called[0] else "right")
    arrow = ARROWS.fullmatch(word.casefold())
    if arrow:
        return _arrow(*arrow.groups())
    words = WORD.findall(re.sub(r"[_\-]", " ", word.casefold()))
    plain = " ".join(words)
    if plain in NEITHER:
        return ChosenSide("both_bad")
    if plain in EVEN:
        return ChosenSide("tie")
    found = _who(words)
    if found is None:
        raise RowError(f"has the choice {word[:SHOWN]!r}")
    return found


def _called(word: str, names: tuple[str, ...]) -> bool:
    return bool(word) and any(word.casefold() == name.strip().casefold() for name in names if name)


def _arrow(one: str, sign: str, other: str) -> ChosenSide:
    if sign == "=":
        return ChosenSide("tie")
    better = one if sign.startswith(">") else other
    return ChosenSide("left" if better in "a1" else "right", 2 if len(sign) == 2 else None)


def _who(words: list[str]) -> ChosenSide | None:
    """The answer that the words name, where they name one, and how clearly."""
    kept = list(words)
    for n, word in enumerate(words[:-1]):
        if word == "a" and words[n + 1] in ("bit", "lot", "little"):
            kept[n] = ""  # an article, not an answer
    named = [word for word in kept if word in WHO]
    if not named:
        return None
    beyond = [word for word in kept if word and word not in WHO]
    known = {
        "answer", "response", "model", "option", "output", "assistant", "completion", "is", "was",
        "the", "better", "best", "wins", "won", "win", "preferred", "prefer", "i", "than", "one",
        "by", "answer.", "system", "choose", "beats", "good", "and", *CLEARLY, *SLIGHTLY, *WORSE,
    }  # fmt: skip
    if not set(beyond) <= known or (
        len({WHO[word] for word in named}) > 1 and not ({"than", "beats"} & set(words))
    ):
        return None
    side: Choice = WHO[named[0]]
    if WORSE & set(words):
        side = OTHER[side]
    strength: Literal[1, 2] | None = 2 if CLEARLY & set(words) else None
    if strength is None and SLIGHTLY & set(words):
        strength = 1
    return ChosenSide(side, strength, named[0] in BY_SIDE)
