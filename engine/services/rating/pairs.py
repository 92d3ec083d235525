"""Votes -> preference pairs: a dataset version whose origin names the votes it was made from.

The rules, in this order; every exclusion is counted:

    blind        votes of blind rounds never become pairs, nor does any pair whose prompt is held
                 out in a dataset of the project or was used in a blind round
    tie          ties and both-bad votes make no pair
    contested    two raters must agree; of three or more, one side needs two thirds
    same         chosen and rejected are the same text
    duplicate    one row for the same prompt, chosen and rejected

The same votes give the same bytes and the same version.
"""

import hashlib
import time
from collections import defaultdict

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.examples import Preference, prompt_of
from engine.core.parsed import Parsed
from engine.core.rating import Comparison, Round
from engine.services import access, datasets
from engine.services.rating.rounds import prompt_key
from engine.store import exports, rounds, votes
from engine.store.connect import reading, writing
from engine.store.exports import PairExport as PairExport
from engine.store.rows import to_json
from engine.store.votes import LiveVote
from engine.workspace import Workspace

NAME = "pairs"
FEWEST = 20
RULES = {"majority": "2 of 2, else two thirds", "ties": "none", "fewest": FEWEST}
HELD_OUT = 0.1
REASONS = {
    "blind": "with a question that is kept for blind tests",
    "tie": "tied or both bad",
    "contested": "on which raters disagreed",
    "same": "with the same text twice",
    "duplicate": "that are in already",
}


def make(
    ws: Workspace, actor: Actor, project_id: str, round_ids: list[str] | None = None
) -> PairExport:
    """Turn the votes of the rating rounds (all of them, or those named) into a dataset version."""
    actor.require(Role.TRAINER)
    chosen, cast, kept, counts = _read(ws, actor, project_id, round_ids)
    if len(kept) < FEWEST:
        raise UserError(
            f"{counts['votes']} votes make {len(kept)} pairs; DPO needs at least {FEWEST}."
            + (f" Left out: {why}." if (why := left_out(counts)) else ""),
            f"Rate {FEWEST - len(kept)} or more further pairs, then make the pairs again.",
        )
    watermark = hashlib.sha256(to_json([vote.vote_id for vote in cast]).encode()).hexdigest()
    return _keep(ws, actor, project_id, chosen, kept, counts, watermark)


def count(ws: Workspace, actor: Actor, project_id: str) -> int:
    """How many pairs the votes of all rating rounds would make now."""
    actor.require(Role.TRAINER)
    return len(_read(ws, actor, project_id, None)[2])


def _read(
    ws: Workspace, actor: Actor, project_id: str, round_ids: list[str] | None
) -> tuple[list[Round], list[LiveVote], list[Preference], dict[str, int]]:
    """The rounds, their standing votes, the pairs these make, and what was left out."""
    with reading(ws.db) as conn:
        access.project(conn, project_id)
        chosen = _rounds(conn, project_id, round_ids)
        cast = votes.live(conn, [one.id for one in chosen])
        pairs = {c.id: c for one in chosen for c in rounds.comparisons(conn, one.id)}
    kept, counts = select(cast, pairs, _blind_prompts(ws, actor, project_id))
    return chosen, cast, kept, counts


def left_out(counts: dict[str, int]) -> str:
    """The pairs that were left out, by reason: "3 tied or both bad"."""
    return "; ".join(f"{counts[why]} {words}" for why, words in REASONS.items() if counts[why])


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[PairExport]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, project_id)
        return exports.list_all(conn, project_id)


def select(
    cast: list[LiveVote], pairs: dict[str, Comparison], forbidden: set[str]
) -> tuple[list[Preference], dict[str, int]]:
    """The pairs that the votes make, in the order of the comparisons, and what was left out."""
    counts = dict.fromkeys(("votes", "blind", "tie", "contested", "same", "duplicate"), 0)
    counts["votes"] = len(cast)
    by_pair: dict[str, list[str]] = defaultdict(list)
    for vote in cast:
        by_pair[vote.comparison_id].append(vote.canonical)
    kept: list[Preference] = []
    seen: set[tuple[str, str, str]] = set()
    for pair in sorted(pairs.values(), key=lambda c: (c.round_id, c.position)):
        outcomes = by_pair.get(pair.id)
        if not outcomes:
            continue
        reason, better = _judge(pair, outcomes, forbidden)
        if reason:
            counts[reason] += 1
            continue
        chosen, rejected = pair.text_lo, pair.text_hi
        if better == "hi":
            chosen, rejected = rejected, chosen
        row = (prompt_key(pair.prompt), chosen, rejected)
        if row in seen:
            counts["duplicate"] += 1
            continue
        seen.add(row)
        kept.append(Preference(prompt=pair.prompt, chosen=chosen, rejected=rejected))
    return kept, counts


def _judge(pair: Comparison, outcomes: list[str], forbidden: set[str]) -> tuple[str, str]:
    """(why the pair is left out, or nothing; the better side)."""
    if prompt_key(pair.prompt) in forbidden:
        return "blind", ""
    if pair.text_lo.split() == pair.text_hi.split():
        return "same", ""
    lo, hi = outcomes.count("lo"), outcomes.count("hi")
    if lo + hi == 0:
        return "tie", ""
    if max(lo, hi) * 3 < len(outcomes) * 2:
        return "contested", ""
    return "", "lo" if lo > hi else "hi"


def _rounds(conn: Connection, project_id: str, round_ids: list[str] | None) -> list[Round]:
    rating = [r for r in rounds.list_all(conn, project_id) if r.purpose == "train_pairs"]
    chosen = [r for r in rating if round_ids is None or r.id in round_ids]
    if not chosen:
        raise UserError(
            "There is no rating round to take votes from.", "Start one on the Rate tab."
        )
    return chosen


def _blind_prompts(ws: Workspace, actor: Actor, project_id: str) -> set[str]:
    """Prompts that judge models and so must never train one."""
    found: set[str] = set()
    for dataset in datasets.list_all(ws, actor, project_id):
        if dataset.kind in ("sft", "prompts") and dataset.held_out_rows:
            rows = datasets.load_rows(ws, dataset, "held_out")
            found.update(prompt_key(prompt_of(row.example)) for row in rows)
    with reading(ws.db) as conn:
        for one in rounds.list_all(conn, project_id):
            if one.purpose == "blind_eval":
                found.update(prompt_key(c.prompt) for c in rounds.comparisons(conn, one.id))
    return found


def _keep(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    chosen: list[Round],
    kept: list[Preference],
    counts: dict[str, int],
    watermark: str,
) -> PairExport:
    parsed = Parsed(layout="preference", kind="preference", examples=list(kept), broken=[])
    origin = {"pairs": watermark, "rounds": [one.id for one in chosen]}
    dataset = datasets.keep(ws, actor, project_id, parsed, NAME, origin, HELD_OUT)
    with reading(ws.db) as conn:
        for known in exports.list_all(conn, project_id):
            if known.dataset_id == dataset.id and known.watermark == watermark:
                return known
    new = PairExport(
        id=ids.new("export"),
        project_id=project_id,
        dataset_id=dataset.id,
        rounds=tuple(one.id for one in chosen),
        rules=RULES,
        watermark=watermark,
        content_sha256=dataset.sha256,
        pairs=len(kept),
        counts=counts,
        created_by=actor.name,
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        exports.add(conn, new)
    return new
