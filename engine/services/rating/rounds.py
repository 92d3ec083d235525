"""Rounds of blind rating: a plan frozen before the first vote, comparisons, tally, verdict.

Answers are generated beforehand by a job (engine/jobs/generate.py). While a blind evaluation is
open nobody sees its tally: watching it would unblind the raters and invite stopping at a lucky
moment.
"""

import random
import time
from array import array
from collections.abc import Callable, Container, Iterable
from functools import partial

import numpy as np
from sqlalchemy import Connection

from engine import plugins
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.dataset import Row
from engine.core.errors import Conflict, UserError
from engine.core.examples import Chat, Kind, Prompt, prompt_of, references_of
from engine.core.job_result import HeadResult
from engine.core.normalise import question_mark
from engine.core.rating import BLIND, GoldItem, Purpose, Round, RoundPlan, Tally, Verdict
from engine.services import access
from engine.services.data import datasets
from engine.services.evaluation import blind_round_gate
from engine.services.jobs import lifecycle
from engine.services.rating import (
    audit,
    best_of,
    comparisons,
    dial_questions,
    gold,
    identity_leaks,
    plans,
    reward_heads,
    round_verdict,
    vote_counts,
)
from engine.services.rating.plans import RoundRecipe
from engine.store import rounds
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.workspace import Workspace

Rows = Callable[[], Iterable[Row]]  # read anew at each call: nobody holds a whole dataset
RATEABLE: tuple[Kind, ...] = ("sft", "prompts")
TITLES: dict[Purpose, str] = {
    "train_pairs": "Rating round",
    "blind_eval": "Blind round",
    "aa_control": "A/A round",
    "calibration": "Practice round",
}


def start(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    recipe: RoundRecipe,
    *,
    anyway: bool = False,
    accept_unproven: bool = False,
) -> Round:
    """Freeze a plan and queue the job that writes its answers; people rate when it is done.

    `train_pairs` compares two sampled answers on training prompts (the models may be equal);
    `blind_eval` compares two models on held-out prompts, which never become training pairs;
    `aa_control` compares a model with itself in the same way; `calibration` shows comparisons
    with a known answer, and opens at once. No blind round asks what a strength dial measured.

    Conflict for a blind round of a model that regressed in its evaluation, or for which a
    regression is not ruled out, unless a person decided to show it to raters `anyway`;
    `accept_unproven` is that decision for the second case alone.
    """
    actor.require(Role.TRAINER)
    plans.check(recipe)
    if recipe.purpose == "blind_eval" and not anyway:
        blind_round_gate.check(ws, actor, project_id, recipe.model, accept_unproven=accept_unproven)
    _refuse_traffic(ws, actor, recipe)
    rows = _rows(ws, actor, recipe.dataset, recipe.purpose in BLIND)
    blind = recipe.purpose in BLIND
    measured = dial_questions.questions(ws, actor, project_id) if blind else frozenset[int]()
    wanted = round(recipe.prompts * (1 + recipe.spare)) + recipe.further
    asked = _choose(rows(), wanted, recipe.seed, measured)
    if not asked and measured:
        raise UserError(
            "A strength dial measured models on all held-out prompts of this dataset.",
            "Add held-out prompts, or choose another dataset.",
        )
    if not asked:
        where = "held-out" if recipe.purpose in BLIND else "training"
        raise UserError(f"This dataset has no {where} prompts.", "Add it with a held-out part.")
    _check_further(recipe, rows, asked)
    practice, gold_items = _known_answers(recipe, rows, asked)
    plan = plans.plan(recipe, asked, practice, gold_items)
    if recipe.uses_head:
        plan = _with_head(ws, actor, project_id, plan, recipe)
    new = _add(ws, actor, project_id, plan, recipe.name)
    _begin(ws, actor, new)
    return get(ws, actor, new.id)


def _refuse_traffic(ws: Workspace, actor: Actor, recipe: RoundRecipe) -> None:
    """Prompts of the API's traffic enter no blind verdict: people saw their answers."""
    if recipe.purpose not in BLIND:
        return
    asked = datasets.get(ws, actor, recipe.dataset)
    if asked.from_traffic:
        raise Conflict(
            f"The prompts of {asked.label} come from traffic, which is not blind.",
            "Choose another dataset, or collect preferences for training with these.",
        )


