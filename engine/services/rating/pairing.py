"""Answers -> comparisons: what is shown, what is left out, and who stands left first."""

import hashlib
import random
import re
from collections import defaultdict
from typing import Literal

from sqlalchemy import Connection

from engine.core import ids
from engine.core.rating import Candidate, Comparison, Round
from engine.services import access
from engine.store import rounds

SHORTEST_NAME = 5  # shorter names are words that answers may well contain


def open_with(conn: Connection, round_id: str, candidates: tuple[Candidate, ...]) -> dict[str, int]:
    """Turn finished answers into comparisons and open the round; what was left out, by reason.

    Called in the transaction that ends the generating job. Sides are balanced: the new arm stands
    left in exactly half of the pairs (one more or less for an odd number).
    """
    one = access.rating_round(conn, round_id)
    by_prompt: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_prompt[candidate.prompt_no].append(candidate)
    left_out = dict.fromkeys(("truncated", "empty", "identity", "identical"), 0)
    shown: list[Comparison] = []
    identical: list[Comparison] = []
    telling = _telling_names(conn, one)
    for number, pair in sorted(by_prompt.items()):
        reason = _reason(pair, telling)
        if reason:
            left_out[reason] += 1
        if reason == "identical":
            identical.append(_comparison(one, number, pair, "identical"))
        elif not reason:
            shown.append(_comparison(one, number, pair, "normal"))
    sides = [i % 2 == 0 for i in range(len(shown))]
    random.Random(one.plan_sha256).shuffle(sides)
    rows = [(c, _left(c, one, new)) for c, new in zip(shown, sides, strict=True)]
    rounds.add_comparisons(conn, rows + [(c, "lo") for c in identical])
    nothing = "closed" if identical and one.purpose == "blind_eval" else "failed"
    rounds.change(conn, round_id, status="open" if shown else nothing)
    return left_out


def _reason(pair: list[Candidate], telling: set[str]) -> str | None:
    """Why a pair is not shown to people; None when it is."""
    if not all(c.finished for c in pair):
        return "truncated"
    if not any(c.text.strip() for c in pair):
        return "empty"
    if any(name in c.text.casefold() for c in pair for name in telling):
        return "identity"
    return "identical" if pair[0].text.split() == pair[1].text.split() else None


def _telling_names(conn: Connection, one: Round) -> set[str]:
    """What an answer would say that names its model: the first word of each base's name."""
    found = set()
    for arm in (one.arm_new, one.arm_base):
        model = access.model(conn, arm)
        base = access.model(conn, model.base_id) if model.base_id else model
        name = re.split(r"[-_ .0-9]", base.name.casefold())[0]
        if len(name) >= SHORTEST_NAME:
            found.add(name)
    return found


def _left(pair: Comparison, one: Round, new_is_left: bool) -> str:
    if pair.model_lo == pair.model_hi:
        return "lo" if new_is_left else "hi"
    new_is_lo = pair.model_lo == one.arm_new
    return "lo" if new_is_lo == new_is_left else "hi"


def _comparison(
    one: Round, number: int, pair: list[Candidate], kind: Literal["normal", "identical"]
) -> Comparison:
    # Sorted by a hash of the text, so the stored order says nothing of the models either.
    lo, hi = sorted(
        pair, key=lambda c: hashlib.sha256(f"{one.id}{c.text}{c.seed}".encode()).hexdigest()
    )
    return Comparison(
        id=ids.new("pair"),
        round_id=one.id,
        position=number,
        prompt=lo.prompt,
        references=lo.references,
        text_lo=lo.text,
        text_hi=hi.text,
        model_lo=lo.model_id,
        model_hi=hi.model_id,
        kind=kind,
    )
