"""From the tables to items: which votes may count, and what of them is left out at once.

control   a pair that served another purpose: gold, a repeat, practice, two equal answers
blind     a question held out for tests, or nearly one
flagged   a pair that somebody flagged as unsafe, personal or telling its model
paused    a pair on which only paused raters voted
leak      an answer or a turn that holds a text of a test
no_text   a vote of a file that holds no prompt or no answers
"""

import hashlib
from collections import Counter, defaultdict
from typing import NamedTuple

from sqlalchemy import Connection

from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.core.rating import Comparison, Round, VoteDetails
from engine.services import access
from engine.services.preferences import holdout, judgements
from engine.services.preferences.holdout import Finder, Holdout
from engine.services.preferences.judgements import Item
from engine.services.rating import paused_raters, rankings
from engine.services.rating.vote_reading import Judgement, judgement
from engine.store import flags, pair_exports, rounds, votes
from engine.store.connect import reading
from engine.store.json_columns import to_json
from engine.store.votes import LiveVote
from engine.workspace import Workspace

SERIOUS = ("unsafe", "pii", "identity_leak")


class Gathered(NamedTuple):
    """`watermark` hashes all that was read: the same watermark makes the same pairs.

    `votes` are all that stand, `counted` those of them behind the items.
    """

    rounds: list[Round]
    votes: list[LiveVote]
    counted: list[LiveVote]
    items: list[Item]
    families: dict[str, str]  # of each question, the family of prompts that say nearly the same
    counts: Counter[str]
    watermark: str


class _Read(NamedTuple):
    rounds: list[Round]
    comparisons: list[Comparison]
    votes: list[LiveVote]
    details: dict[str, VoteDetails]
    flags: dict[str, str]  # flag -> comparison
    paused: set[tuple[str, str]]  # round, rater

    @property
    def flagged(self) -> set[str]:
        return set(self.flags.values())


def gather(ws: Workspace, actor: Actor, project_id: str, round_ids: list[str] | None) -> Gathered:
    """The items that the standing votes of the rating rounds are about."""
    read = _read(ws, actor, project_id, round_ids)
    held_out = holdout.of_project(ws, actor, project_id)
    asked = (pair.prompt for pair in read.comparisons if not _no_text(pair))
    families, blocked = holdout.families(asked, held_out)
    by_comparison = _judgements(read)
    counts: Counter[str] = Counter(votes=len(read.votes))
    finder = Finder(held_out.texts)
    usable = []
    pairs = [pair for one in read.comparisons for pair in rankings.unfold_comparison(one)]
    for pair in pairs:
        if pair.id not in by_comparison:
            continue
        reason = "no_text" if _no_text(pair) else ""
        if not reason:
            asked_for = families[judgements.question(pair.prompt)]
            reason = _reason(pair, read, asked_for in blocked, by_comparison)
        if reason or _tells(pair, by_comparison[pair.id], finder):
            counts[reason or "leak"] += 1
        else:
            usable.append(pair)
    items = judgements.items(usable, by_comparison, families)
    counts["duplicate"] = len(usable) - len(items)
    counted = _counted(read, usable)
    mark = _watermark(read, held_out)
    return Gathered(read.rounds, read.votes, counted, items, families, counts, mark)


def _no_text(pair: Comparison) -> bool:
    return bool(pair.details.get("no_text")) or not pair.prompt


def _reason(pair: Comparison, read: _Read, blocked: bool, given: dict[str, list[Judgement]]) -> str:
    """Why a pair is left out whatever raters prefer, or nothing."""
    if pair.kind != "normal":
        return "control"
    if blocked:
        return "blind"
    if rankings.source_id(pair) in read.flagged:
        return "flagged"
    return "" if given[pair.id] else "paused"


def _tells(pair: Comparison, given: list[Judgement], finder: Finder) -> bool:
    texts = [*(turn.content for turn in pair.prompt), pair.answer_a, pair.answer_b]
    edits = [one.edit.text for one in given if one.edit]
    return any(map(finder.holds, texts + edits))


def _counted(read: _Read, usable: list[Comparison]) -> list[LiveVote]:
    round_of = {rankings.source_id(pair): pair.round_id for pair in usable}
    return [
        vote
        for vote in read.votes
        if vote.comparison_id in round_of
        and (round_of[vote.comparison_id], vote.rater) not in read.paused
    ]


def _judgements(read: _Read) -> dict[str, list[Judgement]]:
    """Of each pair, alone or in a ranking, what raters who are not paused said of it."""
    by_comparison: dict[str, list[Judgement]] = defaultdict(list)
    round_of = {pair.id: pair.round_id for pair in read.comparisons}
    for vote in read.votes:
        paused = (round_of[vote.comparison_id], vote.rater) in read.paused
        details = read.details.get(vote.vote_id, {})
        for pair in rankings.unfold_vote(vote):
            kept = by_comparison[pair.comparison_id]
            if not paused:
                kept.append(judgement(pair, rankings.details_on_pair(details, vote, pair)))
    return by_comparison


def _read(ws: Workspace, actor: Actor, project_id: str, round_ids: list[str] | None) -> _Read:
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        chosen = _rounds(conn, project_id, round_ids)
        ids = [one.id for one in chosen]
        return _Read(
            chosen,
            [pair for one in chosen for pair in rounds.comparisons(conn, one.id)],
            votes.live(conn, ids),
            pair_exports.vote_details(conn, ids),
            _flags(conn, ids),
            {
                (round_id, rater)
                for round_id in ids
                for rater in paused_raters.paused(conn, round_id)
            },
        )


def _flags(conn: Connection, round_ids: list[str]) -> dict[str, str]:
    """Flag -> comparison, of the serious flags that stand."""
    raised = [flag for round_id in round_ids for flag in flags.open_flags(conn, round_id)]
    return {flag.id: flag.comparison_id for flag in raised if flag.kind in SERIOUS}


def _rounds(conn: Connection, project_id: str, round_ids: list[str] | None) -> list[Round]:
    """The rating rounds in the order of their making."""
    rating = [r for r in rounds.list_all(conn, project_id) if r.purpose == "train_pairs"]
    chosen = [r for r in rating if round_ids is None or r.id in round_ids]
    if not chosen:
        raise UserError("There is no rating round to take votes from.", "Start one first.")
    return sorted(chosen, key=lambda r: (r.created_at, r.id))


def _watermark(read: _Read, held_out: Holdout) -> str:
    votes_read = sorted(vote.vote_id for vote in read.votes)
    content = to_json([votes_read, sorted(read.flags), sorted(read.paused), held_out.sha256])
    return hashlib.sha256(content.encode()).hexdigest()
