"""An open Space in two browsers: neither sees what the other made."""

import os

import pytest

from tests.browser import rest
from tests.conftest import REPO
from tests.serving import serving

pytestmark = pytest.mark.browser
KEEP = "kept => Object.entries(JSON.parse(kept)).forEach((each) => localStorage.setItem(...each))"


@pytest.fixture(scope="module")
def space(tiny_model, tmp_path_factory):
    """The address of `python spaces/app.py` with a model that is there already."""
    if os.access("/data", os.W_OK):
        pytest.skip("this machine has a writable /data, which the Space would take for its bucket")
    folder = tmp_path_factory.mktemp("space")
    known = {"TMPDIR": str(folder), "TUNELOOP_MODEL": str(tiny_model)}
    app = (str(REPO / "spaces" / "app.py"),)
    with serving(known, folder / "log", program=app, folder=folder) as server:
        yield server.url


def visit(page, address):
    page.goto(address)
    page.locator("#tl-worker .tl-badge").wait_for()
    rest.wait(page)
    return page


def make(page, name):
    page.locator("#new-project").click()
    page.locator("#new-name textarea, #new-name input").first.fill(name)
    page.locator("#new-create").click()
    page.locator("#new-create").wait_for(state="hidden")
    rest.wait(page)


def choices(page):
    """The projects that somebody may choose."""
    page.locator("#project input").click()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return [each.strip().removeprefix("✓").strip() for each in found]


@pytest.fixture(scope="module")
def ada(somebody, space):
    """A visitor with a project, its data and a job."""
    page = visit(somebody(), space)
    make(page, "Secret of Ada")
    page.get_by_role("tab", name="Data", exact=True).click()
    page.locator("#data-sample").click()
    page.get_by_text("In this project").first.wait_for()
    return page


def test_visitors_see_their_own_projects_alone(somebody, space, ada):
    ben = visit(somebody(), space)
    assert not ben.locator("#project input").is_visible()
    make(ben, "Secret of Ben")
    assert choices(ben) == ["Secret of Ben"]
    assert choices(ada) == ["Secret of Ada"]
    for tab in ("Home", "Data", "Training", "Jobs", "Evaluation", "Rating", "Loop", "Playground",
                "Models"):  # fmt: skip
        ben.get_by_role("tab", name=tab, exact=True).click()
        rest.wait(ben)
        assert "Secret of Ada" not in ben.content(), tab


def test_second_tab_and_a_reload_are_the_same_visitor(space, ada):
    other = rest.watched(ada.context.new_page())
    visit(other, space)
    assert choices(other) == ["Secret of Ada"]
    visit(other, space)
    assert choices(other) == ["Secret of Ada"]
    other.close()


def test_project_that_another_browser_remembers_is_not_shown(somebody, space, ada):
    """A page keeps in the browser which project was chosen; whoever copies that sees nothing."""
    kept = ada.evaluate("JSON.stringify(localStorage)")
    eve = somebody()
    visit(eve, space)
    eve.evaluate(KEEP, kept)
    visit(eve, space)
    assert not eve.locator("#project input").is_visible()
    assert "Secret" not in eve.content()


@pytest.mark.parametrize("width", [390, 1600])
def test_browser_that_keeps_no_cookie_is_told_so(somebody, space, width):
    page = visit(somebody(width), space)
    page.context.clear_cookies()
    page.locator("#new-project").click()
    note = page.get_by_role("alert").filter(has_text="keeps no cookies")
    note.wait_for()
    assert note.get_by_role("link").get_attribute("target") == "_blank"
    if folder := os.environ.get("TUNELOOP_SCREENS"):
        page.screenshot(path=f"{folder}/no-cookie-{width}.png")
