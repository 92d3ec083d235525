"""The next step of the auto loop, read from the tables alone: whoever stops may go on any time.

A generation starts from the policy: the champion, or the model that was named while there is none.
It is rated, trained, evaluated, and compared blind; then it is the champion, or the policy stays.
The step is carried out by engine/orchestrate/auto_loop_job.py.
"""

from typing import Literal, NamedTuple

from engine.core.actor import Actor, Role
from engine.core.model import Model
from engine.core.rating import Round, Verdict
from engine.services.evaluation import blind_round_gate, evaluations
from engine.services.loop import champion, stop_rules
from engine.services.loop import history as histories
from engine.services.models import registry
from engine.services.preferences import build
from engine.services.preferences.build import FEWEST
from engine.services.rating import rounds, votes
from engine.workspace import Workspace

Name = Literal[
    "rate", "answers", "votes", "pairs", "train", "evaluate", "test", "close", "promote", "end"
]
MOST_TRIES = 3  # rating rounds of one generation before it is given up


class LoopGoal(NamedTuple):
    """What a loop that goes round by itself was asked for.

    Generations, and the rules that may stop the loop, count from `since` on (epoch seconds).
    """

    start: str
    since: float
    generations: int = 2
    most_votes: int | None = None


class NextStep(NamedTuple):
    """One step: `model` is the generation it is about, `base` what it is compared with."""

    name: Name
    text: str
    policy: str
    model: str = ""
    base: str = ""
    round_id: str = ""
    dataset_id: str = ""
    attempt: int = 0


class _At(NamedTuple):
    ws: Workspace
    actor: Actor
    project_id: str
    goal: LoopGoal
    policy: Model
    baseline: Model
    rounds: list[Round]  # oldest first


def next_step(ws: Workspace, actor: Actor, project_id: str, goal: LoopGoal) -> NextStep:
    """The next step; "end" with the reason where there is none."""
    actor.require(Role.TRAINER)
    models = registry.list_all(ws, actor, project_id)
    policy = champion.current(ws, actor, project_id) or registry.get(ws, actor, goal.start)
    # votes that came from a file are a person's to weigh, never the loop's by itself
    tests = [one for one in rounds.list_all(ws, actor, project_id)[::-1] if one.plan.origin is None]
    learned = [one for one in models if histories.learned_preferences(one)]
    blind = [one for one in tests if one.purpose == "blind_eval"]
    baseline = (histories.baseline(models, blind) if learned else None) or policy
    at = _At(ws, actor, project_id, goal, policy, baseline, tests)
    born = [one for one in learned if (one.parent_id or one.base_id) == policy.id]
    newest = born[-1] if born else None
    step = _test(at, newest) if newest else None
    if step:
        return step
    made = [one for one in learned if one.created_at > goal.since]
    reason = _reason(at, made)
    if reason:
        return NextStep("end", reason, policy.id, newest.id if newest else "")
    return _collect(at, newest.created_at if newest else 0.0)


def _reason(at: _At, made: list[Model]) -> str:
    """Why to stop; nothing where the loop may go on."""
    if not made:
        return ""
    seen = histories.history(at.ws, at.actor, at.project_id, at.goal.most_votes)
    reasons = stop_rules.reasons(seen.rules)
    if reasons:
        return " ".join(reasons)
    if len(made) >= at.goal.generations:
        word = "generation was" if len(made) == 1 else "generations were"
        return f"{len(made)} {word} made, as many as were asked for."
    return ""


def _test(at: _At, new: Model) -> NextStep | None:
    """What is left to do for a trained model; None when it has been judged."""
    seen = [ref for ref in evaluations.list_all(at.ws, at.actor, at.project_id)
            if new.id in ref.models]  # fmt: skip
    if not seen:
        return _step(at, "evaluate", "Evaluating the new model on held-out rows", new)
    _, checks = blind_round_gate.regression_checks(at.ws, at.actor, at.project_id, new.id)
    if stop_rules.regression(checks).stop:
        return None
    for base in dict.fromkeys((at.baseline.id, at.policy.id)):
        step = _blind(at, new, base)
        if step:
            return step
    return _promotion(at, new)


