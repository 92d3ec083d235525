"""Votes of a file in a real browser: dropped, understood, mapped, added, shown and removed."""

import os
from pathlib import Path

import pytest

from tests.browser.pages import choose
from tests.browser.walk import LONG, Walk, environment
from tests.serving import serving

pytestmark = pytest.mark.browser
DARK = "dark => document.body.classList.toggle('dark', dark)"


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """The server on a new workspace: (address, folder with two files)."""
    folder = tmp_path_factory.mktemp("imported")
    rows = [f"Where is {n}?;ada;new;old;{'left' if n % 3 else 'right'}" for n in range(12)]
    head = "prompt;rater;model_left;model_right;choice"
    (folder / "votes.csv").write_text("\n".join([head, *rows, "Who?;ada;new;old;perhaps"]))
    own = [line.replace("Where", "Wo") for line in rows]
    (folder / "eigene.csv").write_text("\n".join(["frage;wer;links;rechts;wahl", *own]))
    with serving(environment(folder / "home", tiny_model), folder / "serve.log") as served:
        yield served.url, folder


@pytest.fixture(scope="module")
def walk(chromium, server):
    one = Walk(chromium, server[0])
    one.page.set_default_timeout(LONG)
    one.click("home-own")
    one.page.locator("#data-file").wait_for()  # the project is there, and its page
    one.tab("Rating")
    one.page.locator("#rate-bring-box button").first.click()
    yield one
    one.page.close()


def drop(walk, file):
    walk.page.locator("#bring-file input[type=file]").set_input_files(file)


def picture(walk, name):
    """The panel at both widths in both themes, where TUNELOOP_SCREENS asks for pictures."""
    folder = os.environ.get("TUNELOOP_SCREENS")
    for width in (390, 1600):
        walk.page.set_viewport_size({"width": width, "height": 1000})
        assert walk.page.evaluate("document.documentElement.scrollWidth") <= width
        for theme in ("light", "dark") if folder else ():
            walk.page.evaluate(
                f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})"
            )
            walk.page.screenshot(path=Path(folder) / f"{name}-{width}-{theme}.png", full_page=True)
    walk.page.evaluate(DARK, False)


def test_votes_of_a_file_are_understood_added_and_shown(walk, server):
    page = walk.page
    picture(walk, "empty")
    drop(walk, server[1] / "votes.csv")
    walk.sees("#bring-report", "13 rows, 12 votes on two answers, 1 named rater", LONG)
    walk.sees("#bring-report", "1 row was refused", LONG)
    picture(walk, "votes")
    walk.click("bring-add")
    walk.sees("#rate-outcome", "wins 8, losses 4", LONG)
    page.wait_for_function(
        "document.querySelector('#rate-round input').value.startsWith('votes.csv: new and old')"
    )
    page.locator("#bring-add").wait_for(state="hidden")
    picture(walk, "added")
    assert walk.errors == []


def test_columns_under_other_names_are_mapped(walk, server):
    drop(walk, server[1] / "eigene.csv")
    walk.sees("#bring-report", "no columns of votes that are known", LONG)
    picture(walk, "unknown")
    for role, column in (
        ("choice", "wahl"), ("rater", "wer"), ("prompt", "frage"), ("left_model", "links"),
        ("right_model", "rechts"),
    ):  # fmt: skip
        choose(walk.page, f"bring-map-{role}", column)
    walk.sees("#bring-report", "12 rows, 12 votes on two answers, 1 named rater", LONG)
    picture(walk, "mapped")
    walk.click("bring-add")
    walk.sees(".tl-round", "from eigene.csv", LONG)
    assert walk.errors == []


def test_import_is_removed_after_it_is_asked_once_more(walk):
    page = walk.page
    walk.rest()
    walk.click("rate-remove")
    page.locator("#rate-remove-sure").wait_for()
    picture(walk, "remove")
    walk.click("rate-remove-no")
    page.locator("#rate-remove-sure").wait_for(state="hidden")
    walk.click("rate-remove")
    page.locator("#rate-remove-sure").wait_for()
    walk.rest()  # a button that still moves is pressed in one place and let go in another
    walk.click("rate-remove-yes")
    walk.sees(".tl-round", "from votes.csv", LONG)
    page.locator("#rate-remove-sure").wait_for(state="hidden")
    assert walk.errors == []
