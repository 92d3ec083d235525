"""The gate before a blind round: every check of the model holds, or a person decided about it.

A check that shows a loss closes the gate. One that shows none and rules none out closes it too,
until a person accepts that. `rounds.start(anyway=True)` is the way past it. What counts as a loss
is decided in jobs/regression_check.py.
"""

from collections.abc import Sequence

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.evaluation import RegressionAnswer, RegressionCheck
from engine.services.evaluation import evaluations
from engine.workspace import Workspace

MOST_NAMED = 3  # checks in one sentence


def regression_checks(
    ws: Workspace, actor: Actor, project_id: str, model_id: str
) -> tuple[str | None, tuple[RegressionCheck, ...]]:
    """The newest evaluation with regression checks of this model, and the checks; else nothing."""
    actor.require(Role.TRAINER)
    for ref in evaluations.list_all(ws, actor, project_id):
        if model_id not in ref.models:
            continue
        seen = evaluations.get(ws, actor, ref.id)
        mine = tuple(one for one in seen.regression_checks if one.model == model_id)
        if mine:
            return ref.id, mine
    return None, ()


def regression(checks: Sequence[RegressionCheck]) -> str:
    """How the newest model regressed, in a sentence; empty where it did not."""
    regressed = " ".join(one.message for one in checks if one.regressed)
    return f"The newest model regressed. {regressed}" if regressed else ""


def unproven(checks: Sequence[RegressionCheck]) -> str:
    """The checks that rule no loss out, in a sentence, the largest possible loss first; or empty.

    The numbers before and after stand beside.
    """
    found = [one for one in checks if one.answer is RegressionAnswer.NOT_SHOWN]
    if not found:
        return ""
    found.sort(key=lambda one: (one.ratio, one.low))
    more = f" And {len(found) - MOST_NAMED} more." if len(found) > MOST_NAMED else ""
    named = " ".join(one.sentence for one in found[:MOST_NAMED])
    return f"{len(found)} of {len(checks)} checks rule no loss out. {named}{more}"


def sentence(checks: Sequence[RegressionCheck]) -> str:
    """What all checks show together, in a sentence; empty without one."""
    if not checks:
        return ""
    held = f"All {len(checks)} checks hold." if len(checks) > 1 else "The check holds."
    return regression(checks) or unproven(checks) or held


def check(
    ws: Workspace, actor: Actor, project_id: str, model_id: str, *, accept_unproven: bool = False
) -> None:
    """Raise Conflict, with the reason, for a model that people should not be asked about.

    `accept_unproven` is a person's decision about losses that are neither shown nor ruled out.
    """
    _, checks = regression_checks(ws, actor, project_id, model_id)
    if sentence := regression(checks):
        raise Conflict(
            sentence,
            "Train again: lower learning rate, higher beta, or fewer steps.",
        )
    if not accept_unproven and (sentence := unproven(checks)):
        raise Conflict(sentence, "Evaluate on more rows, or decide to start the round anyway.")
