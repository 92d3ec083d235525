"""A server that asks who somebody is, in a browser: the owner's first link, a colleague, a rater.

Pictures are kept where TUNELOOP_SCREENS points.
"""

import os
import re
from pathlib import Path

import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.workspace import Settings, open_workspace
from tests.browser.walk import environment
from tests.serving import serving
from tests.ui import seed

pytestmark = pytest.mark.browser
WORDS = "four words in a row"


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """A server at a loopback address that asks all the same: (address, its home, what it said)."""
    folder = tmp_path_factory.mktemp("signin")
    log = folder / "serve.log"
    more = {
        "TUNELOOP_SIGN_IN": "1",
        "PYTHONUNBUFFERED": "1",
    }
    with serving(environment(folder / "home", tiny_model, **more), log) as served:
        yield served.url, folder / "home", log


@pytest.fixture(scope="module")
def place(server, tmp_path_factory):
    """Two projects, and an open round of the first."""
    home = server[1]
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    projects.create(ws, LOCAL, "Secret plans")
    theirs = projects.create(ws, LOCAL, "Help desk")
    one = seed.open_round(ws, tmp_path_factory.mktemp("round"), project=theirs.id)
    ws.close()
    return one


@pytest.fixture(scope="module")
def olga(somebody, server, place):
    """The owner, who came in by the link that the server printed."""
    address, _, log = server
    page = somebody()
    page.goto(address)
    assert "/account/sign-in" in page.url
    pictured(page, "account-sign-in")
    page.goto(re.search(r"http\S+/account/welcome/\S+", log.read_text())[0])
    pictured(page, "account-welcome")
    set_password(page, "Olga")
    page.locator("#tl-me a", has_text="Olga").wait_for()
    return page


@pytest.fixture(scope="module")
def ada(somebody, server, olga):
    """A trainer of one project."""
    page = somebody()
    page.goto(add(olga, server[0], "Ada", "Trainer", "Help desk"))
    pictured(olga, "account-person")
    set_password(page)
    page.locator("#tl-me a", has_text="Ada").wait_for()
    return page


def pictured(page, name):
    """Keep the page at both widths, light and dark, and see that it fits."""
    before = page.viewport_size
    for width in (390, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            if folder := os.environ.get("TUNELOOP_SCREENS"):
                page.screenshot(path=Path(folder) / f"{name}-{width}-{theme}.png", full_page=True)
    page.set_viewport_size(before)


def set_password(page, name=None):
    if name:
        page.get_by_label("Your name").fill(name)
    page.get_by_label("New password").fill(WORDS)
    page.get_by_label("The same again").fill(WORDS)
    page.get_by_role("button", name="Set the password").click()


def add(page, address, name, role, project):
    """The owner lets somebody in: their link."""
    page.goto(f"{address}/account")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label(re.compile(f"^{role}:")).check()
    page.get_by_label(project).check()
    page.get_by_role("button", name="Add, and make their link").click()
    return page.locator("#link").input_value()


def choices(page):
    """The projects that somebody may choose."""
    page.locator("#project input").click()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return " ".join(found)


def test_owner_sees_every_project_and_everybody(olga, ada, server):
    olga.goto(server[0])
    olga.locator("#tl-me a", has_text="Olga").wait_for()
    found = choices(olga)
    assert "Help desk" in found
    assert "Secret plans" in found
    olga.goto(f"{server[0]}/account")
    olga.get_by_role("link", name="Ada").wait_for()
    pictured(olga, "account")


def test_trainer_sees_own_projects_only(ada):
    found = choices(ada)
    assert "Help desk" in found
    assert "Secret" not in found
    assert "Secret" not in ada.content()
    ada.get_by_role("tab", name="Data", exact=True).click()
    ada.locator("#data-sample").click()
    ada.get_by_text("In this project").first.wait_for()
    ada.get_by_role("tab", name="Rating", exact=True).click()
    ada.locator(".tl-rate-pair:not([hidden])").first.wait_for()


def test_rater_rates_and_sees_nothing_else(somebody, olga, server, place):
    ben = somebody(390)
    ben.goto(add(olga, server[0], "Ben", "Rater", "Help desk"))
    set_password(ben)
    ben.get_by_role("link", name=place.name).wait_for()
    pictured(ben, "account-rounds")
    ben.get_by_role("link", name=place.name).click()
    ben.wait_for_selector(".tl-rate-pair:not([hidden])")
    ben.goto(server[0])
    assert ben.url.endswith("/rate/open")


def test_closed_account_leaves_the_page_at_once(olga, ada, server):
    olga.goto(f"{server[0]}/account")
    olga.get_by_role("link", name="Ada").click()
    olga.get_by_role("button", name="Close the account").click()
    olga.get_by_text("is closed and signed out").wait_for()
    ada.wait_for_url(re.compile("/account/sign-in"))  # it asks every few seconds
    ada.get_by_label("Name").fill("Ada")
    ada.get_by_label("Password").fill(WORDS)
    ada.get_by_role("button", name="Sign in").click()
    ada.get_by_text("The name or the password is wrong").wait_for()


def test_sign_in_fields_have_names(somebody, server):
    page = somebody(390)
    page.goto(f"{server[0]}/account/sign-in")
    assert page.locator("input:not([type=hidden])").count() == 2
    assert page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden])')].every(e => e.labels.length)"
    )
    page.keyboard.type("Ada")  # the first field has the focus
    assert page.get_by_label("Name").input_value() == "Ada"