def _blind(at: _At, new: Model, base: str) -> NextStep | None:
    """The next step of the blind round of a model against another; None when it is closed."""
    mine = [one for one in at.rounds if one.purpose == "blind_eval"
            and (one.arm_new, one.arm_base) == (new.id, base)]  # fmt: skip
    tried = len(mine)
    if any(one.status == "closed" for one in mine):
        return None
    live = [one for one in mine if one.status in ("preparing", "open")]
    if live:
        return _of_round(at, live[-1], new) or _step(
            at, "close", "Closing the blind round", new, base=base, round_id=live[-1].id
        )
    if tried >= MOST_TRIES:
        return _step(at, "end", f"{tried} blind rounds had no answers that can be shown.", new)
    against = "the baseline" if base == at.baseline.id else "the champion"
    text = f"Starting a blind round against {against}"
    return _step(at, "test", text, new, base=base, attempt=tried)


def _promotion(at: _At, new: Model) -> NextStep | None:
    """Promote what people found better than the policy, unless that was decided before."""
    decided = {one.model_id for one in champion.list_all(at.ws, at.actor, at.project_id)}
    verdict = _verdict(at, new)
    if verdict is None or verdict.decision != "better" or new.id in decided:
        return None
    return _step(at, "promote", f"{new.name} is the new champion", new)


def _verdict(at: _At, new: Model) -> Verdict | None:
    closed = [one for one in at.rounds if one.purpose == "blind_eval" and one.status == "closed"
              and (one.arm_new, one.arm_base) == (new.id, at.policy.id)]  # fmt: skip
    return rounds.verdict(at.ws, at.actor, closed[-1].id) if closed else None


def _collect(at: _At, after: float) -> NextStep:
    """The next step on the way from the policy to pairs and a training on them."""
    mine = [one for one in at.rounds if one.purpose == "train_pairs"
            and one.arm_new == at.policy.id and one.created_at > after]  # fmt: skip
    ready = [one for one in mine if one.status != "failed"]
    if not ready:
        return _another(at, len(mine), "no two answers that differ")
    waiting = _of_round(at, ready[-1])
    if waiting:
        return waiting
    for export in build.list_all(at.ws, at.actor, at.project_id):
        if ready[-1].id in export.rounds:
            text = f"Training on {export.pairs} pairs (DPO)"
            return _step(at, "train", text, dataset_id=export.dataset_id)
    number = build.count(at.ws, at.actor, at.project_id)
    if number < FEWEST:
        return _another(at, len(mine), f"votes for {number} of the {FEWEST} pairs that DPO needs")
    return _step(at, "pairs", f"Making {number} pairs of the votes", round_id=ready[-1].id)


def _another(at: _At, tried: int, result: str) -> NextStep:
    """One more rating round, up to the limit."""
    if tried >= MOST_TRIES:
        return _step(at, "end", f"{tried} rating rounds brought {result}.")
    return _step(at, "rate", f"Starting rating round {tried + 1}", attempt=tried)


def _of_round(at: _At, rating_round: Round, new: Model | None = None) -> NextStep | None:
    """Wait for the answers or the votes of a round; None when it has all it needs."""
    if rating_round.status == "preparing":
        return _step(
            at, "answers", f"Writing answers for {rating_round.name}", new, round_id=rating_round.id
        )
    seen = votes.progress(at.ws, at.actor, rating_round.id)
    if rating_round.status == "closed" or seen["all_done"] >= seen["all_total"]:
        return None
    text = f"Waiting for votes on {rating_round.name}: {seen['all_done']} of {seen['all_total']}"
    return _step(at, "votes", text, new, round_id=rating_round.id)


def _step(at: _At, name: Name, text: str, new: Model | None = None, **more: str | int) -> NextStep:
    return NextStep(name, text, at.policy.id, new.id if new else "", **more)  # type: ignore[arg-type]
