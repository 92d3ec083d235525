"""Answers that people would accept, as rows of supervised fine-tuning.

A vote says which of two answers is better; the better one may be wrong as well, so it is no row
here. Rows are texts that raters improved, and answers that they called acceptable or good. None is
held out: a model that learned from votes is tested on the held-out rows of its other data.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.core.answer_sides import OTHER
from engine.core.examples import Chat, Message
from engine.core.normalise import normal
from engine.core.rating import Answer
from engine.services.preferences.judgements import Item
from engine.services.preferences.pair_rows import liked
from engine.services.preferences.rules import Rules, fits


@dataclass
class _Question:
    prompt: tuple[Message, ...]
    family: str
    improved: list[str] = field(default_factory=list)
    called_good: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> list[str]:
        """Each text once: improved ones first, the newest of them at the head."""
        texts = [*reversed(self.improved), *self.called_good]
        return list({normal(text): text for text in reversed(texts)}.values())[::-1]


def accepted_rows(
    items: Sequence[Item], families: dict[str, str], rules: Rules, counts: Counter[str]
) -> list[Chat]:
    """A row for each question with an accepted answer, in the order of the questions.

    The newest improved text is the answer to learn; without one it is the first answer that most
    raters called acceptable or good. Where a question has several they are its references.
    `counts` gets `edit`, edits that change too little or too much, and `not_accepted`, questions
    without any accepted answer.
    """
    questions: dict[str, _Question] = {}
    for item in items:
        known = _Question(item.prompt, families[item.question])
        known = questions.setdefault(item.question, known)
        if rules.edits:
            improved, unfit = _improved(item, rules)
            known.improved += improved
            counts["edit"] += unfit
        known.called_good += [item.text(answer) for answer in OTHER if _called_good(item, answer)]
    found = [one for one in questions.values() if one.accepted]
    counts["not_accepted"] += len(questions) - len(found)
    shared = Counter(one.family for one in found)
    return [_row(one, number, shared[one.family] > 1) for number, one in enumerate(found, 1)]


def _improved(item: Item, rules: Rules) -> tuple[list[str], int]:
    """The texts of an item's edits in the order of the votes, and how many edits are unfit."""
    edits = [one.edit for one in item.judgements if one.edit]
    fit = [edit.text for edit in edits if fits(item.text(edit.answer), edit.text, rules)]
    return fit, len(edits) - len(fit)


def _called_good(item: Item, answer: Answer) -> bool:
    """Whether raters said it of this answer; to be the better one of two is not enough."""
    stated = any(where == answer for one in item.judgements for where, _ in one.liked)
    return stated and liked(item, answer) is True and bool(item.text(answer).strip())


def _row(one: _Question, number: int, grouped: bool) -> Chat:
    learned, *others = one.accepted
    return Chat(
        messages=(*one.prompt, Message(role="assistant", content=learned)),
        references=(learned, *others) if others else (),
        group=one.family if grouped else None,
        source_row=number,
    )
