"""The job of the demo: the whole loop, each step the service call that a person's click makes.

Nothing in it knows how the loop will end: the raters follow their stated rule, and the verdict is
whatever their votes say.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.core.evaluation import Evaluation
from engine.core.job import Job
from engine.core.job_outcome import Outcome
from engine.core.job_result import DemoResult
from engine.core.json_object import JsonObject
from engine.core.rating import Purpose, Round, Verdict, simulated_rater
from engine.core.recipe import MOST_SEED, Ref, RefKind, TrainRecipe, default_epochs
from engine.core.recipe import Recipe as BaseRecipe
from engine.files import write_atomic
from engine.orchestrate import child_jobs
from engine.orchestrate.child_jobs import LoopContext
from engine.orchestrate.demo_report import as_markdown, report_of
from engine.services.data import datasets
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.people import acting
from engine.services.preferences import build
from engine.services.preferences.build import PairExport
from engine.services.rating import rounds, votes
from engine.services.rating.plans import SAMPLES, RoundRecipe
from engine.simulated_raters.ranking import rank
from engine.workspace import Workspace

TITLE = "Demo of the loop"
SUMMARY = "The whole loop on sample data with simulated raters."

DATA = Path(__file__).parent
STAGES = 8  # and two more for each further rating round
MOST_ROUNDS = 3
ENOUGH_PAIRS = 40
SHORT = {"max_length": 160, "evaluate_after": False}  # the loop has an evaluation of its own


class Recipe(BaseRecipe):
    """How large the demo is; the defaults fit into 12 minutes on two cores."""

    KIND = "demo"
    LANE = "loop"

    model: str = Field(description="The base model to start from")
    rater: str = Field("friendly", description="The rule that the simulated raters follow")
    sft: JsonObject = Field(
        default_factory=lambda: JsonObject(num_train_epochs=3.0, learning_rate=1e-3, num_evals=3),
        description="Settings of the first training",
    )
    dpo: JsonObject = Field(
        default_factory=lambda: JsonObject(replay_rows=1),
        description="Settings of the training on votes; a replayed row keeps right answers right",
    )
    max_new_tokens: int = Field(48, ge=1, le=512, description="Longest answer, in tokens")
    prompts: int = Field(72, ge=24, le=200, description="Comparisons to rate for training")
    raters: int = Field(3, ge=1, le=9, description="Simulated raters of the blind round")
    seed: int = Field(1, ge=0, le=MOST_SEED, description="Same seed, same demo")

    def needs(self) -> list[Ref]:
        """The base model."""
        return [Ref(RefKind.MODEL, self.model)]

    def nested_trainings(self) -> list[TrainRecipe]:
        """The training on examples and that on votes."""
        return [
            child_jobs.training_recipe("sft", self.sft, self.model),
            child_jobs.training_recipe("dpo", self.dpo, self.model),
        ]


class Loop:
    """The steps of one demo and how long each took."""

    def __init__(self, recipe: Recipe, ctx: LoopContext) -> None:
        self.recipe = recipe
        self.ctx = ctx
        self.ws = ctx.ws
        self.stages: list[tuple[str, float]] = []
        self.total = STAGES

    @property
    def actor(self) -> Actor:
        """Whom it acts for, asked anew: what an owner takes away is away at the next step."""
        return acting.owner_of(self.ws, self.ctx.job_id)

    @contextmanager
    def stage(self, label: str) -> Iterator[None]:
        """Say which step has begun, and note how long it took."""
        self.ctx.check()
        start = time.monotonic()
        self.report_progress(label, 0.0)
        yield
        self.stages.append((label, time.monotonic() - start))

    def report_progress(self, label: str, part: float) -> None:
        """Progress of the whole loop, `part` of the current step included."""
        done = round(len(self.stages) + part, 2)
        self.ctx.emit("progress", {"done": done, "total": self.total, "label": label})

    def add(self, file: str, held_out: float) -> Dataset:
        """One of the demo's own files as a dataset version."""
        path = DATA / file
        return datasets.add(
            self.ws, self.actor, self.ctx.project_id, path, file, held_out=held_out, seed=7
        )

    def job(self, kind: str, label: str, **values: Any) -> Job:
        """Submit a job, wait for it, return it done; UserError when it failed."""
        recipe = plugins.load("jobs", kind).Recipe.model_validate(values)
        return self.wait(
            lifecycle.submit(self.ws, self.actor, self.ctx.project_id, recipe, label), label
        )

    def wait(self, job: Job, label: str) -> Job:
        """The job when it is done; UserError where it failed."""
        return child_jobs.wait(self.ctx, self.actor, job, label, self.report_progress)

    def round(self, purpose: Purpose, label: str, new: str, base: str, **values: Any) -> Round:
        """A round with its answers written."""
        recipe = RoundRecipe(
            purpose=purpose,
            model=new,
            baseline=base,
            max_new_tokens=self.recipe.max_new_tokens,
            **{"seed": self.recipe.seed, **values},
        )
        # the raters are simulated: no person is shown a model that regressed
        one = rounds.start(self.ws, self.actor, self.ctx.project_id, recipe, anyway=True)
        if one.job_id:
            self.wait(lifecycle.get(self.ws, self.actor, one.job_id), label)
        return rounds.get(self.ws, self.actor, one.id)

    def rate(self, one: Round, raters: int) -> int:
        """Let simulated raters vote on every pair through the same door as people; the votes."""
        return sum(simulate(self.ws, one, self.recipe.rater, n, self.recipe.seed)
                   for n in range(raters))  # fmt: skip


