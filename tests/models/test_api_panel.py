"""Keys of the API on the Models page."""

import pytest

from engine.core.actor import LOCAL
from engine.services.people import api_keys
from tests import helpers
from ui.pages.models import api_panel


@pytest.fixture
def project(ws):
    return helpers.project(ws, 'Our "bot"')


def test_panel_shows_keys_without_their_tokens(ws, project):
    key, token = api_keys.make(ws, LOCAL, project.id, "<b>script</b>", captures=True)
    code, table, closing, chosen = api_panel.draw(ws, project.id)
    assert "champion@Our 'bot'" in code
    assert "&lt;b&gt;script" in table
    assert "Keeps prompts" in table
    assert token not in table
    assert closing.visible
    assert chosen.value == key.id
    compile(code, "example", "exec")


def test_panel_offers_no_closed_key(ws, project):
    key, _ = api_keys.make(ws, LOCAL, project.id, "script")
    api_keys.close(ws, LOCAL, key.id)
    _, table, closing, chosen = api_panel.draw(ws, project.id)
    assert "closed" in table
    assert not closing.visible
    assert chosen.value is None


def test_panel_without_a_project_says_that_there_is_no_key(ws):
    assert "No key yet" in api_panel.draw(ws, None)[1]
