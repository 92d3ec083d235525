"""All that a closed round says, and the little that an open one may."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, UserError
from engine.core.rating import Round, Tally, Verdict
from engine.services import access
from engine.services.rating import audit, paused_raters, round_verdict, vote_counts
from engine.services.rating.paused_raters import RaterView
from engine.services.rating.round_verdict import Live
from engine.stats.agreement import Agreement, agreement
from engine.stats.length_bias import (
    LengthControlled,
    LongerChosen,
    length_controlled,
    longer_chosen,
)
from engine.stats.rated_pairs import RatedPair, counted, hash_order_score
from engine.stats.side_bias import PositionBias, position_bias, position_of
from engine.stats.verdict import EVEN
from engine.store import flags, rounds, votes
from engine.store.connect import reading
from engine.workspace import Workspace

NOT_BLIND = (
    "Not known to be blind: the file does not say which answer stood on the left, so no verdict is "
    "given."
)
CLOSE = (
    "margin",
    "rest",
)  # why a pair was chosen, where chance alone did not (jobs/comparison_selection.py)


class Report(BaseModel):
    """What a closed round shows; parts that its purpose does not have are None.

    `even` says for an A/A round that neither half wins and no side is favoured; `sentence` calls
    it even only where the interval lies within 40 to 60 %.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    purpose: str
    plan_sha256: str
    tally: Tally
    verdict: Verdict | None
    even: bool | None
    early: str  # who looked at it before its end, and what follows
    position: PositionBias | None
    length: LengthControlled | None
    longer: LongerChosen | None
    agreement: Agreement
    raters: tuple[RaterView, ...]
    flagged: int
    sentence: str
    imported: bool = False  # its votes came from a file
    states_sides: bool = True  # False: not known to be blind


def report(ws: Workspace, actor: Actor, round_id: str) -> Report:
    """The result of a closed round; Conflict before, whoever asks."""
    with audit.record_refused_look(ws, actor, round_id), reading(ws.db) as conn:
        actor.require(Role.TRAINER)
        rating_round = access.rating_round(conn, actor, round_id)
        if rating_round.status != "closed":
            raise Conflict(
                f"{rating_round.name} is {rating_round.status}.",
                "Its report is available once it is closed.",
            )
        return _report(conn, rating_round)


def live(ws: Workspace, actor: Actor, round_id: str) -> Live | None:
    """Whether an open round with a sequential rule has enough evidence; None for other rules."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return round_verdict.live(conn, access.rating_round(conn, actor, round_id))


def position(seen: Tally) -> PositionBias:
    """Whether the votes of a tally favour one side of the screen."""
    return position_bias(seen.left, seen.right)


def _report(conn: Connection, rating_round: Round) -> Report:
    seen = vote_counts.count(conn, rating_round)
    stopped = paused_raters.paused(conn, rating_round.id)
    late = votes.live(conn, [rating_round.id], extra=True)
    counting = [vote for vote in late if vote.rater not in stopped]
    voted = paused_raters.rated_pairs(conn, rating_round, counting)
    every = paused_raters.unfolded_pairs(conn, rating_round, counting)
    rated = [pair for pair in voted if pair.expected is None]
    judged = round_verdict.verdict(conn, rating_round) if rating_round.weighable else None
    even = None
    if rating_round.purpose == "aa_control" and judged:
        even = judged.decision == "no difference shown" and not _one_sided(rated)
    two = rating_round.arm_new != rating_round.arm_base and bool(rated)
    # close calls were chosen because raters may differ on them: no rate comes from those
    close = {pair.id for pair in rounds.comparisons(conn, rating_round.id)
             if pair.details.get("rule") in CLOSE}  # fmt: skip
    found = Report(
        name=rating_round.name,
        purpose=rating_round.purpose,
        plan_sha256=rating_round.plan_sha256,
        tally=seen,
        verdict=judged,
        even=even,
        early=round_verdict.looked_early(conn, rating_round),
        position=position_of(rated) if rated and rating_round.states_sides else None,
        imported=rating_round.imported,
        states_sides=rating_round.states_sides,
        length=_length(rated, rating_round.arm_new) if two else None,
        longer=longer_chosen(rated) if rated else None,
        agreement=_agreement([pair for pair in every if pair.prompt not in close]),
        raters=tuple(paused_raters.of_round(conn, rating_round)),
        flagged=len(flags.open_flags(conn, rating_round.id)),
        sentence="",
    )
    return found.model_copy(update={"sentence": sentence(found)})


def _one_sided(rated: list[RatedPair]) -> bool:
    return bool(rated) and position_of(rated).biased


def _agreement(rated: list[RatedPair]) -> Agreement:
    """Whether raters agree, coded by the hash order of the answers; late votes are among them."""
    rows = [(each.prompt, each.rater, hash_order_score(each)) for each in counted(rated)]
    return agreement(rows, "ordinal", tie=0)


def _length(rated: list[RatedPair], new: str) -> LengthControlled | None:
    try:
        return length_controlled(rated, new)
    except UserError:  # no vote about the new model: nothing to control
        return None


def sentence(found: Report) -> str:
    """The result in one paragraph that somebody who knows no statistics can act on."""
    parts = [_head(found)]
    if found.even is not None and found.early:  # else the verdict says so itself
        parts.append(found.early)
    if found.position and found.position.biased:
        parts.append(found.position.sentence)
    if found.longer and found.longer.warn:
        parts.append(found.longer.sentence)
    if found.agreement.raw is not None and found.purpose != "calibration":
        parts.append(found.agreement.sentence)
    if found.tally.paused:
        parts.append(
            f"{found.tally.paused} votes of paused raters are left out until they are looked at."
        )
    if found.tally.guests:
        parts.append(f"Votes of guests, kept apart and not counted: {found.tally.guests}.")
    if found.tally.deleted:
        kept = " All but the verdict is of the votes that are left." if found.verdict else ""
        parts.append(f"Votes deleted with their rater: {found.tally.deleted}.{kept}")
    return " ".join(parts)


def _head(found: Report) -> str:
    tally = found.tally
    if found.even is not None and found.verdict:
        rate, low, high = (
            f"{100 * x:.0f}"
            for x in (found.verdict.win_rate, found.verdict.low, found.verdict.high)
        )
        band = f"one half of the model against itself wins {rate} % ({low} to {high} %)"
        if not found.verdict.n:
            return "The A/A round has no vote yet: it says nothing of the test."
        if found.even and not (found.verdict.low >= EVEN and found.verdict.high <= 1 - EVEN):
            return (
                f"The A/A round shows no imbalance: {band}. It would be called even where the "
                f"range lies within {100 * EVEN:.0f} to {100 * (1 - EVEN):.0f} %; that takes more "
                "votes."
            )
        if found.even:
            return f"The A/A round is even: {band}. The test itself favours nobody."
        return (
            f"The A/A round is not even: {band}. Correct the test before you trust a result of it."
        )
    if found.verdict:
        return found.verdict.sentence
    if found.purpose == "calibration":
        return f"{len(found.raters)} people have practised."
    if tally.good or tally.bad:
        return f"{tally.good} answers are good and {tally.bad} are bad, by {tally.raters} raters."
    doubt = "" if found.states_sides else f" {NOT_BLIND}"
    return (
        f"{tally.wins + tally.losses} votes name a better answer, {tally.ties} are ties and "
        f"{tally.both_bad} find both bad, by {tally.raters} raters.{doubt}"
    )
