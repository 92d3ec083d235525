"""The Data page in a real browser: from a file with faults to versions without them."""

import json
import re

import pytest

from tests.browser.pages import choose
from tests.browser.walk import Walk, environment
from tests.serving import serving

pytestmark = pytest.mark.browser
LONG = 240_000  # ms; a look takes a second, but machines differ


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """The server on a new workspace: (address, folder with two files)."""
    folder = tmp_path_factory.mktemp("data-page")
    rows = [
        {"prompt": f"Where is book {n}?", "completion": f"On shelf {7 * n % 31}, at the left."}
        for n in range(40)
    ]
    faulty = [*rows, *rows[:3], {"prompt": "Who answers?", "completion": ""}]
    (folder / "faulty.jsonl").write_text("\n".join(map(json.dumps, faulty)))
    lines = [f"play song {n},{'Play' if n % 2 else 'Book'}" for n in range(20)]
    (folder / "intents.csv").write_text("text,intent\n" + "\n".join(lines) + "\n")
    with serving(environment(folder / "home", tiny_model), folder / "serve.log") as served:
        yield served.url, folder


@pytest.fixture(scope="module")
def walk(chromium, server):
    one = Walk(chromium, server[0])
    one.page.set_default_timeout(LONG)
    one.click("home-own")
    one.tab("Data")
    yield one
    one.page.close()


def sees(walk, where, words):
    return walk.sees(where, words, LONG)


def drop(walk, path):
    walk.page.locator("#data-file input[type=file]").set_input_files(path)
    walk.page.locator("#data-keep").wait_for()


def test_data_page_fixes_adds_fixes_again_and_undoes(walk, server):
    page, (_, folder) = walk.page, server
    drop(walk, folder / "faulty.jsonl")
    sees(walk, "#data-report", "3 rows repeating an earlier row")
    page.locator("#data-report summary").first.click()
    sees(walk, "#data-report details[open]", "Who answers")
    page.locator("#data-fixes label", has_text="repeat an earlier row").locator("input").check()
    sees(walk, "#data-change", "removes 3 rows: 44 become 41")
    walk.click("data-add")
    sees(walk, "#data-about", "faulty@2")
    sees(walk, "#data-numbers", "median row")
    page.locator("#data-mend-fixes input").first.check()
    sees(walk, "#data-mend-change", "removes 1 row: 41 become 40")
    walk.click("data-mend")
    sees(walk, "#data-about", "faulty@3.*found no problems")
    choose(page, "data-other", "faulty@1", exact=False)
    assert "4" in sees(walk, "#data-difference", "From faulty@1 to faulty@3")
    walk.click("data-undo")
    sees(walk, ".toast-body", "faulty@3 is removed")  # first: it goes after some seconds
    sees(walk, "#data-about", "faulty@2")
    page.locator("#data-cards [data-pick]", has_text="faulty@3").wait_for(state="detached")
    assert page.locator("#data-cards [data-pick]").count() == 2
    assert walk.errors == []


def test_unknown_columns_are_mapped_before_a_file_is_added(walk, server):
    page, (_, folder) = walk.page, server
    drop(walk, folder / "intents.csv")
    page.locator("#data-mapping").wait_for()
    sees(walk, "#data-map-example", "play song 0")
    assert not page.locator("#data-add").is_visible()
    choose(page, "data-map-kind", re.compile("Questions only"))
    sees(walk, "#data-map-example", "Prompts have no answer")
    choose(page, "data-map-kind", re.compile("Questions with answers"))
    sees(walk, "#data-map-example", "highlighted")
    walk.click("data-map-use")
    sees(walk, "#data-report", "prompt = text, answer = intent")
    walk.click("data-add")
    sees(walk, "#data-about", "intents@1")
    sees(walk, "#data-cards [aria-pressed=true]", "intents")
    assert walk.errors == []
    assert walk.foreign == []


def test_version_in_use_is_kept_and_its_user_named(walk):
    page = walk.page
    page.locator("#data-cards [data-pick]", has_text="faulty@1").click()
    sees(walk, "#data-about h3", "faulty@1")
    sees(walk, "#data-uses", "faulty@2")
    walk.click("data-remove")
    walk.click("data-remove-yes")
    sees(walk, ".toast-body", "faulty@1 is used by the version 'faulty@2'")
    assert page.locator("#data-cards [data-pick]").count() == 3


@pytest.mark.parametrize("width", [390, 1600])
def test_opened_version_fits_on_the_screen(walk, width):
    walk.page.set_viewport_size({"width": width, "height": 900})
    walk.rest()
    assert walk.page.evaluate("document.documentElement.scrollWidth") <= width