def simulate(ws: Workspace, one: Round, rule: str, number: int, seed: int) -> int:
    """One simulated rater votes on all that an open round has for them; how many votes.

    The rule sees the two texts as shown and the references, never which model wrote which.
    """
    if one.status != "open":
        return 0
    rater = Actor(name=simulated_rater(rule, number + 1), role=Role.RATER,
                  projects=frozenset({one.project_id}))  # fmt: skip
    judge = plugins.load("raters", rule)
    rng = random.Random(f"{seed} {number} {one.name}")
    number_of_votes = 0
    shown = votes.state(ws, rater, one.id, prefetch=0).pair
    while shown is not None:
        answers, references = votes.texts(ws, rater, shown.token)
        vote: dict[str, object]
        if shown.mode == "rank":
            choice, ranks = rank(judge, answers, references, rng)
            vote = {"choice": choice} if choice else {"choice": "ranked", "ranks": ranks}
        else:
            vote = {"choice": judge(*answers, references, rng)}
        key = f"{one.id}-{number}-{number_of_votes}"  # the seed may be that of an earlier demo
        asked = votes.request(ws, rater, {"token": shown.token, "key": key, "via": "api", **vote})
        shown = votes.vote(ws, rater, asked, prefetch=0).pair
        number_of_votes += 1
    return number_of_votes


def run(recipe: Recipe, ctx: LoopContext) -> Outcome:
    """Walk the loop once and report what it showed."""
    loop = Loop(recipe, ctx)
    with loop.stage("Adding the data"):
        faq = loop.add("library_faq.jsonl", HELD_OUT_SHARE)
        prompts = loop.add("library_prompts.jsonl", 0.0)
    with loop.stage("Training on the examples (SFT)"):
        values = {"model": recipe.model, "dataset": faq.id, **SHORT, **recipe.sft}
        sft = loop.job("sft", "SFT on the FAQ", **values).result.model_id or ""
    export, rated = _rate_until_enough(loop, sft, prompts)
    with loop.stage("Training on the votes (DPO)"):
        usual = {"num_train_epochs": default_epochs(export.pairs), "num_evals": 3, **SHORT}
        values = {"model": sft, "dataset": export.dataset_id, **usual, **recipe.dpo}
        dpo = loop.job("dpo", "DPO on the votes", **values).result.model_id or ""
    with loop.stage("Evaluating on held-out rows"):
        evaluation = _evaluate(loop, (recipe.model, sft, dpo), faq)
    verdict = _blind_round(loop, dpo, sft, faq)
    report = report_of(recipe.rater, evaluation, verdict, export, rated, loop.stages)
    write_atomic(ctx.folder / "report.md", as_markdown(report).encode())
    loop.report_progress("Done", 0.0)
    return Outcome(result=DemoResult(report=report))


def _rate_until_enough(loop: Loop, model: str, prompts: Dataset) -> tuple[PairExport, int]:
    """The pairs of as many rating rounds as they take, three at most, and the votes cast.

    A well-taught model often gives the same answer twice; each further round samples more freely.
    """
    rated = 0
    for attempt in range(MOST_ROUNDS):
        with loop.stage(f"Writing answers to rate, round {attempt + 1}"):
            rating = loop.round(
                "train_pairs",
                "Answers to rate",
                model,
                model,
                dataset=prompts.id,
                prompts=loop.recipe.prompts,
                temperature=1.0 + 0.2 * attempt,
                seed=loop.recipe.seed + SAMPLES * attempt,
            )
        with loop.stage("Simulated raters vote, votes become pairs"):
            rated += loop.rate(rating, 1)
        if build.count(loop.ws, loop.actor, loop.ctx.project_id) >= ENOUGH_PAIRS:
            break
        loop.total += 2
    return build.make(loop.ws, loop.actor, loop.ctx.project_id), rated


def _evaluate(loop: Loop, models: tuple[str, str, str], faq: Dataset) -> Evaluation:
    done = loop.job(
        "evaluate",
        "Base, SFT and DPO on held-out rows",
        models=models,
        dataset=faq.id,
        max_new_tokens=loop.recipe.max_new_tokens,
    )
    return evaluations.get(loop.ws, loop.actor, done.result.evaluation_id or "")


def _blind_round(loop: Loop, new: str, base: str, faq: Dataset) -> Verdict:
    """A blind round on held-out prompts; answers are sampled, as people would get them."""
    with loop.stage("Writing answers for the blind round"):
        blind = loop.round(
            "blind_eval",
            "Answers for the blind round",
            new,
            base,
            dataset=faq.id,
            prompts=loop.recipe.prompts,
            overlap=loop.recipe.raters,
            temperature=0.7,
        )
    with loop.stage("The blind round"):
        loop.rate(blind, loop.recipe.raters)
        if rounds.get(loop.ws, loop.actor, blind.id).status == "open":
            rounds.close(loop.ws, loop.actor, blind.id)
        return rounds.verdict(loop.ws, loop.actor, blind.id)
