"""Answers -> comparisons: what is shown, and which answer stands left for the first rater."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.answer_sides import OTHER
from engine.core.rating import (
    Answer,
    AnswerChoice,
    AnswerOfModel,
    Candidate,
    Comparison,
    ComparisonDetails,
    ComparisonKind,
    GoldItem,
    Round,
    RoundStatus,
)
from engine.services import access
from engine.services.rating import identity_leaks
from engine.services.rating.identity_leaks import Telling
from engine.store import rounds

Placed = tuple[Comparison, Answer]  # and the answer that the first rater sees on the left


def open_with(conn: Connection, round_id: str, candidates: tuple[Candidate, ...]) -> dict[str, int]:
    """Turn finished answers into comparisons and open the round; what was left out, by reason.

    Called in the transaction that ends the generating job. Sides are balanced: the new arm stands
    left in exactly half of the pairs (one more or less for an odd number). The further questions of
    the plan are kept for its predictor and shown to nobody.
    """
    rating_round = access.rating_round(conn, LOCAL, round_id)
    by_prompt: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_prompt[candidate.prompt_no].append(candidate)
    left_out = dict.fromkeys(("truncated", "empty", "identity", "identical"), 0)
    shown: list[Comparison] = []
    identical: list[Comparison] = []
    telling = identity_leaks.telling(conn, rating_round, {each.model_id for each in candidates})
    further = _further(rating_round, by_prompt, telling)
    for number, group in sorted(by_prompt.items()):
        for place, pair in enumerate(_together(rating_round, group, telling)):
            reason = _reason(pair, telling)
            if reason:
                left_out[reason] += 1
            if reason == "identical" and rating_round.mode == "pair":
                identical.append(_comparison(rating_round, number, pair, "identical"))
            elif not reason:
                position = 2 * number + place if rating_round.mode == "single" else number
                shown.append(_comparison(rating_round, position, pair, "normal"))
    placed = _balanced(rating_round, shown)
    rounds.add_comparisons(conn, placed + [(c, "a") for c in identical + further])
    without_any: RoundStatus = "closed" if identical and rating_round.blind else "failed"
    if shown:
        after = 2 * (max(candidate.prompt_no for candidate in candidates) + 1)
        add_uncounted(conn, rating_round, placed, telling, after)
    rounds.change(conn, round_id, status="open" if shown else without_any)
    return left_out


def _further(
    rating_round: Round, by_prompt: dict[int, list[Candidate]], telling: Telling
) -> list[Comparison]:
    """Takes the further questions of the plan out of `by_prompt`; those that could be rated."""
    if not rating_round.plan.further:
        return []
    rated = len(rating_round.plan.rows) - rating_round.plan.further
    groups = {number: by_prompt.pop(number) for number in sorted(by_prompt) if number >= rated}
    return [
        _comparison(rating_round, number, group, "further")
        for number, group in groups.items()
        if _reason(group, telling) in (None, "identical")
    ]


def add_uncounted(
    conn: Connection,
    rating_round: Round,
    counted: Sequence[Placed],
    telling: Telling,
    after: int = 0,
) -> int:
    """Store the practice items, gold items and repeats of the plan; how many there are.

    Their positions begin at `after`; when they are shown is decided for each rater.
    """
    rng = random.Random(f"controls {rating_round.plan_sha256}")
    made: list[Placed] = []
    items: dict[ComparisonKind, tuple[GoldItem, ...]]
    items = {"calibration": rating_round.plan.practice, "gold": rating_round.plan.gold}
    for kind, known in items.items():
        for gold in known:
            if not (telling.identifies(gold.right) or telling.identifies(gold.wrong)):
                made.append(_gold(rating_round, gold, kind, rng))
    again = rng.sample(list(counted), min(len(counted), rating_round.plan.repeats))
    made += [_repeat(pair, left) for pair, left in again]
    rounds.add_comparisons(
        conn,
        [(pair.model_copy(update={"position": after + n}), left)
         for n, (pair, left) in enumerate(made)],
    )  # fmt: skip
    return len(made)


def _balanced(rating_round: Round, shown: list[Comparison]) -> list[Placed]:
    sides = [i % 2 == 0 for i in range(len(shown))]
    random.Random(rating_round.plan_sha256).shuffle(sides)
    return [(pair, _left(pair, rating_round, new)) for pair, new in zip(shown, sides, strict=True)]


def _together(
    rating_round: Round, group: list[Candidate], telling: Telling
) -> list[list[Candidate]]:
    """What is shown at a time: two answers, up to four to rank, or each different one alone."""
    if rating_round.mode == "pair":
        return [_to_rank(group, telling) if len(group) > 2 else group]
    alone: dict[str, Candidate] = {}
    for each in group:
        alone.setdefault(" ".join(each.text.split()), each)
    return [[each] for each in alone.values()]


def _to_rank(group: list[Candidate], telling: Telling) -> list[Candidate]:
    """The different answers that can be shown; where fewer than two are left, the first two."""
    fit: dict[str, Candidate] = {}
    for each in group:
        if _reason([each], telling) is None:
            fit.setdefault(" ".join(each.text.split()), each)
    return list(fit.values()) if len(fit) > 1 else group[:2]


def _reason(pair: list[Candidate], telling: Telling) -> str | None:
    """Why a pair is not shown to people; None when it is."""
    if not all(c.finished for c in pair):
        return "truncated"
    if not any(c.text.strip() for c in pair):
        return "empty"
    if any(telling.identifies(c.text) for c in pair):
        return "identity"
    same = len(pair) > 1 and pair[0].text.split() == pair[1].text.split()
    return "identical" if same else None


def _left(pair: Comparison, rating_round: Round, new_is_left: bool) -> Answer:
    if rating_round.mode == "single":
        return "a"
    new: Answer = "a" if pair.model_a in (rating_round.arm_new, pair.model_b) else "b"
    return new if new_is_left else OTHER[new]


def _comparison(
    rating_round: Round, position: int, pair: list[Candidate], kind: ComparisonKind
) -> Comparison:
    # Sorted by a hash of the text, so the stored order says nothing of the models either.
    ordered = sorted(
        pair,
        key=lambda c: hashlib.sha256(f"{rating_round.id}{c.text}{c.seed}".encode()).hexdigest(),
    )
    alone = rating_round.mode == "single"
    first, last = ordered[0], ordered[0 if alone else 1]
    more: list[AnswerOfModel] = [{"text": c.text, "model": c.model_id} for c in ordered[2:]]
    details: ComparisonDetails = {**first.details, "more": more} if more else first.details
    if not alone and first.score is not None and last.score is not None:
        details = {**details, "scores": [first.score, last.score]}
    return Comparison(
        id=ids.new("pair"),
        round_id=rating_round.id,
        position=position,
        prompt=first.prompt,
        references=first.references,
        answer_a=first.text,
        answer_b="" if alone else last.text,
        model_a=first.model_id,
        model_b=last.model_id,
        kind=kind,
        details=details,
    )


def _gold(rating_round: Round, gold: GoldItem, kind: ComparisonKind, rng: random.Random) -> Placed:
    right_is_a = rng.random() < 0.5
    texts = (gold.right, gold.wrong) if right_is_a else (gold.wrong, gold.right)
    answer: AnswerChoice = "a" if right_is_a else "b"
    if rating_round.mode == "single":
        texts, answer = (texts[0], ""), "good" if right_is_a else "bad"
    pair = Comparison(
        id=ids.new("pair"),
        round_id=rating_round.id,
        position=0,
        prompt=gold.prompt,
        references=(gold.right,),
        answer_a=texts[0],
        answer_b=texts[1],
        model_a="",
        model_b="",
        kind=kind,
        details={"answer": answer, "reason": gold.reason},
    )
    return pair, "a" if rating_round.mode == "single" or rng.random() < 0.5 else "b"


def _repeat(pair: Comparison, left: Answer) -> Placed:
    """The same pair once more, for every rater on the other sides than before."""
    details: ComparisonDetails = {"of": pair.id}
    if pair.ranked:
        details["more"] = pair.details["more"]
    again = pair.model_copy(update={"id": ids.new("pair"), "kind": "repeat", "details": details})
    return again, OTHER[left] if pair.answer_b else left
