"""The API on the Models page: its process, the examples, and its keys."""

import shutil

import pytest

from engine.core.actor import LOCAL
from engine.services.models import api_process, registry
from engine.services.models.api_process import ApiProcess
from engine.services.people import api_keys
from tests import helpers
from ui.components.refresh import Drawn
from ui.pages.models import api_panel, api_render
from ui.pages.models.api_panel import ApiParts

ADDRESS = "http://127.0.0.1:7870/v1"


@pytest.fixture
def project(ws):
    return helpers.project(ws, 'Our "bot"')


def drawn(ws, project, asked=None):
    """The updates of the panel's parts, by name."""
    return ApiParts(*api_panel.draw(ws, project, Drawn(), asked)[1:])


def process(state, **more):
    return ApiProcess(state=state, address=ADDRESS, loopback=True, needs_key=False, **more)


def test_panel_shows_keys_without_their_tokens(ws, project):
    key, token = api_keys.make(ws, LOCAL, project.id, "<b>script</b>", captures=True)
    parts = drawn(ws, project.id)
    assert "&lt;b&gt;script" in parts.keys
    assert "Keeps prompts" in parts.keys
    assert token not in parts.keys
    assert parts.closing.visible
    assert parts.chosen.value == key.id


def test_panel_offers_no_closed_key(ws, project):
    key, _ = api_keys.make(ws, LOCAL, project.id, "script")
    api_keys.close(ws, LOCAL, key.id)
    parts = drawn(ws, project.id)
    assert "closed" in parts.keys
    assert not parts.closing.visible
    assert parts.chosen.value is None


def test_panel_without_a_project_says_that_there_is_no_key(ws):
    assert "No key yet" in drawn(ws, None).keys


def test_panel_examples_ask_the_chosen_model(ws, project, tiny_model, tmp_path):
    other = shutil.copytree(tiny_model, tmp_path / "other")
    registry.add_base(ws, LOCAL, "other", other, "folder")
    registry.add_base(ws, LOCAL, "it's tiny", tiny_model, "folder")
    known = [value for _, value in drawn(ws, project.id).model.choices]
    assert sorted(known) == ["it's tiny", "other"]
    chosen, gone = drawn(ws, project.id, "it's tiny"), drawn(ws, project.id, "gone")
    assert chosen.model.value == "it's tiny"
    assert gone.model.value == known[0]
    assert '"it\'s tiny"' in chosen.code
    assert f'base_url="{ADDRESS}"' in chosen.code
    assert "it'\"'\"'s tiny" in chosen.curl
    assert f"OpenAI-Project: {project.id}" in chosen.curl  # a quote fits in no header
    compile(chosen.code, "example", "exec")


def test_panel_offers_serve_to_owners_and_stop_while_it_runs(ws, project, monkeypatch):
    parts = drawn(ws, project.id)
    assert (parts.serve.visible, parts.stop.visible) == (True, False)
    assert "Nothing is served" in parts.process
    monkeypatch.setattr(api_process, "look", lambda *_: process("on"))
    parts = drawn(ws, project.id)
    assert (parts.serve.visible, parts.stop.visible) == (False, True)
    assert ADDRESS in parts.process
    assert "need no key" in parts.process


def test_panel_says_that_the_api_was_started_in_a_terminal():
    shown = api_render.process(process("on", started_by="terminal"), True)
    assert "started in a terminal (tuneloop api)" in shown
    assert "terminal" not in api_render.process(process("on", started_by="page"), True)


def test_panel_in_a_space_offers_no_serve(ws, project, monkeypatch):
    monkeypatch.setenv("TUNELOOP_SPACE", "1")
    assert not drawn(ws, project.id).serve.visible


def test_process_that_ended_shows_the_end_of_its_log():
    shown = api_render.process(process("failed", log="<b>out of memory</b>"), True)
    assert "ended by itself" in shown
    assert "&lt;b&gt;out of memory" in shown
    assert "An owner" in api_render.process(process("off"), False)
