"""The loop step by step, each step the service call that a person's click makes.

Jobs run here and now, in a thread, as a worker's process would run them; torch is loaded once.
"""

import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import NamedTuple

from engine import child
from engine.core.actor import LOCAL, Actor, Role
from engine.core.job import Job, State
from engine.methods import dpo, sft
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.preferences import build
from engine.services.rating import report, rounds
from engine.services.rating.plans import RoundRecipe
from engine.simulated_raters.simple import shorter
from engine.store import jobs as store
from engine.store import rounds as round_store
from engine.store.connect import reading, writing
from engine.workspace import Settings, Workspace, open_workspace
from tests.closed_loop import toy_task
from tests.rating import screen

OTHER = {"left": "right", "right": "left"}
# steps of a size that moves the tiny model: what 5e-6 to 2e-5 are to a real one
DPO = {"num_train_epochs": 2.0, "learning_rate": 1e-3, "per_device_train_batch_size": 16,
       "num_evals": 2, "samples": 0}  # fmt: skip
SHORT = {"max_length": toy_task.WIDTH, "evaluate_after": False}


class Lap(NamedTuple):
    """A project with a model to start from and the questions of the toy task."""

    ws: Workspace
    project: str
    base: str
    questions: str


class Seen(NamedTuple):
    """What a blind round showed: its report, and of both models the answers as people saw them."""

    report: report.Report
    before: list[tuple[str, str]]  # prompt, answer
    after: list[tuple[str, str]]

    @property
    def verdict(self):
        return self.report.verdict

    @property
    def ratio(self):
        """How long the new answers are, the old ones being 1."""
        return length(self.after) / length(self.before)


class Round(NamedTuple):
    """The loop gone round once: the pairs, the job that trained on them, and what people saw."""

    lap: Lap
    export: build.PairExport
    job: Job
    seen: Seen

    @property
    def model(self):
        return self.job.result.model_id


def length(answers):
    return fmean(len(answer.split()) for _, answer in answers)


def accuracy(answers):
    return fmean(toy_task.on_topic(prompt, answer) for prompt, answer in answers)


def begin(home, base_folder):
    """A new workspace in `home` with a project that starts from the base in `base_folder`."""
    home.mkdir(parents=True)
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    project = projects.create(ws, LOCAL, "toy task").id
    base = registry.add_base(ws, LOCAL, "toy task", base_folder, "folder")
    file = toy_task.questions(home / "questions.jsonl")
    share = toy_task.TESTED / (toy_task.TESTED + toy_task.RATED)
    asked = datasets.add(ws, LOCAL, project, file, file.name, held_out=share)
    return Lap(ws, project, base.id, asked.id)


def work(ws):
    """Run all that is queued; each must end well."""
    with ThreadPoolExecutor(1) as thread:
        while True:
            with writing(ws.db) as conn:
                job = store.claim(conn, "compute", "here:1", "here", time.time() + 3600)
            if job is None:
                return
            state = thread.submit(child.run, ws, job.id, job.fence).result()
            assert state is State.DONE, lifecycle.get(ws, LOCAL, job.id).error


def job(lap, recipe):
    """The job after its run."""
    queued = lifecycle.submit(lap.ws, LOCAL, lap.project, recipe)
    work(lap.ws)
    return lifecycle.get(lap.ws, LOCAL, queued.id)


def taught(home, folder):
    """Put a base into `folder` that the repository's own SFT has taught the toy task."""
    raw = toy_task.untaught(home / "raw")
    lap = begin(home / "work", raw)
    file = toy_task.lessons(home / "lessons.jsonl")
    data = datasets.add(lap.ws, LOCAL, lap.project, file, file.name, held_out=0.0)
    recipe = sft.Recipe(
        model=lap.base, dataset=data.id, tuning="full", learning_rate=5e-3, num_train_epochs=8,
        per_device_train_batch_size=32, num_evals=1, samples=0, **SHORT,
    )  # fmt: skip
    model = registry.get(lap.ws, LOCAL, job(lap, recipe).result.model_id)
    shutil.copytree(lap.ws.files / model.path, folder)
    lap.ws.close()


