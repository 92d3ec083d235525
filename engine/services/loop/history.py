"""The rounds of a project's loop on one line: what each generation won, lost, and was made of."""

from typing import NamedTuple

from engine.core.actor import Actor, Role
from engine.core.model import Model
from engine.core.rating import Round
from engine.services.evaluation import blind_round_gate
from engine.services.loop import champion, sentences, stop_rules
from engine.services.loop.generations import Control, Generation, History, Tested
from engine.services.loop.stop_rules import Rule
from engine.services.models import registry
from engine.services.rating import closed_round_reports, rounds
from engine.services.rating.report import Report
from engine.stats.multiple_testing import holm
from engine.store import pair_exports, votes
from engine.store.connect import reading
from engine.store.pair_exports import PairExport
from engine.workspace import Workspace

TAUGHT_BY_EXAMPLES = (None, "sft")


class _Story(NamedTuple):
    """What every generation is read from; `blind` rounds are oldest first."""

    ws: Workspace
    actor: Actor
    project_id: str
    start: Model
    blind: list[Round]
    made_of: dict[str, PairExport]  # by dataset


def history(ws: Workspace, actor: Actor, project_id: str, most_votes: int | None = None) -> History:
    """The generations of a project, oldest first, and what the stop rules say of them."""
    actor.require(Role.TRAINER)
    models = registry.list_all(ws, actor, project_id)
    tests = rounds.list_all(ws, actor, project_id)[::-1]
    blind = [one for one in tests if one.purpose == "blind_eval" and one.of_the_loop]
    start = baseline(models, blind)
    seen: list[Generation] = []
    number_of_votes = 0
    if start:
        with reading(ws.db) as conn:
            number_of_votes = sum(total.votes for total in votes.totals(conn, project_id).values())
            made_of = {one.dataset_id: one for one in pair_exports.list_all(conn, project_id)}
        story = _Story(ws, actor, project_id, start, blind, made_of)
        made = [one for one in models if _is_generation(one, start, blind)]
        seen = _allowing_for_all([_generation(story, n, one) for n, one in enumerate(made, 1)])
    seen = [sentences.with_sentence(one) for one in seen]
    best = champion.current(ws, actor, project_id)
    return History(
        baseline=start,
        generations=tuple(seen),
        control=_control(ws, actor, tests),
        champion_id=best.id if best else None,
        rules=rules(seen, number_of_votes, most_votes),
        sentence=sentences.of_all(seen, start),
    )


def baseline(found: list[Model], blind: list[Round]) -> Model | None:
    """What all generations are measured against: the start of the first training on preferences.

    Before there is one: the baseline of the first blind round, else the newest trained model.
    """
    by_id = {one.id: one for one in found}
    for one in found:
        if learned_preferences(one):
            return by_id.get(one.parent_id or one.base_id or "")
    for test in blind:
        if test.arm_base in by_id:
            return by_id[test.arm_base]
    trained = [one for one in found if one.project_id and one.kind != "reward"]
    return trained[-1] if trained else None


def learned_preferences(model: Model) -> bool:
    """Whether votes or rewards, not examples, taught it."""
    trained = model.kind in ("adapter", "full")
    return trained and model.info.get("method") not in TAUGHT_BY_EXAMPLES


def rules(
    seen: list[Generation], number_of_votes: int, most_votes: int | None = None
) -> tuple[Rule, ...]:
    """What each of the five rules says after these generations and votes."""
    against = [one.against_baseline for one in seen if one.against_baseline]
    steps = [one.against_previous for one in seen if one.against_previous]
    verdicts = [one.report.verdict for one in against if one.report.verdict]
    return (
        stop_rules.gain([one.report.verdict for one in steps if one.report.verdict]),
        stop_rules.regression(seen[-1].regression_checks if seen else ()),
        stop_rules.quality(verdicts),
        stop_rules.budget(number_of_votes, most_votes),
        stop_rules.ceiling(
            verdicts[-1] if verdicts else None,
            against[-1].report.agreement.noise if against else None,
        ),
    )


def _is_generation(one: Model, start: Model, blind: list[Round]) -> bool:
    tested = any(test.arm_new == one.id for test in blind)
    later = one.id != start.id and one.created_at >= start.created_at
    return later and one.kind != "reward" and (learned_preferences(one) or tested)


def _generation(story: _Story, number: int, model: Model) -> Generation:
    mine = [one for one in story.blind if one.arm_new == model.id]
    before = model.parent_id or model.base_id
    export = story.made_of.get(model.dataset_id or "")
    evaluation_id, checks = blind_round_gate.regression_checks(
        story.ws, story.actor, story.project_id, model.id
    )
    return Generation(
        number=number,
        model=model,
        export_id=export.id if export else None,
        export_sha256=export.content_sha256 if export else None,
        pairs=export.pairs if export else None,
        evaluation_id=evaluation_id,
        regression_checks=checks,
        against_baseline=_tested(story, [t for t in mine if t.arm_base == story.start.id]),
        # the first generation started from the baseline: one round is both
        against_previous=_tested(story, [t for t in mine if t.arm_base == before]),
        waiting=next((t.id for t in mine if t.status in ("preparing", "open")), None),
    )


def _tested(story: _Story, mine: list[Round]) -> Tested | None:
    """The newest closed one of these rounds."""
    closed = [one for one in mine if one.status == "closed"]
    if not closed:
        return None
    one = closed[-1]
    before = {
        (each.plan.dataset, row)
        for each in story.blind[: story.blind.index(one)]
        for row in each.plan.rows
    }
    asked = {(one.plan.dataset, row) for row in one.plan.rows}
    report = closed_round_reports.get(story.ws, story.actor, one.id)
    earlier = (closed_round_reports.get(story.ws, story.actor, each.id) for each in closed[:-1])
    return Tested(
        round_id=one.id,
        report=report,
        fresh=len(asked - before),
        p=_p(report),
        earlier=tuple(map(_p, earlier)),
    )


def _p(found: Report) -> float:
    return found.verdict.p if found.verdict else 1.0


def _allowing_for_all(seen: list[Generation]) -> list[Generation]:
    """The same generations, the p of each against the baseline allowing for all rounds (Holm).

    Whoever repeats a round of one model until it wins has tried as often.
    """
    tested = [one.against_baseline for one in seen if one.against_baseline]
    earlier = [p for each in tested for p in each.earlier]
    p = iter(holm([*(each.p for each in tested), *earlier]))
    return [
        one.model_copy(
            update={"against_baseline": one.against_baseline.model_copy(update={"p": next(p)})}
        )
        if one.against_baseline
        else one
        for one in seen
    ]


def _control(ws: Workspace, actor: Actor, tests: list[Round]) -> Control | None:
    """The newest closed A/A round."""
    closed = [one for one in tests if one.purpose == "aa_control" and one.status == "closed"]
    if not closed:
        return None
    report = closed_round_reports.get(ws, actor, closed[-1].id)
    if report.verdict is None:
        return None
    at = report.verdict
    return Control(
        round_id=closed[-1].id,
        rate=at.win_rate,
        low=at.low,
        high=at.high,
        even=bool(report.even),
    )
