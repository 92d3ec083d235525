"""The auto loop and the demo act as the person who started them, in their project alone."""

from types import SimpleNamespace

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.core.job import State
from engine.orchestrate import auto_loop_job, demo_job
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import auto_loop_start as loops
from engine.services.people import accounts, acting
from engine.services.rating import rounds
from tests import helpers
from tests.loop import loop_in_tables


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def tess(ws, project):
    """A trainer of the project and of another one."""
    other = helpers.project(ws, "Other")
    account, _ = accounts.add(ws, LOCAL, "Tess", "trainer", [project.id, other.id])
    actor = Actor(name="Tess", role=Role.TRAINER, projects=frozenset({project.id, other.id}))
    return SimpleNamespace(account=account, actor=actor, other=other)


@pytest.fixture
def started(ws, project, tess, tmp_path):
    """Tess's auto loop: the running loop, and its model and dataset."""
    sft = loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")
    source = helpers.dataset(ws, project.id, tmp_path)
    job = loops.start(ws, tess.actor, project.id)
    return loop_of(ws, job, auto_loop_job), sft, source


def loop_of(ws, job, module):
    recipe = module.Recipe.model_validate(job.recipe)
    made = auto_loop_job.Auto if module is auto_loop_job else demo_job.Loop
    return made(recipe, context(ws, job))


def context(ws, job):
    return SimpleNamespace(
        ws=ws, job_id=job.id, project_id=job.project_id, check=lambda: None,
        cancelled=lambda: False, emit=lambda *_: None,
    )  # fmt: skip


def test_auto_loop_starts_jobs_and_rounds_in_the_name_of_its_owner(ws, project, started):
    loop, *_ = started
    step = loop.find_step()
    assert step.name == "rate"
    auto_loop_job.DO["rate"](loop, step)
    (one,) = rounds.list_all(ws, LOCAL, project.id)
    assert one.created_by == "Tess"
    assert lifecycle.get(ws, LOCAL, one.job_id).owner == "Tess"


def test_auto_loop_of_a_trainer_reaches_no_other_project_even_of_theirs(
    ws, project, tess, started, tmp_path
):
    loop, *_ = started
    (tmp_path / "b").mkdir()
    foreign = helpers.dataset(ws, tess.other.id, tmp_path / "b")
    assert datasets.get(ws, tess.actor, foreign.id).id == foreign.id
    step = loop.find_step()
    loop.recipe = loop.recipe.model_copy(update={"dataset": foreign.id})
    with pytest.raises(NotFound):
        auto_loop_job.DO["rate"](loop, step)
    for call in (datasets.list_all, rounds.list_all, lifecycle.list_all):
        with pytest.raises(NotFound):
            call(ws, loop.actor, tess.other.id)
    assert rounds.list_all(ws, LOCAL, tess.other.id) == []


def test_auto_loop_has_the_role_of_its_owner_and_no_more(ws, project, started):
    loop, *_ = started
    here = frozenset({project.id})
    wanted = Actor(name="Tess", role=Role.TRAINER, projects=here, for_job=True)
    assert loop.actor == wanted
    with pytest.raises(Forbidden):
        accounts.list_all(ws, loop.actor)


@pytest.mark.parametrize("how", ["closed", "left", "rater"])
def test_auto_loop_ends_when_its_owner_may_not_go_on(ws, project, tess, started, how):
    loop, *_ = started
    if how == "closed":
        accounts.close(ws, LOCAL, tess.account.id)
    else:
        role, where = ("rater", [project.id]) if how == "rater" else ("trainer", [tess.other.id])
        accounts.change(ws, LOCAL, tess.account.id, role, where)
    with pytest.raises(Forbidden):
        loop.find_step()


def test_wait_follows_a_job_of_the_owner_to_its_end(ws, project, started, monkeypatch):
    loop, sft, _ = started
    monkeypatch.setattr(auto_loop_job, "POLL_EVERY_S", 0.01)
    recipe = auto_loop_job.RoundRecipe(model=sft.id, dataset=loop.recipe.dataset, prompts=20)
    one = rounds.start(ws, loop.actor, project.id, recipe)
    job = lifecycle.get(ws, LOCAL, one.job_id)
    lifecycle.cancel(ws, LOCAL, job.id)
    with pytest.raises(UserError, match="cancelled"):
        loop.wait(job, "Writing")
    assert lifecycle.get(ws, LOCAL, job.id).state is State.CANCELLED


def test_demo_adds_its_data_in_the_name_of_its_owner(ws, project, tess, tmp_path):
    base = helpers.model(ws, tmp_path)
    recipe = demo_job.Recipe(model=base.id)
    job = lifecycle.submit(ws, tess.actor, project.id, recipe, "The whole loop")
    loop = loop_of(ws, job, demo_job)
    assert loop.add("library_prompts.jsonl", 0.0).created_by == "Tess"


def test_job_of_a_server_without_accounts_acts_as_its_owner_in_one_project(ws, project, tmp_path):
    base = helpers.model(ws, tmp_path)
    job = lifecycle.submit(ws, LOCAL, project.id, demo_job.Recipe(model=base.id), "The whole loop")
    assert acting.owner_of(ws, job.id) == Actor(
        name="local", role=Role.OWNER, projects=frozenset({project.id}), for_job=True
    )
    assert [one.id for one in projects.list_all(ws, acting.owner_of(ws, job.id))] == [project.id]
    with pytest.raises(Forbidden, match="no longer exists"):
        acting.owner_of(ws, "job-1")
