"""Best of several answers beside a training on the same votes: which part of the loop is weak.

Both were tested blind against the same baseline. The reward head and the training learn from
votes alike, so where choosing among answers wins and the trained model does not, the votes are not
at fault.
"""

from engine.core.actor import Actor, Role
from engine.core.rating import Round, Verdict
from engine.services.loop.history import learned_preferences
from engine.services.models import registry
from engine.services.rating import rounds
from engine.workspace import Workspace


def weak_part(ws: Workspace, actor: Actor, project_id: str) -> str:
    """What the newest such two blind rounds say together; empty where there are not both."""
    actor.require(Role.TRAINER)
    trained = {m.id: m for m in registry.list_all(ws, actor, project_id) if learned_preferences(m)}
    tests = [
        one
        for one in rounds.list_all(ws, actor, project_id)
        if one.purpose == "blind_eval" and one.status == "closed" and one.of_the_loop
    ]
    chosen = next((one for one in tests if one.plan.best_of > 1), None)
    if chosen is None:
        return ""
    taught = next(
        (one for one in tests if one.arm_new in trained and one.arm_base == chosen.arm_base), None
    )
    if taught is None:
        return ""
    names = (f"best of {chosen.plan.best_of}", trained[taught.arm_new].name)
    return _sentence(names, _verdict(ws, actor, chosen), _verdict(ws, actor, taught))


def _verdict(ws: Workspace, actor: Actor, rating_round: Round) -> Verdict:
    return rounds.verdict(ws, actor, rating_round.id)


def _sentence(names: tuple[str, str], chosen: Verdict, taught: Verdict) -> str:
    both = f"Against the same baseline {names[0]} wins {_rate(chosen)}, {names[1]} {_rate(taught)}."
    if chosen.decision == "better" and taught.decision != "better":
        return f"{both} So the votes tell better answers, and the training is the weak part."
    if chosen.decision != "better" and taught.decision == "better":
        return f"{both} So the training learned more than choosing among answers can show."
    if chosen.decision == "better":
        return f"{both} Both are better than it."
    return f"{both} Neither is shown to be better: collect more votes, or write other answers."


def _rate(found: Verdict) -> str:
    return f"{100 * found.win_rate:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f} %)"
