"""A second time round, a model that the gate must stop, and the same loop twice."""

from hashlib import sha256
from math import log

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.jobs import evaluate
from engine.services.evaluation import blind_round_gate
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.preferences import build
from tests.closed_loop import loop_steps

pytestmark = pytest.mark.train
GENTLE = {"learning_rate": 5e-4}  # leaves something to wish for after the first time round


def test_second_generation_goes_on_from_the_first(start):
    """Measured with seed 1: win rate over the base .583, then .762.

    Answers .83 as long as those of the base, then .61.
    """
    lap = start()
    first = loop_steps.once_round(lap, loop_steps.wish(0.9), 1, **GENTLE)
    before = hashes(lap, first.model)
    one = loop_steps.rated(lap, loop_steps.wish(0.9), 11, model=first.model)
    made = build.make(lap.ws, LOCAL, lap.project, [one.id])

    # held to the first generation and not to the base: no margin yet, so the loss is ln 2
    look = loop_steps.trained(lap, made.dataset_id, 1, model=first.model, loss_type=["sigmoid"],
                        max_steps=1)  # fmt: skip
    assert losses(lap, look)[0] == pytest.approx(log(2), abs=1e-4)

    done = loop_steps.trained(lap, made.dataset_id, 1, model=first.model, **GENTLE)
    second = loop_steps.compared(lap, done.result.model_id, loop_steps.wish(0.9), 1)
    assert second.verdict.win_rate >= first.seen.verdict.win_rate - 0.05
    assert second.verdict.low > 0.5
    assert second.ratio < first.seen.ratio
    assert hashes(lap, first.model) == before
    chain = registry.lineage(lap.ws, LOCAL, done.result.model_id)
    assert [model.id for model in chain][1:] == [first.model, lap.base]


def test_dpo_without_the_sft_term_damages_the_model_and_the_gate_stops_it(followed):
    """Measured with seeds 1, 2 and 3: with the term .788, .717 and .775 and the topic kept.

    Without it .217, .117 and .117, .13 and less of the topic is left, and most answers are empty.
    """
    lap, made, _, _ = followed(1)
    harsh = {"learning_rate": 5e-3}
    kept = loop_steps.trained(lap, made.dataset_id, 1, **harsh).result.model_id
    ruined = loop_steps.trained(lap, made.dataset_id, 1, loss_type=["sigmoid"], **harsh)
    ruined = ruined.result.model_id
    recipe = evaluate.Recipe(models=(lap.base, kept, ruined), dataset=lap.questions,
                             max_new_tokens=20)  # fmt: skip
    loop_steps.job(lap, recipe)
    blind_round_gate.check(lap.ws, LOCAL, lap.project, kept, accept_unproven=True)
    with pytest.raises(Conflict, match="The newest model regressed"):
        blind_round_gate.check(lap.ws, LOCAL, lap.project, ruined)

    # what the gate knew without people is what they would have said
    shown = loop_steps.compared(lap, ruined, loop_steps.wish(0.9), 1)
    assert shown.verdict.decision == "worse"
    assert loop_steps.accuracy(shown.after) < loop_steps.accuracy(shown.before) - 0.05


def test_same_seeds_and_votes_give_the_same_pairs_losses_and_win_rate(followed, start):
    first, again = followed(1), loop_steps.once_round(start(), loop_steps.wish(0.9), 1)
    assert again.lap.project != first.lap.project
    assert again.export.content_sha256 == first.export.content_sha256
    assert losses(again.lap, again.job) == losses(first.lap, first.job)
    assert again.seen.verdict == first.seen.verdict
    assert sorted(again.seen.after) == sorted(first.seen.after)


def hashes(lap, model):
    folder = lap.ws.files / registry.get(lap.ws, LOCAL, model).path
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def losses(lap, job):
    """The training losses of a job, in the order of its steps."""
    events = lifecycle.watch(lap.ws, LOCAL, job.id, 0)
    return [event.data["loss"] for event in events if "loss" in event.data]
