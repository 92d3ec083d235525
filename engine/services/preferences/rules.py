"""The rules that make pairs of votes, with weights and limits, in order; exclusions are counted.

votes       a pair is left out where somebody flagged it, or where only paused raters voted
blind       a question kept for tests, nearly the same question, or a text of a test
alone, tie  only one answer was shown; nobody preferred either answer
contested   fewer than two thirds of the votes, a tie counted half on each side
same        chosen and rejected are the same text
edit        a text that a rater improved is better than what it was, and than what it beat
weight      the pairs of one ranking weigh as much as one pair, in every limit and in training
crowded     at most 4 pairs a prompt and a tenth of all pairs a family of prompts
one_rater   at most a quarter of the pairs rest on one rater, where there are more than four
edit_share  at most three tenths of the pairs are edits
length      with balance_length, pairs that no other balances; see length_balance.py
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import fsum
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field
from rapidfuzz.distance import Levenshtein

from engine.core.answer_sides import OTHER
from engine.core.examples import Message, Preference
from engine.core.normalise import normal
from engine.core.rating import Answer
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, Recipe
from engine.services.preferences.judgements import Item
from engine.services.preferences.template_marks import unmarked
from engine.services.rating.vote_reading import ImprovedAnswer, Judgement

MANY_RATERS = 4
ROUNDING = 1e-9  # of sums of weights such as six times 1/6


class Rules(Recipe):
    """What may be chosen about the making of pairs; the rest is fixed."""

    KIND: ClassVar[str] = "The rules"

    soft: bool = Field(False, description="Each vote is a row, which gives soft labels")
    strength: bool = Field(False, description="A vote of clearly better counts twice")
    edits: bool = Field(True, description="Edits become pairs")
    per_prompt: int = Field(4, ge=1, description="Maximum pairs of one prompt")
    one_cluster: float = Field(0.1, gt=0, le=1, description="Maximum share of similar prompts")
    one_rater: float = Field(
        0.25, gt=0, le=1, description="Maximum share of one rater, among more than four"
    )
    edit_share: float = Field(0.3, ge=0, le=1, description="Maximum share of edits")
    edit_least: float = Field(0.02, ge=0, le=1, description="Minimum change of an edit")
    edit_most: float = Field(0.8, ge=0, le=1, description="Maximum change of an edit")
    balance_length: bool = Field(
        False, description="As many pairs with the longer as with the shorter answer chosen"
    )
    held_out: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share held out to monitor the training; none where that is fewer than "
        f"{FEWEST_HELD_OUT_PAIRS}",
    )

    def held_out_share(self, rows: int) -> float:
        """The share of `rows` that is held out: too few would choose a state by chance."""
        return self.held_out if round(rows * self.held_out) >= FEWEST_HELD_OUT_PAIRS else 0.0


class PreferencePair(NamedTuple):
    """`votes` for and against; `raters` whose votes it rests on; `item` the place of its item.

    `ranking` is the comparison of three or four answers that it was taken from; `improved` the
    newest text that a rater made of the chosen one.
    """

    item: int
    prompt: tuple[Message, ...]
    family: str
    chosen: str
    rejected: str
    votes: tuple[int, int]
    raters: frozenset[str]
    clearly: bool = False
    source: Literal["vote", "edit"] = "vote"
    ranking: str | None = None
    weight: float = 1.0
    improved: str | None = None


class Selection(NamedTuple):
    """The pairs in the order of the items, what was left out, and what raters disagreed on."""

    pairs: list[PreferencePair]
    counts: Counter[str]
    contested: list[Item]


def select_pairs(items: Sequence[Item], families: dict[str, str], rules: Rules) -> Selection:
    """The pairs that the items make; `families`: of each question, the family it belongs to."""
    counts: Counter[str] = Counter()
    pairs: list[PreferencePair] = []
    contested: list[Item] = []
    for place, item in enumerate(items):
        family = families[item.question]
        reason, better = better_answer(item)
        if better:
            pairs.append(_voted(place, item, family, better, rules))
        else:
            counts[reason] += 1
        if reason == "contested":
            contested.append(item)
        if rules.edits:
            good, unfit = _edited(place, item, family, rules)
            pairs += good
            counts["edit"] += unfit
    weighed = with_weights(_plain(_once(pairs, counts), counts))
    return Selection(with_weights(_capped(weighed, rules, counts)), counts, contested)


def _plain(pairs: list[PreferencePair], counts: Counter[str]) -> list[PreferencePair]:
    """The pairs without marks of a chat template in any of their texts."""
    rows = [
        Preference(
            prompt=one.prompt, chosen=one.chosen, rejected=one.rejected, improved=one.improved,
            source_row=0,
        )
        for one in pairs
    ]  # fmt: skip
    return [pairs[place] for place in unmarked(rows, counts)]


def with_weights(pairs: list[PreferencePair]) -> list[PreferencePair]:
    """The pairs of one ranking share the weight of one pair, and so do those of its edits."""
    shared = Counter((pair.ranking, pair.source) for pair in pairs)
    return [
        pair._replace(weight=1 / shared[pair.ranking, pair.source]) if pair.ranking else pair
        for pair in pairs
    ]


def better_answer(item: Item) -> tuple[str, Answer | None]:
    """(why the item makes no pair, or nothing; its better side)."""
    for_a, for_b = item.votes_for("a"), item.votes_for("b")
    if for_a + for_b == 0:
        return ("alone" if all(one.alone for one in item.judgements) else "tie"), None
    # the margin |2v - 1| of the share v, a tie counted half on each side, is |for_a - for_b| / n
    if abs(for_a - for_b) * 3 < len(item.judgements):
        return "contested", None
    if normal(item.answer_a) == normal(item.answer_b):
        return "same", None
    return "", "a" if for_a > for_b else "b"


def _voted(place: int, item: Item, family: str, better: Answer, rules: Rules) -> PreferencePair:
    behind = [one for one in item.judgements if one.better == better]
    return PreferencePair(
        item=place,
        prompt=item.prompt,
        family=family,
        chosen=item.text(better),
        rejected=item.text(OTHER[better]),
        votes=(len(behind), item.votes_for(OTHER[better])),
        raters=frozenset(one.rater for one in behind),
        clearly=sum(one.clearly for one in behind) * 2 > len(behind),
        ranking=item.ranking,
        improved=_improved(item, better, rules) if rules.edits else None,
    )


def _improved(item: Item, better: Answer, rules: Rules) -> str | None:
    """The newest fitting edit of the better answer: that of the other may be worse than it."""
    fitting = [
        one.edit.text
        for one in item.judgements
        if one.edit and one.edit.answer == better and fits(item.text(better), one.edit.text, rules)
    ]
    return fitting[-1] if fitting else None


def _edited(place: int, item: Item, family: str, rules: Rules) -> tuple[list[PreferencePair], int]:
    """The pairs of an item's edits, and how many edits are unfit."""
    found: list[PreferencePair] = []
    unfit = 0
    for one in item.judgements:
        if one.edit is None:
            continue
        if not fits(item.text(one.edit.answer), one.edit.text, rules):
            unfit += 1
            continue
        found += [
            PreferencePair(
                item=place,
                prompt=item.prompt,
                family=family,
                chosen=one.edit.text,
                rejected=worse,
                votes=(1, 0),
                raters=frozenset({one.rater}),
                source="edit",
                ranking=item.ranking,
            )
            for worse in _beaten(item, one, one.edit)
        ]
    return found, unfit


