"""A project whose loop went round, written straight into the tables: models, rounds, votes."""

import time
from itertools import count

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.evaluation import Evaluation, Mean, RegressionCheck
from engine.core.examples import Message
from engine.core.job_outcome import Outcome
from engine.core.model import Model
from engine.core.rating import Comparison, Round
from engine.jobs.evaluate import Recipe as Evaluate
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.services.rating import rounds
from engine.store import models, votes
from engine.store import rounds as round_store
from engine.store.connect import writing
from engine.store.votes import Assignment
from tests import helpers

clock = count(1)
MEAN = Mean(score=0.4, low=0.3, high=0.5, n=10)


def trained(ws, project, name, start, method="dpo", dataset=None, job=None):
    """A model that `method` made of `start`."""
    new = Model(
        id=ids.new("model"),
        project_id=project.id,
        name=name,
        kind="adapter",
        source="trained",
        path=f"jobs/{name}",
        base_id=start.base_id or start.id,
        parent_id=start.id if start.kind == "adapter" else None,
        job_id=job,
        dataset_id=dataset,
        info={"method": method},
        created_at=time.time() + next(clock),
    )
    with writing(ws.db) as conn:
        models.add(conn, new)
    return new


def blind(ws, project, new, base, wins, losses, ties=0, raters=1, *, close=True, rows=None):
    """A blind round of as many questions; every rater says the same."""
    purpose = "blind_eval" if new.id != base.id else "aa_control"
    outcomes_ = ["a"] * wins + ["b"] * losses + ["tie"] * ties
    one = Round(
        id=ids.new("round"),
        project_id=project.id,
        name=f"Round {next(clock)}",
        purpose=purpose,
        arm_new=new.id,
        arm_base=base.id,
        plan={
            "prompts": len(outcomes_), "overlap": raters, "alpha": 0.05, "dataset": "d",
            "rows": list(rows if rows is not None else range(len(outcomes_))),
        },
        plan_sha256="0" * 64,
        status="open",
        created_by="local",
        created_at=time.time() + next(clock),
    )  # fmt: skip
    pairs = [
        Comparison(
            id=ids.new("pair"), round_id=one.id, position=n,
            prompt=(Message(role="user", content=f"question {n}?"),),
            answer_a=f"new answer {'x' * (n % 5)}", answer_b=f"old answer {'x' * (n % 3)}",
            model_a=new.id, model_b=base.id,
        )
        for n in range(len(outcomes_))
    ]  # fmt: skip
    with writing(ws.db) as conn:
        round_store.add(conn, one)
        round_store.add_comparisons(conn, [(pair, "a") for pair in pairs])
        for n, (pair, outcome) in enumerate(zip(pairs, outcomes_, strict=True)):
            for r in range(raters):
                left_is = "a" if (n + r) % 2 else "b"
                side = outcome if outcome == "tie" else "left" if outcome == left_is else "right"
                _cast(conn, pair, f"rater-{r}", side, left_is)
    if close:
        rounds.close(ws, LOCAL, one.id)
    return one


def _cast(conn, pair, rater, choice, left_is):
    at = float(next(clock))
    token = ids.token()
    seat = Assignment(token, pair.id, pair.round_id, rater, left_is, "voted", at, at + 600)
    votes.lease(conn, seat)
    votes.append(
        conn, ids.new("vote"), token, "vote", {}, choice=choice, active_ms=900, via="api",
        created_at=at,
    )  # fmt: skip


def evaluated(ws, project, dataset, start, model, regressed, bounds=None):
    """An evaluation that watched `model` beside its start."""
    job = lifecycle.submit(
        ws, LOCAL, project.id, Evaluate(models=(start.id, model.id), dataset=dataset.id)
    )
    low, high = bounds or ((-0.3, -0.1) if regressed else (-0.02, 0.04))
    seen = RegressionCheck(
        id="bleu", model=model.id, compared_with=start.id, regressed=regressed,
        before=0.4, after=0.2 if regressed else 0.41, low=low, high=high, ratio=False,
        message=f"BLEU: 0.40 to {'0.20: ' if regressed else '0.41: no regression shown.'}"
        f"{'regressed.' if regressed else ''}",
    )  # fmt: skip
    found = Evaluation(
        dataset_id=dataset.id, split="held_out", models=(start.id, model.id), metrics=("bleu",),
        means={each.id: {"bleu": MEAN} for each in (start, model)}, gains={}, speed={},
        decoding={}, rows=(), regression_checks=(seen,),
    )  # fmt: skip
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(evaluation=found))