def wish(consistency, rule=shorter):
    """A rater who follows `rule` so often, and says the opposite else.

    Whether they slip depends on the two texts and not on their sides, so the same answers get the
    same votes in every workspace.
    """

    def judge(left, right, rng):
        choice = rule(left, right, (), rng)
        return choice if rng.random() < consistency else OTHER.get(choice, choice)

    return judge


def vote(lap, one, judge, seed, raters=1):
    """Let so many raters vote on all of an open round through the same door as people."""
    for number in range(raters):
        rater = Actor(name=f"rater-{number + 1}", role=Role.RATER)
        shown = screen.next_pair(lap.ws, rater, one.id)
        while shown is not None:
            texts = shown.left, shown.right
            choice = judge(*texts, random.Random(f"{seed} {number} {sorted(texts)}"))
            shown = screen.vote(lap.ws, rater, shown.token, key_of(shown.token), choice, via="api")


def edit(lap, one, better):
    """Let an editor call each pair a tie and turn the left answer into `better` of it."""
    editor = Actor(name="editor", role=Role.RATER)
    shown = screen.next_pair(lap.ws, editor, one.id)
    while shown is not None:
        said = {"side": "left", "text": better(shown.left)}
        shown = screen.vote(
            lap.ws, editor, shown.token, key_of(shown.token), "tie", via="api",
            **({"edit": said} if said["text"] else {}),
        )  # fmt: skip


def key_of(token):
    return f"key-{token}"


def answered(lap, purpose, new, base, seed, **plan):
    """A round whose answers are written."""
    recipe = RoundRecipe(
        purpose=purpose, model=new, baseline=base, dataset=lap.questions, seed=seed,
        max_new_tokens=20, **plan,
    )  # fmt: skip
    one = rounds.start(lap.ws, LOCAL, lap.project, recipe, anyway=True)
    work(lap.ws)
    return rounds.get(lap.ws, LOCAL, one.id)


def rated(lap, judge, seed, model=None, raters=1):
    """The rating round of `model` after the votes of so many raters."""
    model = model or lap.base
    one = answered(lap, "train_pairs", model, model, seed, prompts=toy_task.RATED, overlap=raters,
                   temperature=1.0)  # fmt: skip
    vote(lap, one, judge, seed, raters)
    return one


def trained(lap, dataset, seed, model=None, **settings):
    """The job of a DPO on `dataset`."""
    recipe = dpo.Recipe(
        model=model or lap.base, dataset=dataset, seed=seed, **{**DPO, **SHORT, **settings}
    )
    return job(lap, recipe)


def compared(lap, new, judge, seed, base=None):
    """What a blind round of `new` against `base` on held-out questions shows."""
    base = base or lap.base
    one = answered(lap, "blind_eval", new, base, seed, prompts=toy_task.TESTED, temperature=1.0)
    vote(lap, one, judge, f"blind {seed}")
    rounds.close(lap.ws, LOCAL, one.id)
    with reading(lap.ws.db) as conn:
        found = round_store.comparisons(conn, one.id)
    said = {new: [], base: []}
    for pair in found:
        for model, text in ((pair.model_a, pair.answer_a), (pair.model_b, pair.answer_b)):
            said[model].append((pair.prompt[-1].content, text))
    return Seen(report.report(lap.ws, LOCAL, one.id), said[base], said[new])


def once_round(lap, judge, seed, **settings):
    """The whole loop once: rate, make pairs, train, test blind."""
    rated(lap, judge, seed)
    export = build.make(lap.ws, LOCAL, lap.project)
    done = trained(lap, export.dataset_id, seed, **settings)
    seen = compared(lap, done.result.model_id, judge, seed)
    return Round(lap, export, done, seen)