def fits(before: str, after: str, rules: Rules) -> bool:
    if not after.strip() or normal(before) == normal(after):
        return False
    changed = Levenshtein.normalized_distance(before, after)
    return rules.edit_least <= changed <= rules.edit_most


def _beaten(item: Item, one: Judgement, edit: ImprovedAnswer) -> list[str]:
    """What the edit is better than: its own source, and what that beat or was as bad as."""
    worse = [item.text(edit.answer)]
    other = item.text(OTHER[edit.answer])
    if (one.better == edit.answer or one.both_bad) and normal(other) != normal(edit.text):
        worse.append(other)
    return worse


def _once(pairs: list[PreferencePair], counts: Counter[str]) -> list[PreferencePair]:
    """One pair of the same prompt, chosen and rejected; an edit may repeat what others wrote."""
    seen: set[tuple[str, str, str]] = set()
    kept = []
    for pair in pairs:
        key = (pair.family, normal(pair.chosen), normal(pair.rejected))
        if key in seen:
            counts["duplicate"] += 1
            continue
        seen.add(key)
        kept.append(pair)
    return kept


def _capped(
    pairs: list[PreferencePair], rules: Rules, counts: Counter[str]
) -> list[PreferencePair]:
    """The pairs that are left when no prompt, family, rater or edit has too great a share."""
    kept = _first(pairs, lambda p: (p.prompt, p.family), lambda _: rules.per_prompt)
    kept = _first(kept, lambda p: p.family, lambda n: max(rules.per_prompt, n * rules.one_cluster))
    counts["crowded"] += len(pairs) - len(kept)
    alone = {rater for p in kept for rater in p.raters}
    if len(alone) > MANY_RATERS:
        before = len(kept)
        kept = _first(kept, _only_rater, lambda n: n * rules.one_rater)
        counts["one_rater"] += before - len(kept)
    before = len(kept)
    kept = _first(
        kept, lambda p: "edit" if p.source == "edit" else None, lambda n: n * rules.edit_share
    )
    counts["edit_share"] += before - len(kept)
    return kept


def _only_rater(pair: PreferencePair) -> str | None:
    """The rater whose word alone the pair rests on; nobody where two agreed."""
    return next(iter(pair.raters)) if len(pair.raters) == 1 else None


def _first(
    pairs: list[PreferencePair],
    key: Callable[[PreferencePair], object],
    most: Callable[[float], float],
) -> list[PreferencePair]:
    """The first pairs of each key, as much weight as `most` of what is left in the end allows."""
    while True:
        limit = most(fsum(pair.weight for pair in pairs)) + ROUNDING
        taken: dict[object, float] = defaultdict(float)
        kept = []
        for pair in pairs:
            name = key(pair)
            taken[name] += pair.weight
            if name is None or taken[name] <= limit:
                kept.append(pair)
        if len(kept) == len(pairs):
            return kept
        pairs = kept
