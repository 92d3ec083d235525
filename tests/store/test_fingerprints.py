"""The fingerprint of a project: every change that a page shows changes it, a look does not."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound
from engine.services import projects
from engine.services.erasure import erase
from engine.services.jobs import lifecycle, listing
from engine.services.loop import champion
from engine.services.preferences import build
from engine.services.rating import paused_raters, rounds
from engine.store import fingerprints
from engine.store.connect import reading
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating import votes_in_tables
from tests.ui import results


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    return loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")


def test_project_revision_changes_with_everything_that_is_stored(ws, project, sft, tmp_path):
    steps = [
        lambda: helpers.dataset(ws, project.id, tmp_path),
        lambda: loop_in_tables.trained(ws, project, "one", sft),
        lambda: votes_in_tables.filled(ws, project.id, (sft, sft), raters="a"),
        lambda: build.make(ws, LOCAL, project.id),
        lambda: champion.promote(ws, LOCAL, project.id, sft.id),
        lambda: results.submit(ws, project.id, "play", "Hi", models=[sft.id], prompt="Hi"),
        lambda: listing.rename(ws, LOCAL, newest(ws, project).id, "Again"),
        lambda: lifecycle.cancel(ws, LOCAL, newest(ws, project).id),
        lambda: erase(ws, LOCAL, project.id, "a"),
    ]
    seen = [projects.revision(ws, LOCAL, project.id)]
    for step in steps:
        step()
        seen.append(projects.revision(ws, LOCAL, project.id))
        assert projects.revision(ws, LOCAL, project.id) == seen[-1]
    assert len(set(seen)) == len(seen)


def newest(ws, project):
    return lifecycle.list_all(ws, LOCAL, project.id)[0]


def test_project_revision_stays_when_another_project_grows(ws, project, tmp_path):
    before = projects.revision(ws, LOCAL, project.id)
    helpers.dataset(ws, helpers.project(ws, "Other").id, tmp_path)
    assert projects.revision(ws, LOCAL, project.id) == before


def test_project_revision_is_for_trainers_of_the_project(ws, project):
    with pytest.raises(Forbidden):
        projects.revision(ws, Actor(name="Rita", role=Role.RATER), project.id)
    other = Actor(name="Bob", role=Role.TRAINER, projects=frozenset({"p-1"}))
    with pytest.raises(NotFound):
        projects.revision(ws, other, project.id)


def test_closed_round_revision_changes_with_a_paused_rater_and_a_deleted_one(ws, project, sft):
    one = loop_in_tables.blind(
        ws, project, loop_in_tables.trained(ws, project, "one", sft), sft, 12, 8
    )
    first = of_round(ws, one)
    assert of_round(ws, one) == first
    paused_raters.pause(ws, LOCAL, one.id, "rater-0")
    second = of_round(ws, one)
    erase(ws, LOCAL, project.id, "rater-0")
    assert len({first, second, of_round(ws, one)}) == 3
    assert rounds.get(ws, LOCAL, one.id).status == "closed"


def of_round(ws, one):
    with reading(ws.db) as conn:
        return fingerprints.of_closed_round(conn, one.id)