def _check_further(recipe: RoundRecipe, rows: Rows, asked: list[int]) -> None:
    """UserError where the dataset has no questions, or no references, for the predictor."""
    if recipe.predictor == "none":
        return
    if len(asked) <= recipe.prompts:
        raise UserError(
            f"This dataset has {len(asked)} held-out prompts, and none beyond those to rate.",
            "Rate fewer questions, or leave out the predictor.",
        )
    if recipe.predictor == "overlap":
        chosen = set(asked)
        examples = (row.example for row in rows() if row.index in chosen)
        if not any(isinstance(e, Chat | Prompt) and references_of(e) for e in examples):
            raise UserError(
                "This dataset has no references.", "Choose the difference in length, or none."
            )


def _with_head(
    ws: Workspace, actor: Actor, project_id: str, plan: RoundPlan, recipe: RoundRecipe
) -> RoundPlan:
    """The plan with the reward head that it uses; UserError where none may be used."""
    job = reward_heads.usable(ws, actor, project_id)
    if job is None:
        raise UserError(
            "There is no reward head that may predict votes or choose answers.",
            "Learn one from the votes first, or do without it.",
        )
    known = job.result_as(HeadResult).sha256
    if recipe.best_of == 1:
        return plan.model_copy(update={"head": job.id, "head_sha256": known})
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        return best_of.plan_with_arm(conn, actor, project_id, plan, recipe.best_of, job)


def _known_answers(
    recipe: RoundRecipe, rows: Rows, asked: list[int]
) -> tuple[list[GoldItem], list[GoldItem]]:
    """The practice and gold items of a plan: those given first, the rest from the dataset."""
    rated = min(recipe.prompts, len(asked))
    alone = recipe.purpose == "calibration"
    practice = rated if alone else recipe.practice
    wanted = practice + (0 if alone else round(recipe.gold * rated))
    items = list(recipe.gold_items[:wanted])
    if len(items) < wanted:
        items += gold.from_rows(rows(), wanted - len(items), set(asked), recipe.seed)
    return items[:practice], items[practice:]


def _begin(ws: Workspace, actor: Actor, new: Round) -> None:
    """Have the answers written; a practice round needs none and opens at once."""
    if new.purpose != "calibration":
        _write_answers(ws, actor, new)
        return
    with writing(ws.db) as conn:
        shown = comparisons.add_uncounted(conn, new, [], identity_leaks.telling(conn, new))
        rounds.change(conn, new.id, status="open" if shown else "failed")


def _add(ws: Workspace, actor: Actor, project_id: str, plan: RoundPlan, name: str) -> Round:
    arm_new, arm_base = plan.arms
    number = 1 + sum(r.purpose == plan.purpose for r in list_all(ws, actor, project_id))
    new = Round(
        id=ids.new("round"),
        project_id=project_id,
        name=name.strip() or f"{TITLES[plan.purpose]} {number}",
        purpose=plan.purpose,
        arm_new=arm_new,
        arm_base=arm_base,
        plan=plan,
        plan_sha256=ids.sha256(to_json(plan)),
        status="preparing",
        created_by=actor.name,
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        access.model(conn, actor, plan.best_of_model or arm_new, project_id)
        access.model(conn, actor, arm_base, project_id)
        access.dataset(conn, actor, plan.dataset, project_id)
        rounds.add(conn, new)
    return new


def _write_answers(ws: Workspace, actor: Actor, new: Round) -> None:
    plan = new.plan
    recipe = plugins.load("jobs", "generate").Recipe(
        round=new.id,
        model_new=plan.best_of_model or new.arm_new,
        model_base=new.arm_base,
        dataset=plan.dataset,
        rows=plan.rows,
        temperature=plan.temperature,
        max_new_tokens=plan.max_new_tokens,
        seed=plan.seed,
        keep=plan.keep,
        samples=plan.samples,
        answers=plan.answers,
        head=plan.head,
        best_of=plan.best_of,
        arm=new.arm_new if plan.best_of > 1 else None,
    )
    job = lifecycle.submit(ws, actor, new.project_id, recipe, f"Answers for {new.name}")
    with writing(ws.db) as conn:
        rounds.change(conn, new.id, job_id=job.id)


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Round]:
    """Newest first."""
    actor.require(Role.GUEST)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return rounds.list_all(conn, project_id)


