"""The votes of rating rounds as pairs that a reward head learns from; none of a blind round.

The rules are those of preference pairs (rules.py), without improved texts: a text by a person is
told from a model's by other things than what people prefer.
"""

from collections import defaultdict
from collections.abc import Sequence

from engine.core.actor import Actor, Role
from engine.core.rating import Comparison
from engine.core.reward_head import VotedPair, VotedPairs
from engine.services.preferences.eligible_votes import Gathered, gather
from engine.services.preferences.rules import PreferencePair, Rules, select_pairs
from engine.store import pair_exports, rounds
from engine.store.connect import reading
from engine.workspace import Workspace

RULES = Rules(edits=False)


def voted_pairs(
    ws: Workspace, actor: Actor, project_id: str, round_ids: Sequence[str] | None = None
) -> VotedPairs:
    """The pairs of these rounds, or of all that collect preferences, with the raters' reasons.

    UserError where there is no such round.
    """
    actor.require(Role.TRAINER)
    gathered = gather(ws, actor, project_id, None if round_ids is None else list(round_ids))
    with reading(ws.db) as conn:
        ids = [one.id for one in gathered.rounds]
        details = pair_exports.vote_details(conn, ids)
        shown = {pair.id: pair for each in ids for pair in rounds.comparisons(conn, each)}
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for vote in gathered.counted:
        given = details.get(vote.vote_id, {}).get("reasons", [])
        reasons[vote.comparison_id, vote.rater] += given
    selected = select_pairs(gathered.items, gathered.families, RULES).pairs
    return VotedPairs(
        pairs=tuple(_pair(one, gathered, shown, reasons) for one in selected),
        rounds=tuple(ids),
        votes=tuple(sorted(vote.vote_id for vote in gathered.counted)),
        sha256=gathered.watermark,
    )


def _pair(
    one: PreferencePair,
    gathered: Gathered,
    shown: dict[str, Comparison],
    reasons: dict[tuple[str, str], list[str]],
) -> VotedPair:
    places = gathered.items[one.item].comparison_ids
    given = {r for place in places for rater in one.raters for r in reasons.get((place, rater), ())}
    return VotedPair(
        prompt=one.prompt,
        references=next((shown[p].references for p in places if shown[p].references), ()),
        chosen=one.chosen,
        rejected=one.rejected,
        family=one.family,
        weight=one.weight,
        reasons=() if one.ranking else tuple(sorted(given)),
    )
