"""What the Models page shows of the Hub, without a browser."""

import pytest

from engine import child
from engine.core.actor import LOCAL
from engine.core.hub import HubSearch
from engine.models.hub import download
from engine.services import hub as service
from tests import helpers, hub_server
from ui.components.refresh import Drawn
from ui.pages.models import hub_panel, hub_render

NAME = "makers/tiny-chat"


@pytest.fixture
def database_url(tmp_path):
    """What the page shows is the same on every database."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def repo(hub, tiny_model):
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    return hub.repos[NAME]


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def drawn(ws, project, part):
    """One part of the panel as a new browser gets it."""
    values = hub_panel.draw(ws, project.id if project else None, Drawn())[1:]
    return values[hub_panel.HubParts._fields.index(part)]


def test_card_of_a_base_escapes_what_its_makers_wrote(ws, repo):
    repo.info["cardData"] = {"license": "<script>alert(1)</script>"}
    shown = hub_render.facts(service.look(ws, LOCAL, NAME))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "can be added" in shown


def test_search_that_failed_says_why_above_the_good_first_bases():
    found = HubSearch(catalog=service.catalog(LOCAL), problem="The Hub <b> cannot be reached.")
    shown = hub_render.results(found, "tiny")
    assert shown.index("The Hub &lt;b&gt; cannot") < shown.index("Good first bases")


def test_search_that_found_nothing_says_so():
    shown = hub_render.results(HubSearch(catalog=service.catalog(LOCAL)), "xyz <i>")
    assert "xyz &lt;i&gt;" in shown


def test_panel_without_a_project_or_a_download_shows_none(ws):
    assert not drawn(ws, None, "downloads").visible
    assert not drawn(ws, None, "stop").visible


def test_download_that_waits_can_be_stopped(ws, repo, project):
    service.add(ws, LOCAL, project.id, NAME)
    shown = drawn(ws, project, "downloads").value
    assert NAME in shown
    assert "Next to start." in shown
    assert "Queued today" in shown
    assert drawn(ws, project, "stop").visible
    assert drawn(ws, project, "timer").active


def test_download_that_failed_says_why_until_it_is_done(ws, hub, repo, project, monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    hub.cut_after = [0] * (download.TRIES + 1)
    for shown in (True, False):
        job = service.add(ws, LOCAL, project.id, NAME)
        child.run(ws, job.id, helpers.claimed(ws, job.id, "download").fence)
        found = drawn(ws, project, "downloads")
        assert found.visible is shown
        assert ("broke off at" in found.value) is shown
        hub.cut_after = []
    assert NAME in drawn(ws, project, "bases")
    assert [name for name, _ in drawn(ws, project, "removable").choices] == [NAME]


def test_good_first_bases_say_which_facts_nobody_checked(tuneloop):
    shown = hub_render.suggestions()
    small = shown.partition("SmolLM2-360M-Instruct")[2].partition("Qwen2.5-0.5B")[0]
    assert "Not checked: parameters and context." in small
    assert "Not checked" not in shown.partition("SmolLM2-360M-Instruct")[0]
    lines = tuneloop("models", "search")[1].splitlines()
    (line,) = [each for each in lines if "SmolLM2-360M" in each]
    assert line.endswith("(not checked: parameters and context)")