def get(ws: Workspace, actor: Actor, round_id: str) -> Round:
    """The round; NotFound otherwise."""
    actor.require(Role.GUEST)
    with reading(ws.db) as conn:
        return access.rating_round(conn, actor, round_id)


def close(ws: Workspace, actor: Actor, round_id: str) -> Round:
    """End the voting; from now on its result may be seen, and it can't be opened again."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        rating_round = access.rating_round(conn, actor, round_id)
        if rating_round.status != "open":
            raise Conflict(
                f"{rating_round.name} is {rating_round.status}.",
                "Only an open round can be closed.",
            )
        rounds.change(conn, round_id, status="closed", closed_at=time.time())
        return access.rating_round(conn, actor, round_id)


def left_out(ws: Workspace, actor: Actor, round_id: str) -> dict[str, int]:
    """How many of its pairs nobody is shown, by reason; empty while no answers are written."""
    one = get(ws, actor, round_id)
    if one.imported and one.plan.origin is not None:
        return dict(one.plan.origin.left_out)
    return dict(lifecycle.get(ws, actor, one.job_id).result.left_out) if one.job_id else {}


def tally(ws: Workspace, actor: Actor, round_id: str) -> Tally:
    """Votes from the side of the new arm; Forbidden while a blind round is open."""
    with audit.record_refused_look(ws, actor, round_id), reading(ws.db) as conn:
        return vote_counts.count(conn, _seen_by(conn, actor, round_id))


def verdict(ws: Workspace, actor: Actor, round_id: str) -> Verdict:
    """What the closed round shows by the rule of its plan, with its interval.

    Conflict for votes of a file that does not say which answer stood on the left.
    """
    with audit.record_refused_look(ws, actor, round_id), reading(ws.db) as conn:
        rating_round = _seen_by(conn, actor, round_id)
        if not rating_round.states_sides:
            raise Conflict(
                f"{rating_round.name} is not known to be blind: its file does not say which answer "
                "stood on the left.",
                "It gives no verdict; its votes count in agreement and preference pairs.",
            )
        return round_verdict.verdict(conn, rating_round)


def break_glass(ws: Workspace, actor: Actor, round_id: str, reason: str) -> Tally:
    """How an open blind round stands, to an owner who must know before its end.

    The owner, the time and the reason stay on record. From then on this owner may read the tally,
    and the round is judged by a rule that holds however often one looks (`round_verdict.weighed`).
    """
    with audit.record_refused_look(ws, actor, round_id), writing(ws.db) as conn:
        actor.require(Role.OWNER)
        rating_round = access.rating_round(conn, actor, round_id)
        if not rating_round.blind or rating_round.status != "open":
            why_not = rating_round.status if rating_round.blind else "not blind"
            raise Conflict(
                f"{rating_round.name} is {why_not}.",
                "Only an open blind round hides its result.",
            )
        audit.record_early_look(conn, actor, rating_round, reason)
        return vote_counts.count(conn, rating_round)


def _seen_by(conn: Connection, actor: Actor, round_id: str) -> Round:
    """The round, where this actor may see how it stands."""
    actor.require(Role.TRAINER)
    rating_round = access.rating_round(conn, actor, round_id)
    audit.refuse_early(conn, actor, rating_round)
    return rating_round


def _rows(ws: Workspace, actor: Actor, dataset: str, blind: bool) -> Rows:
    """The rows a round may ask: held-out ones for a blind round, the others for training pairs."""
    source = datasets.get(ws, actor, dataset)
    if source.kind not in RATEABLE:
        raise UserError(
            f"{source.label} has no prompts to answer.", "Choose a dataset of chats or prompts."
        )
    return partial(datasets.each_row, ws, source, "held_out" if blind else "train")


def _choose(
    rows: Iterable[Row], prompts: int, seed: int, without: Container[int] = frozenset()
) -> list[int]:
    """Row numbers for the round, each question once; none whose mark is in `without`."""
    questions, places = array("Q"), array("q")
    for row in rows:
        mark = question_mark(prompt_of(row.example))
        if mark not in without:
            questions.append(mark)
            places.append(row.index)
    _, first = np.unique(np.array(questions, np.uint64), return_index=True)
    numbers: list[int] = np.sort(np.array(places, np.int64)[first]).tolist()
    random.Random(seed).shuffle(numbers)
    return numbers[:prompts]
