"""Runs that said things and evaluations made by hand, for the tests of Runs, Evaluate and Play."""

import time

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.evaluation import EvaluatedRow, Evaluation, Gain, Mean, Output
from engine.core.event import StoredEvent
from engine.core.examples import Message
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import events
from engine.store.connect import writing
from engine.store.json_columns import to_json
from tests import helpers


def submit(ws, project_id, kind, name="", **values):
    recipe = plugins.load("jobs", kind).Recipe.model_validate(values)
    return lifecycle.submit(ws, LOCAL, project_id, recipe, name)


def say(ws, job_id, *said):
    """Each of `said` is kind, step, data."""
    with writing(ws.db) as conn:
        events.add(conn, job_id, [(time.time(), kind, step, data) for kind, step, data in said])


def stored(*said):
    """Events as they are stored."""
    return [
        StoredEvent(each.job_id, each.seq, each.at, each.kind, each.step, to_json(each.data))
        for each in said
    ]


def train_events(steps=4, of=8):
    """What a training says: held-out loss first, then losses with a progress after each."""
    said = [("metric", 0, {"eval_loss": 3.0})]
    for step in range(1, steps + 1):
        said += [
            ("metric", step, {"loss": 3.0 / step, "tokens_per_s": 400.0}),
            ("progress", step, {"done": step, "total": of, "label": f"Step {step} of {of}"}),
        ]
    return [*said, ("metric", steps, {"eval_loss": 2.0})]


def adapter(ws, project_id, base, data, name="SFT one", kind="adapter"):
    """An adapter as a training leaves it behind."""
    values = {"model": base.id, "dataset": data.id, "evaluate_after": False}
    job = submit(ws, project_id, "sft", name, **values)
    job = helpers.claimed(ws, job.id)
    new = NewModel(
        name="sft-1", kind=kind, path="adapter", base_id=base.id, parent_id=None,
        dataset_id=data.id,
    )  # fmt: skip
    job_outcomes.store(ws, job, Outcome(result={"best_train_loss": 1.0}, model=new))
    return registry.list_all(ws, LOCAL, project_id)[-1]


def output(text, score, failed=None):
    scores = {} if failed else {"rougeL": score, "exact_match": float(score == 1)}
    return Output(text=text, failed=failed, tokens=3, seconds=0.5, scores=scores)


def evaluation(data, base, tuned, answers):
    """`answers`: index -> (before, score, after, score); the gain is said to be "Better"."""
    rows = tuple(
        EvaluatedRow(
            index=index,
            prompt=(Message(role="user", content=f"question {index}?"),),
            references=(f"right {index}",),
            outputs={base: output(before, low), tuned: output(after, high)},
        )
        for index, (before, low, after, high) in answers.items()
    )
    mean = Mean(score=0.5, low=0.4, high=0.6, n=len(rows), signature="ROUGE|v1")
    better = Gain(diff=0.2, low=0.1, high=0.3, p=0.01, n=len(rows), sentence="Better: +0.20.")
    unsure = Gain(
        diff=0.0, low=-0.1, high=0.1, p=1.0, n=len(rows), sentence="No difference shown: 0.00."
    )
    speed = {"seconds": 2.0, "tokens_per_s": 20.0, "p50_s": 0.5, "p95_s": 0.9, "usd_per_1000": 0.0}
    return Evaluation(
        dataset_id=data,
        split="held_out",
        models=(base, tuned),
        metrics=("rougeL", "exact_match"),
        means={m: {"rougeL": mean, "exact_match": mean} for m in (base, tuned)},
        gains={tuned: {"rougeL": better, "exact_match": unsure}},
        speed={base: speed, tuned: speed},
        decoding={"greedy": 1, "max_new_tokens": 96},
        rows=rows,
    )


def evaluated(ws, project_id, data, base, tuned, answers, name="An evaluation", **more):
    """The id of an evaluation that is stored the way a worker stores it; `more` are its fields."""
    job = submit(ws, project_id, "evaluate", name, models=[base.id, tuned.id], dataset=data.id)
    job = helpers.claimed(ws, job.id)
    found = evaluation(data.id, base.id, tuned.id, answers).model_copy(update=more)
    job_outcomes.store(ws, job, Outcome(result={"rows": len(answers)}, evaluation=found))
    return lifecycle.get(ws, LOCAL, job.id).result.evaluation_id
