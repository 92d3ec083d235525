"""Votes as opinions on an item: two answers to one prompt, whichever rounds showed them.

Nothing here depends on sides of a screen: `lo` and `hi` are the two answers of the item. A rater
has one opinion on an item, the newest.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from engine.core.examples import Message, Prompt
from engine.core.normalise import normal, prompt_key
from engine.core.rating import Comparison
from engine.store.votes import LiveVote

Side = Literal["lo", "hi"]
OTHER: dict[Side, Side] = {"lo": "hi", "hi": "lo"}


class Edit(NamedTuple):
    """A better text that a rater made of the answer on `side`."""

    side: Side
    text: str


class Opinion(NamedTuple):
    """`better` is None for a tie, and where both were bad or only one answer was shown."""

    rater: str
    better: Side | None
    both_bad: bool = False
    alone: bool = False  # one answer was shown, and found good or bad
    clearly: bool = False
    liked: tuple[tuple[Side, bool], ...] = ()
    edit: Edit | None = None


class Item(NamedTuple):
    """Two answers with everybody's opinion, in the order of the votes."""

    prompt: tuple[Message, ...]
    lo: str
    hi: str
    shown: tuple[str, ...]  # ids of the comparisons that showed it
    opinions: tuple[Opinion, ...]

    @property
    def question(self) -> str:
        """Equal for prompts that differ in case and spacing only."""
        return question(self.prompt)

    def votes_for(self, side: Side) -> int:
        return sum(one.better == side for one in self.opinions)

    def text(self, side: Side) -> str:
        return self.lo if side == "lo" else self.hi


def question(prompt: tuple[Message, ...]) -> str:
    """The prompt with its roles, without case and spacing."""
    return prompt_key(Prompt(prompt=prompt))


def opinion(vote: LiveVote, details: dict[str, Any]) -> Opinion:
    """What a vote says of the two answers, wherever they stood."""
    sides: dict[str, Side] = {"left": "lo", "right": "hi"}
    if vote.left_is == "hi":
        sides = {"left": "hi", "right": "lo"}
    choice: str = vote.choice
    liked = {sides[s]: details.get(f"acceptable_{s}") for s in ("left", "right")}
    if choice in ("good", "bad"):
        liked[sides["left"]] = choice == "good"
    edit = details.get("edit") or {}
    return Opinion(
        rater=vote.rater,
        better=sides.get(choice),
        both_bad=choice == "both_bad",
        alone=choice in ("good", "bad"),
        clearly=details.get("strength") == 2,
        liked=tuple((side, yes) for side, yes in liked.items() if yes is not None),
        edit=Edit(sides[edit["side"]], edit["text"]) if edit.get("text") else None,
    )


def items(
    comparisons: Sequence[Comparison],
    opinions: dict[str, list[Opinion]],
    families: dict[str, str],
) -> list[Item]:
    """Items in the order of their first comparison; `families`: of each question, its family.

    The same two answers to prompts of one family are one item, so contradicting votes of two
    rounds meet in it.
    """
    same: dict[tuple[str, ...], list[Comparison]] = defaultdict(list)
    for one in comparisons:
        texts = sorted((normal(one.text_lo), normal(one.text_hi)))
        same[(families[question(one.prompt)], *texts)].append(one)
    return [_item(group, opinions) for group in same.values()]


def _item(group: list[Comparison], opinions: dict[str, list[Opinion]]) -> Item:
    first = group[0]
    newest: dict[str, Opinion] = {}
    for one in group:
        turned = normal(one.text_lo) != normal(first.text_lo)
        for said in opinions[one.id]:
            newest.pop(said.rater, None)
            newest[said.rater] = _turned(said) if turned else said
    return Item(
        prompt=first.prompt,
        lo=first.text_lo,
        hi=first.text_hi,
        shown=tuple(one.id for one in group),
        opinions=tuple(newest.values()),
    )


def _turned(said: Opinion) -> Opinion:
    return said._replace(
        better=OTHER[said.better] if said.better else None,
        liked=tuple((OTHER[side], yes) for side, yes in said.liked),
        edit=Edit(OTHER[said.edit.side], said.edit.text) if said.edit else None,
    )
