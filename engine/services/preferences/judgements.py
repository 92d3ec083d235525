"""Votes as judgements of an item: two answers to one prompt, whichever rounds showed them.

Nothing here depends on sides of a screen. A rater has one judgement of an item, the newest.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from engine.core.answer_sides import OTHER
from engine.core.examples import Message, Prompt
from engine.core.normalise import normal, prompt_key
from engine.core.rating import Answer, Comparison
from engine.services.rating import rankings
from engine.services.rating.vote_reading import ImprovedAnswer, Judgement


class Item(NamedTuple):
    """Two answers with everybody's judgement, in the order of the votes."""

    prompt: tuple[Message, ...]
    answer_a: str
    answer_b: str
    comparison_ids: tuple[str, ...]  # ids of the comparisons that showed it
    judgements: tuple[Judgement, ...]
    ranking: str | None = None  # the comparison of three or four answers that it was taken from

    @property
    def question(self) -> str:
        """Equal for prompts that differ in case and spacing only."""
        return question(self.prompt)

    def votes_for(self, answer: Answer) -> int:
        """How many raters found this answer better."""
        return sum(one.better == answer for one in self.judgements)

    def text(self, answer: Answer) -> str:
        """The text of an answer."""
        return self.answer_a if answer == "a" else self.answer_b


def question(prompt: tuple[Message, ...]) -> str:
    """The prompt with its roles, without case and spacing."""
    return prompt_key(Prompt(prompt=prompt))


def items(
    comparisons: Sequence[Comparison],
    judgements: dict[str, list[Judgement]],
    families: dict[str, str],
) -> list[Item]:
    """Items in the order of their first comparison; `families`: of each question, its family.

    The same two answers to prompts of one family are one item, so contradicting votes of two
    rounds meet in it.
    """
    same: dict[tuple[str, ...], list[Comparison]] = defaultdict(list)
    for one in comparisons:
        texts = sorted((normal(one.answer_a), normal(one.answer_b)))
        same[(families[question(one.prompt)], *texts)].append(one)
    return [_item(group, judgements) for group in same.values()]


def _item(group: list[Comparison], judgements: dict[str, list[Judgement]]) -> Item:
    first = group[0]
    newest: dict[str, Judgement] = {}
    for one in group:
        turned = normal(one.answer_a) != normal(first.answer_a)
        for judgement in judgements[one.id]:
            newest.pop(judgement.rater, None)
            newest[judgement.rater] = _turned(judgement) if turned else judgement
    return Item(
        prompt=first.prompt,
        answer_a=first.answer_a,
        answer_b=first.answer_b,
        comparison_ids=tuple(map(rankings.source_id, group)),
        judgements=tuple(newest.values()),
        ranking=first.details.get("ranking"),
    )


def _turned(judgement: Judgement) -> Judgement:
    return judgement._replace(
        better=OTHER[judgement.better] if judgement.better else None,
        liked=tuple((OTHER[answer], yes) for answer, yes in judgement.liked),
        edit=ImprovedAnswer(OTHER[judgement.edit.answer], judgement.edit.text)
        if judgement.edit
        else None,
    )
