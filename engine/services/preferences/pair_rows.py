"""Pairs and judgements as rows to train on."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from engine.core.answer_sides import OTHER
from engine.core.examples import Message, Preference, Unpaired
from engine.core.normalise import normal
from engine.core.rating import Answer
from engine.services.preferences.judgements import Item
from engine.services.preferences.rules import PreferencePair, Rules, better_answer


def preferences(pairs: Sequence[PreferencePair], rules: Rules) -> list[Preference]:
    """The rows of the pairs in their order, numbered as those of a file are.

    With `soft`, each vote is a row of its own direction: the mean loss over the rows of one pair
    is DPO's with a smoothed label (cDPO), whose smoothing is the share of votes against the pair.
    """
    shared = Counter(family for family, _ in {(pair.family, pair.prompt) for pair in pairs})
    found = []
    for pair in pairs:
        group = pair.family if shared[pair.family] > 1 else None
        row = Preference(
            prompt=pair.prompt,
            chosen=pair.chosen,
            rejected=pair.rejected,
            improved=pair.improved,
            group=group,
            weight=round(pair.weight, 6),
        )
        turned = {"chosen": pair.rejected, "rejected": pair.chosen, "improved": None}
        other = row.model_copy(update=turned)
        behind, against = pair.votes if rules.soft else (1, 0)
        twice = 2 if rules.strength and pair.clearly else 1
        found += [row] * (behind * twice) + [other] * against
    return [row.model_copy(update={"source_row": n}) for n, row in enumerate(found, 1)]


class _Answer(NamedTuple):
    prompt: tuple[Message, ...]
    text: str
    family: str


def ratings(
    items: Sequence[Item], families: dict[str, str], counts: Counter[str]
) -> list[Unpaired]:
    """Each answer that raters liked or disliked, once; what they disagreed on is counted.

    The better of a pair is liked and the worse is not, unless raters said which of the two they
    would accept; both-bad dislikes both. A tie alone says nothing, an edited text is liked. Of a
    ranking the first is liked and the last is not; what stands between says nothing.
    """
    found: dict[tuple[str, str], tuple[_Answer, set[bool]]] = {}
    ranked: set[tuple[str, str]] = set()
    for item in items:
        family = families[item.question]
        labelled = [(item.text(answer), liked(item, answer)) for answer in OTHER]
        labelled += [(one.edit.text, True) for one in item.judgements if one.edit]
        for text, yes in labelled:
            if yes is not None and text.strip():
                key = (family, normal(text))
                answer = _Answer(item.prompt, text, family)
                found.setdefault(key, (answer, set()))[1].add(yes)
                if item.ranking:
                    ranked.add(key)
    unclear = [key for key, (_, labels) in found.items() if len(labels) > 1]
    counts["middle"] += sum(key in ranked for key in unclear)
    counts["contested"] += sum(key not in ranked for key in unclear)
    agreed = [(a, labels.pop()) for a, labels in found.values() if len(labels) == 1]
    return [
        Unpaired(prompt=a.prompt, completion=a.text, label=label, group=a.family, source_row=n)
        for n, (a, label) in enumerate(agreed, 1)
    ]


def liked(item: Item, answer: Answer) -> bool | None:
    """Whether most raters would accept the answer; None where nobody said, or as many said no."""
    stated = [yes for one in item.judgements for where, yes in one.liked if where == answer]
    bad = sum(one.both_bad and answer not in dict(one.liked) for one in item.judgements)
    if stated or bad:
        for_it = sum(stated) * 2 - len(stated) - bad
        return None if for_it == 0 else for_it > 0
    _, better = better_answer(item)
    return None if better is None else better == answer
