"""Rounds of blind rating: a plan frozen before the first vote, comparisons, tally, verdict.

Answers are generated beforehand by a job (engine/work/generate.py). While a blind evaluation is
open nobody sees its tally: watching it would unblind the raters and invite stopping at a lucky
moment.
"""

import hashlib
import random
import time
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection

from engine import plugins
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, Forbidden, UserError
from engine.core.examples import Kind, Message, prompt_of
from engine.core.normal import normal
from engine.core.rating import Purpose, Round, Tally
from engine.services import access, datasets, jobs
from engine.stats.power import detectable
from engine.stats.preference import Verdict
from engine.stats.preference import verdict as weigh
from engine.store import rounds, votes
from engine.store.connect import reading, writing
from engine.store.rows import to_json
from engine.workspace import Workspace

RATEABLE: tuple[Kind, ...] = ("sft", "prompts")


def plan(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    purpose: Purpose,
    arm_new: str,
    arm_base: str,
    *,
    dataset: str,
    prompts: int = 50,
    overlap: int = 1,
    temperature: float | None = None,
    max_new_tokens: int = 96,
    seed: int = 1,
    name: str = "",
) -> Round:
    """Freeze a plan and queue the job that writes its answers; people rate when it is done.

    `train_pairs` compares two sampled answers on training prompts (arms may be equal);
    `blind_eval` compares two models on held-out prompts, which never become training pairs.
    """
    actor.require(Role.TRAINER)
    blind = purpose == "blind_eval"
    if blind and arm_new == arm_base:
        raise UserError("A blind round needs two different models.", "Choose another baseline.")
    chosen = _choose(ws, actor, dataset, blind, prompts, seed)
    if temperature is None:
        temperature = 0.0 if blind else 0.9
    decoding = {"temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed}
    asked = {"dataset": dataset, "rows": chosen, "overlap": overlap}
    frozen = {"arms": [arm_new, arm_base], **asked, **decoding, **_rule(purpose, len(chosen))}
    new = _add(ws, actor, project_id, frozen, name)
    _write_answers(ws, actor, new)
    return get(ws, actor, new.id)


def _rule(purpose: Purpose, prompts: int) -> dict[str, Any]:
    """How the round will be judged, fixed before the first vote."""
    return {
        "purpose": purpose,
        "prompts": prompts,
        "alpha": 0.05,
        "rule": "better when the interval of the win rate lies above one half and p < 0.05",
        "detectable": detectable(prompts),
    }


def _add(ws: Workspace, actor: Actor, project_id: str, frozen: dict[str, Any], name: str) -> Round:
    arm_new, arm_base = frozen["arms"]
    purpose: Purpose = frozen["purpose"]
    number = 1 + sum(r.purpose == purpose for r in list_all(ws, actor, project_id))
    title = "Blind round" if purpose == "blind_eval" else "Rating round"
    new = Round(
        id=ids.new("round"),
        project_id=project_id,
        name=name.strip()[:80] or f"{title} {number}",
        purpose=purpose,
        arm_new=arm_new,
        arm_base=arm_base,
        plan=frozen,
        plan_sha256=hashlib.sha256(to_json(frozen).encode()).hexdigest(),
        status="preparing",
        created_by=actor.name,
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        access.model(conn, arm_new, project_id)
        access.model(conn, arm_base, project_id)
        access.dataset(conn, frozen["dataset"], project_id)
        rounds.add(conn, new)
    return new


def _write_answers(ws: Workspace, actor: Actor, new: Round) -> None:
    recipe = plugins.load("jobs", "generate").Recipe(
        round=new.id,
        model_new=new.arm_new,
        model_base=new.arm_base,
        **{k: new.plan[k] for k in ("dataset", "rows", "temperature", "max_new_tokens", "seed")},
    )
    job = jobs.submit(ws, actor, new.project_id, recipe, f"Answers for {new.name}")
    with writing(ws.db) as conn:
        rounds.change(conn, new.id, job_id=job.id)


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Round]:
    """Newest first."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        access.project(conn, project_id)
        return rounds.list_all(conn, project_id)


def get(ws: Workspace, actor: Actor, round_id: str) -> Round:
    """The round; NotFound otherwise."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        return access.rating_round(conn, round_id)


def close(ws: Workspace, actor: Actor, round_id: str) -> Round:
    """End the voting; from now on its result may be seen, and it can't be opened again."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        one = access.rating_round(conn, round_id)
        if one.status != "open":
            raise Conflict(f"{one.name} is {one.status}.", "Only an open round can be closed.")
        rounds.change(conn, round_id, status="closed", closed_at=time.time())
        return access.rating_round(conn, round_id)


def tally(ws: Workspace, actor: Actor, round_id: str) -> Tally:
    """Votes from the side of the new arm; Forbidden while a blind round is open."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        one = access.rating_round(conn, round_id)
        if one.purpose == "blind_eval" and one.status != "closed":
            raise Forbidden(
                f"{one.name} is blind until it is closed.", "Close it when enough votes are in."
            )
        return count(conn, one)


def verdict(ws: Workspace, actor: Actor, round_id: str) -> Verdict:
    """What the closed round shows, with its interval."""
    seen = tally(ws, actor, round_id)
    votes_cast = seen.wins + seen.losses + seen.ties + seen.both_bad
    overlapping = votes_cast > seen.prompts
    return weigh(
        seen.wins,
        seen.losses,
        seen.ties,
        seen.both_bad,
        by_prompt=seen.by_prompt if overlapping else None,
    )


def count(conn: Connection, one: Round) -> Tally:
    """The tally of a round; in a blind one, identical answers are a tie that nobody was shown."""
    pairs = {c.id: c for c in rounds.comparisons(conn, one.id)}
    cast = votes.live(conn, [one.id])
    outcomes: dict[str, list[str]] = defaultdict(list)
    for vote in cast:
        pair = pairs[vote.comparison_id]
        new_side = "lo" if pair.model_lo == one.arm_new else "hi"
        preferred = vote.canonical
        if preferred in ("lo", "hi"):
            preferred = "win" if preferred == new_side else "loss"  # type: ignore[assignment]
        outcomes[vote.comparison_id].append(preferred)
    for pair in pairs.values():
        if pair.kind == "identical" and one.purpose == "blind_eval":
            outcomes[pair.id].append("tie")
    flat = [outcome for each in outcomes.values() for outcome in each]
    worth = {"win": 1.0, "loss": 0.0, "tie": 0.5, "both_bad": 0.5}
    return Tally(
        wins=flat.count("win"),
        losses=flat.count("loss"),
        ties=flat.count("tie"),
        both_bad=flat.count("both_bad"),
        raters=len({vote.rater for vote in cast}),
        prompts=len(outcomes),
        left=sum(vote.choice == "left" for vote in cast),
        right=sum(vote.choice == "right" for vote in cast),
        by_prompt=tuple(sum(worth[o] for o in each) / len(each) for each in outcomes.values()),
    )


def _choose(
    ws: Workspace, actor: Actor, dataset: str, blind: bool, prompts: int, seed: int
) -> list[int]:
    """Row numbers for the round: held-out rows for a blind one, the others for training pairs."""
    source = datasets.get(ws, actor, dataset)
    if source.kind not in RATEABLE:
        raise UserError(
            f"{source.label} has no prompts to answer.", "Choose a dataset of chats or prompts."
        )
    rows = datasets.load_rows(ws, source, "held_out" if blind else "train")
    first_of: dict[str, int] = {}
    for row in rows:
        first_of.setdefault(prompt_key(prompt_of(row.example)), row.index)
    numbers = sorted(first_of.values())
    if not numbers:
        where = "held-out" if blind else "training"
        raise UserError(f"This dataset has no {where} prompts.", "Add it with a held-out part.")
    random.Random(seed).shuffle(numbers)
    return numbers[:prompts]


def prompt_key(prompt: tuple[Message, ...]) -> str:
    """A prompt without case and spacing: the same question has the same key."""
    return "\n".join(normal(m.content) for m in prompt if m.role != "system")
