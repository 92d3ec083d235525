"""Which pairs are worth a person's vote: half at random, half those the model finds closest.

A margin is beta * ((log pi(a) - log ref(a)) - (log pi(b) - log ref(b))): how much better the model
finds answer a than b, by what it learned from preferences (equation 5 of arXiv:2305.18290). Small
margins are close calls (arXiv:2406.17312). Only the random half may feed a rate that is reported.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.core.examples import Message, Preference, Prompt
from engine.core.job_context import Context, ModelFiles
from engine.core.near_duplicates import families as near_families
from engine.core.rating import ComparisonDetails
from engine.models.answer import Answerer

BETA = 0.1  # DPO's default; the order of the margins does not depend on it
TAUGHT_BY_EXAMPLES = (None, "sft")
MAX_LENGTH = 2048


class AnswerPair(NamedTuple):
    """Two answers to one prompt."""

    prompt_no: int
    prompt: tuple[Message, ...]
    first: str
    second: str


def choose(
    pairs: Sequence[AnswerPair], wanted: int, margins: Mapping[int, float], seed: int
) -> dict[int, ComparisonDetails]:
    """By prompt number, why each of `wanted` pairs was chosen: {"rule": ..., "margin": ...}.

    The rules are `random`, `margin` (a close call, at most one of a family of near copies), and
    `rest` where there are not enough families. Without margins all are random.
    """
    rng = random.Random(seed)
    order = [pair.prompt_no for pair in pairs]
    rng.shuffle(order)
    half = wanted if not margins else (wanted + 1) // 2
    found: dict[int, ComparisonDetails] = {number: {"rule": "random"} for number in order[:half]}
    family = families(pairs)
    taken = {family[number] for number in found}
    left = order[half:]
    for number in sorted(left, key=lambda n: abs(margins.get(n, float("inf")))):
        if len(found) < wanted and number in margins and family[number] not in taken:
            taken.add(family[number])
            found[number] = {"rule": "margin"}
    for number in left:
        if len(found) < wanted and number not in found:
            found[number] = {"rule": "rest"}
    return {
        number: {**why, "margin": round(margins[number], 4)} if number in margins else why
        for number, why in found.items()
    }


def families(pairs: Sequence[AnswerPair]) -> dict[int, int]:
    """By prompt number, the family of prompts that say nearly the same."""
    asked = [Prompt(prompt=pair.prompt, source_row=n) for n, pair in enumerate(pairs, 1)]
    return {
        pairs[n].prompt_no: number
        for number, members in enumerate(near_families(asked))
        for n in members
    }


def margins(
    ctx: Context, answerer: Answerer, policy: ModelFiles, pairs: Sequence[AnswerPair]
) -> dict[int, float]:
    """By prompt number, the margin of the first answer over the second.

    Nothing for a model that learned from no preferences yet: it has no margins to go by.
    """
    model = policy.model
    start = model.parent_id or model.base_id
    if model.info.get("method") in TAUGHT_BY_EXAMPLES or start is None:
        return {}
    reference = ctx.model(start)
    if not reference.base == policy.base == answerer.base:
        return {}
    rows, known = [], []
    for pair in pairs:
        encoded = answerer.template.encode_pair(
            Preference(prompt=pair.prompt, chosen=pair.first, rejected=pair.second, source_row=1),
            MAX_LENGTH,
        )
        if not encoded.dropped:
            known.append(pair.prompt_no)
            rows += [(encoded.prompt_ids, encoded.chosen_ids)]
            rows += [(encoded.prompt_ids, encoded.rejected_ids)]
    learned = answerer.likelihood(policy, rows)
    before = answerer.likelihood(reference, rows)
    # nats are negative log-likelihoods, so what was learned is before - learned
    gained = [b - a for a, b in zip(learned, before, strict=True)]
    return {n: BETA * (gained[2 * i] - gained[2 * i + 1]) for i, n in enumerate(known)}
