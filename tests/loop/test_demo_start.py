"""How a demo is asked for; the demo itself is walked in tests/closed_loop/test_demo.py."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.loop import demo_start
from engine.services.loop.status import status
from tests import helpers


@pytest.mark.parametrize(("rate", "dpo"), [(None, {}), (2e-4, {"learning_rate": 2e-4})])
def test_demo_learning_rate_of_dpo_is_the_default_unless_given(ws, tmp_path, rate, dpo):
    helpers.model(ws, tmp_path)
    project, job = demo_start.start(ws, LOCAL, "shorter", rate)
    assert (job.recipe["rater"], job.recipe["dpo"]) == ("shorter", {"replay_rows": 1, **dpo})
    assert demo_start.start(ws, LOCAL)[1].id == job.id  # the one under way
    assert [one.id for one in projects.list_all(ws, LOCAL)] == [project.id]


def test_demo_takes_every_step_until_it_is_over(ws, tmp_path):
    helpers.model(ws, tmp_path)
    project, job = demo_start.start(ws, LOCAL)
    assert status(ws, LOCAL, project.id).next_action == "watch_demo"
    lifecycle.cancel(ws, LOCAL, job.id)
    assert status(ws, LOCAL, project.id).next_action == "add_data"


def test_raters_of_an_unknown_rule_start_nothing(ws, tmp_path):
    helpers.model(ws, tmp_path)
    with pytest.raises(UserError, match="shorter"):
        demo_start.start(ws, LOCAL, "kindest")
    assert projects.list_all(ws, LOCAL) == []
