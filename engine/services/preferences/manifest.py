"""What an export was made of and how good it is: the page that travels with the pairs."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import TypedDict, cast

from engine.core.examples import Chat, Example, Preference
from engine.core.json_object import JsonObject
from engine.services.preferences.eligible_votes import Gathered
from engine.services.preferences.rules import PreferencePair, Rules, Selection
from engine.services.rating import rankings
from engine.stats.agreement import Agreement, agreement
from engine.stats.side_bias import position_bias
from engine.stats.vote_noise import VoteNoise, chance_wrong
from engine.store.json_columns import to_json
from engine.store.votes import LiveVote

FEW = 100  # pairs; fewer move a model only a little
SURE = 0.8  # raters who agree less often than this train a model with their noise
SHARED = 10  # pairs rated by two; fewer say nothing of the noise
MOST_NOISE = 0.3
LOPSIDED = 0.6
MOST_OF_ONE = 0.5  # share of the improved and accepted answers


class RoundOfExport(TypedDict, total=False):
    """A round whose votes an export read; the last four where its plan names them."""

    id: str
    name: str
    plan_sha256: str
    models: list[str]
    temperature: float
    max_new_tokens: int
    seed: int
    dataset: str


class DpoSettings(TypedDict, total=False):
    """Fields of a DPO recipe."""

    loss_type: list[str]
    loss_weights: list[float]
    trl: JsonObject


class Suggestion(TypedDict):
    """Settings for pairs from votes that often disagree, and the reason in a sentence."""

    recipe: DpoSettings
    reason: str


class PairManifest(TypedDict, total=False):
    """What an export was made of; one of an earlier version knows less.

    `agreement` is the JSON of stats.agreement.Agreement, `raters` the votes of each, most first.
    `readings` is the number of comparisons and rankings behind the pairs: of a ranking there are
    up to six pairs, which share the weight of one.
    """

    rules: JsonObject
    rules_sha256: str
    watermark: str
    content_sha256: str
    rows: int
    pairs: int
    readings: int
    counts: dict[str, int]
    agreement: JsonObject
    raters: list[int]
    longer_chosen: float | None
    rounds: list[RoundOfExport]
    suggestion: Suggestion | None
    warnings: list[str]
    votes: list[str]


def manifest(
    gathered: Gathered,
    judged: Selection,
    rules: Rules,
    rows: Sequence[Example],
    content_sha256: str,
) -> PairManifest:
    """JSON that is the same for the same votes and rules: no clock, no names of raters."""
    chosen = rules.model_dump(mode="json")
    agreed = agreement_of(gathered.counted)
    advice = suggestion(judged.pairs, agreed, rules)
    return {
        "rules": chosen,
        "rules_sha256": hashlib.sha256(to_json(chosen).encode()).hexdigest(),
        "watermark": gathered.watermark,
        "content_sha256": content_sha256,
        "rows": len(rows),
        "pairs": len(judged.pairs),
        "readings": readings(judged.pairs),
        "counts": dict(sorted(judged.counts.items())),
        "agreement": agreed.model_dump(mode="json"),
        "raters": sorted(Counter(vote.rater for vote in gathered.counted).values(), reverse=True),
        "longer_chosen": longer_chosen(rows),
        "rounds": [_round(gathered, n) for n in range(len(gathered.rounds))],
        "suggestion": advice,
        "warnings": [
            *warnings(judged.pairs, rows, agreed, gathered.counted),
            *_on_one_rater(gathered, rows),
        ],
        "votes": sorted(vote.vote_id for vote in gathered.votes),
    }


def _on_one_rater(gathered: Gathered, rows: Sequence[Example]) -> list[str]:
    """A sentence where answers to learn are mostly the word of one; pairs have a limit for it."""
    approvals = Counter(
        one.rater
        for item in gathered.items
        for one in item.judgements
        if one.edit or any(yes for _, yes in one.liked)
    )
    most = max(approvals.values(), default=0)
    if not any(isinstance(row, Chat) for row in rows) or most < MOST_OF_ONE * approvals.total():
        return []
    share = 100 * most / approvals.total()
    return [
        f"{share:.0f} % of the improved and accepted answers rest on one rater: the model will "
        "learn that person's style."
    ]


def _round(gathered: Gathered, number: int) -> RoundOfExport:
    one = gathered.rounds[number]
    kept = ("temperature", "max_new_tokens", "seed", "dataset")
    given = one.plan.model_dump(mode="json")
    found: RoundOfExport = {
        "id": one.id,
        "name": one.name,
        "plan_sha256": one.plan_sha256,
        "models": [one.arm_new, one.arm_base],
    }
    return cast("RoundOfExport", found | {key: given[key] for key in kept if key in given})


def readings(pairs: Sequence[PreferencePair]) -> int:
    """How many comparisons and rankings the pairs were taken from."""
    return len({pair.ranking or pair.item for pair in pairs})


def agreement_of(votes: Sequence[LiveVote]) -> Agreement:
    """How far raters agree on which answer is better, over pairs that two of them decided."""
    every = [pair for vote in votes for pair in rankings.unfold_vote(vote)]
    decided = [v for v in every if v.choice in ("left", "right")]
    return agreement([(v.comparison_id, v.rater, v.preferred) for v in decided])


def longer_chosen(rows: Sequence[Example]) -> float | None:
    """The share of pairs whose chosen text is the longer one; None where none differs."""
    pairs = [row for row in rows if isinstance(row, Preference)]
    longer = sum(len(row.chosen) > len(row.rejected) for row in pairs)
    shorter = sum(len(row.chosen) < len(row.rejected) for row in pairs)
    return longer / (longer + shorter) if longer + shorter else None


def suggestion(
    pairs: Sequence[PreferencePair], agreed: Agreement, rules: Rules
) -> Suggestion | None:
    """Settings of a DPO recipe for votes of raters who often disagree, with the reason.

    None where they agree, where too few pairs have two votes, and where every vote is a row
    already. The sft term stays in: without it robust DPO ruins what the model could do.
    """
    if agreed.raw is None or agreed.noise is None or rules.soft or not pairs:
        return None
    if agreed.raw >= SURE or agreed.items < SHARED:
        return None
    if agreed.flips is None:
        return None
    wrong = min(MOST_NOISE, expected_wrong(pairs, agreed.flips))
    recipe: DpoSettings = {
        "loss_type": ["robust", "sft"],
        "loss_weights": [1.0, 0.2],
        "trl": {"label_smoothing": round(wrong, 3)},
    }
    reason = (
        f"Two raters agree on {100 * agreed.raw:.0f} % of {agreed.items} pairs, so about "
        f"{100 * wrong:.0f} % of the pairs point the wrong way{_spread(pairs, agreed.flips)}; "
        f"these settings assume {100 * wrong:.0f} %."
    )
    return {"recipe": recipe, "reason": reason}


def expected_wrong(pairs: Sequence[PreferencePair], noise: VoteNoise) -> float:
    """The share of pairs that point the wrong way, by the votes for and against each."""
    return fmean(chance_wrong(noise, *pair.votes) for pair in pairs)


def _spread(pairs: Sequence[PreferencePair], noise: VoteNoise) -> str:
    """The least, where the likely share takes questions to differ in how hard they are."""
    if noise.shape is None:
        return ""
    least = expected_wrong(pairs, noise.model_copy(update={"shape": None}))
    return f", if some questions are harder than others, and at least {100 * least:.0f} %"


def warnings(
    pairs: Sequence[PreferencePair],
    rows: Sequence[Example],
    agreed: Agreement,
    votes: Sequence[LiveVote],
) -> list[str]:
    """What to know before training, a sentence each."""
    found = []
    number, what = (len(pairs), "pairs") if pairs else (len(rows), "answers")
    if number < FEW:
        found.append(f"{number} {what} teach little; most models need {FEW} or more.")
    elif pairs and (read := readings(pairs)) < FEW:
        found.append(
            f"{number} pairs come from {read} comparisons and rankings; most models need {FEW} or "
            "more of these."
        )
    if agreed.items >= SHARED and agreed.noise is None:
        found.append("Raters agree no more often than by chance: these pairs hold no preference.")
    sides = [vote.side for vote in votes]
    position = position_bias(sides.count("left"), sides.count("right"))
    if position.biased:
        found.append(position.sentence)
    longer = longer_chosen(rows)
    if longer is not None and max(longer, 1 - longer) > LOPSIDED and len(pairs) >= SHARED:
        which = "longer" if longer > LOPSIDED else "shorter"
        share = max(longer, 1 - longer)
        found.append(
            f"In {100 * share:.0f} % of the pairs the {which} answer was chosen: the model will "
            f"learn to answer {which}."
        )
    return found
