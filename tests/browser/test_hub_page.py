"""Bases of a Hub on loopback, in a browser: search, look, add with progress, remove."""

import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.workspace import Settings, open_workspace
from tests import hub_server
from tests.browser.pages import choose
from tests.browser.walk import Walk, environment
from tests.hub_server import Repo
from tests.serving import serving

pytestmark = pytest.mark.browser

NAME = "makers/tiny-chat"
GATED = "makers/tiny-gated"
PICKLED = "makers/tiny-pickled"
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def loopback(tiny_model):
    """A Hub with a base, one behind a gate, and one of pickled weights."""
    hub = hub_server.LoopbackHub()
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    hub.repos[GATED] = hub_server.tiny(tiny_model, gated="manual")
    hub.repos[GATED].gate = "no_token"
    files = hub_server.files_of(tiny_model)
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    hub.repos[PICKLED] = Repo(files)
    with hub_server.running(hub) as address:
        yield hub, address


@pytest.fixture(scope="module")
def walk(chromium, loopback, tiny_model, tmp_path_factory):
    """The Models page of a project, with its panel of the Hub open."""
    folder = tmp_path_factory.mktemp("hub")
    home = folder / "home"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    projects.create(ws, LOCAL, "Support")
    ws.close()
    more = {
        "HF_ENDPOINT": loopback[1],
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "HF_TOKEN_PATH": str(folder / "no-token"),
        "HF_TOKEN": "",
    }
    with serving(environment(home, tiny_model, **more), folder / "serve.log") as served:
        one = Walk(chromium, served.url)
        one.page.get_by_role("tab", name="Models", exact=True).click()
        one.page.get_by_text("Add a base model from the Hugging Face Hub").click()
        yield one
        one.page.close()


def look_at(walk, name):
    """Search for all, and open the card of one."""
    walk.fill("hub-text", "tiny")
    walk.click("hub-go")
    walk.rest()  # the answers of an earlier search look the same
    walk.page.locator(f"#hub-found [data-pick='{name}']").click()


def test_catalog_is_there_before_anything_is_asked(walk, loopback):
    walk.sees("#hub-found", "Good first bases")
    assert walk.page.locator("#hub-found .tl-pick").count() >= 5
    assert loopback[0].paths() == []


def test_gate_and_pickled_weights_are_said_and_cannot_be_added(walk):
    look_at(walk, GATED)
    assert "set HF_TOKEN" in walk.sees("#hub-facts", "Accept the terms at")
    assert not walk.page.locator("#hub-add").is_visible()
    look_at(walk, PICKLED)
    walk.sees("#hub-facts", "no weights in the safetensors format")
    assert not walk.page.locator("#hub-add").is_visible()


def test_facts_are_readable_at_both_widths(walk):
    look_at(walk, NAME)
    shown = walk.sees("#hub-facts", "can be added")
    for label in ("Parameters", "Download", "Licence", "Access", "Architecture", "Chat template",
                  "LoRA", "QLoRA", "Full fine-tuning"):  # fmt: skip
        assert label in shown
    for width in (390, 1600):
        walk.page.set_viewport_size({"width": width, "height": 900})
        walk.page.wait_for_function(FITS)


def test_name_that_is_an_address_is_refused_on_the_page(walk):
    walk.fill("hub-text", "http://127.0.0.1:1/a")
    walk.click("hub-go")
    walk.sees("body", "is no name of a model")


def test_card_goes_when_the_next_model_is_refused(walk):
    look_at(walk, NAME)
    walk.sees("#hub-facts", "can be added")
    walk.fill("hub-text", "makers/no-such-model")
    walk.click("hub-go")
    walk.sees("body", "The Hub has no public model makers/no-such-model")
    for part in ("#hub-facts", "#hub-add"):
        walk.page.locator(part).wait_for(state="hidden")


def test_base_is_added_with_progress_and_removed(walk, loopback):
    page, (hub, _) = walk.page, loopback
    hub.hold_after = 100_000
    walk.fill("hub-text", NAME)
    walk.click("hub-go")
    walk.sees("#hub-facts", "can be added")
    walk.click("hub-add")
    walk.sees("#hub-downloads", NAME)
    page.locator("#hub-downloads [role=progressbar]").wait_for()
    assert page.locator("#hub-stop").is_visible()
    hub.release.set()
    walk.sees("#models-bases", NAME)
    page.locator("#hub-downloads").wait_for(state="hidden")

    page.get_by_text("Remove a base model").click()
    choose(page, "remove-model", NAME, exact=False)
    walk.click("remove-go")
    page.locator("#models-bases").get_by_text(NAME).first.wait_for(state="detached")
    assert walk.errors == []
    assert walk.foreign == []
