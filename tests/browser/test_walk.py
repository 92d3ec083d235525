"""The loop by hand, as a newcomer walks it: every step in the browser, with real training.

The base is the taught tiny model (tests/letter_model.py), so that each training takes seconds.
Pictures of every page are kept where TUNELOOP_SCREENS points, at 390 and 1600 px, light and dark.
"""

import os
from pathlib import Path

import pytest

from tests import letter_model
from tests.browser import rest
from tests.browser.walk import LONG, Walk, environment
from tests.serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """`tuneloop serve` on a new workspace: (address, folder with the data)."""
    folder = tmp_path_factory.mktemp("walk")
    letter_model.write_data(folder)
    base = letter_model.taught(tiny_model, folder / "library_faq.jsonl")
    with serving(environment(folder / "home", base), folder / "serve.log") as served:
        yield served.url, folder


@pytest.fixture(scope="module")
def walk(chromium, server):
    one = Walk(chromium, server[0])
    yield one
    one.page.close()


def test_loop_is_walked_by_hand(walk, server):
    page, (_, folder) = walk.page, server
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#home-demo").wait_for()
    assert page.locator("#home-demo").bounding_box()["y"] < 800  # a phone's first screen
    page.set_viewport_size(wide)
    walk.click("home-own")
    page.locator("#data-file input[type=file]").set_input_files(folder / "library_faq.jsonl")
    assert "288" in walk.sees("#data-report", "288")
    walk.sees("#data-preview", "say")
    walk.click("data-add")
    page.get_by_text("In this project").first.wait_for()

    walk.tab("Training")
    walk.train("sft", "First run", "0.003")

    walk.tab("Evaluation")
    walk.click("evaluate-start")
    assert "interval" in walk.sees("#evaluate-sentences", "held-out", LONG)

    walk.start_round("Collect preferences for training")
    cast = walk.rate_all()
    assert cast >= 20
    walk.click("rate-make")
    assert f"from {cast} votes" in walk.sees("#rate-made", "pairs")
    walk.click("rate-train")
    page.get_by_text("Direct preference optimisation (DPO)").first.click()
    walk.rest()
    walk.train("dpo", "From votes", "0.002")

    # the letters' model forgets much; its evaluation may be done by now, or still run
    walk.start_round("Blind test of two models", anyway=True)
    assert walk.rate_all() > 0
    walk.click("rate-close")
    walk.click("rate-close-yes")
    assert "interval" in walk.sees("#rate-outcome", "interval")

    walk.tab("Home")
    walk.sees("#home-loop", "wins")
    assert walk.errors == []
    assert walk.foreign == []


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_at_both_widths_in_both_themes(chromium, server, width, theme, tmp_path):
    """After the walk: no page is wider than the screen, nothing foreign is asked for."""
    folder = Path(os.environ.get("TUNELOOP_SCREENS", tmp_path))
    page = rest.watched(chromium.new_page(viewport={"width": width, "height": 900}))
    foreign = []
    page.on("request", lambda r: None if server[0] in r.url else foreign.append(r.url))
    page.goto(f"{server[0]}/?__theme={theme}")
    page.locator("#home-loop").wait_for()
    tabs = (
        "Home",
        "Data",
        "Training",
        "Jobs",
        "Evaluation",
        "Rating",
        "Loop",
        "Playground",
        "Models",
    )
    assert [
        tab.strip() for tab in page.locator("#tabs > .tab-wrapper [role=tab]").all_inner_texts()
    ] == [*tabs]
    for label in tabs:
        page.get_by_role("tab", name=label, exact=True).click()
        rest.wait(page)
        page.screenshot(path=folder / f"{label.lower()}-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, label
    page.close()
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
