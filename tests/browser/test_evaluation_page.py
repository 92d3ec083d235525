"""The Evaluation and Playground pages in a real browser, over results made by hand."""

import pytest

from engine.core.actor import LOCAL
from engine.core.evaluation import Gain, Mean, Overlap, RegressionCheck
from engine.core.job_outcome import Outcome
from engine.services import job_outcomes, playground
from engine.services.data import datasets
from tests import helpers
from tests.ui import results, seed
from ui.pages.playground import tab as playground_tab
from ui.server import create_app

pytestmark = pytest.mark.browser

ANSWERS = {
    3: ("wrong words", 0.1, "right words", 1.0),
    5: ("right 5", 1.0, seed.XSS[1], 0.2),
    8: ("same", 0.5, "same", 0.5),
}


@pytest.fixture
def world(ws, tmp_path):
    """A project with one evaluation of a base and a tuned model."""
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    tuned = results.adapter(ws, project, base, data)
    mean = Mean(score=0.1, low=0.0, high=0.2, n=3)
    gain = Gain(diff=0.4, low=0.3, high=0.5, p=0.01, n=3, sentence="Better: +0.40 on 3 rows.")
    metrics = ("rougeL", "exact_match")
    regressed = RegressionCheck(
        id="length", model=tuned.id, compared_with=base.id, regressed=True, before=9, after=3,
        low=0.2, high=0.5, ratio=True, message="Answers are a third as long.",
    )  # fmt: skip
    results.evaluated(
        ws, project, data, base, tuned, ANSWERS,
        baselines={"baseline:copy": dict.fromkeys(metrics, mean)},
        over_baselines={tuned.id: {"baseline:copy": dict.fromkeys(metrics, gain)}},
        regression_checks=(regressed,),
        overlap=Overlap(count=1, near_count=0, rows=(3,), asked=3, compared=30, message="1 is."),
    )  # fmt: skip
    return project, base, tuned, data


@pytest.fixture
def opened(ws, world, serve, watched):
    """Opens a tab of the whole app: `opened("Evaluation", width=390)`."""
    address = serve(create_app(ws))

    def at(tab, **options):
        seen = watched(address, **options)
        seen.page.goto(address)
        seen.page.get_by_role("tab", name=tab, exact=True).click()
        return seen

    return at


def test_evaluation_is_read_filtered_and_downloaded(opened):
    seen = opened("Evaluation")
    page = seen.page
    said = page.locator("#evaluate-sentences")
    said.get_by_text("against no model at all: copy the question").wait_for()
    assert "+0.20" in said.inner_text()
    checks = page.locator("#evaluate-checks").inner_text()
    assert "SFT one regressed against base. Answers are a third as long." in checks
    assert "Rows: 3." in checks
    assert "+0.400" in page.locator("#evaluate-over").inner_text()
    board = page.locator("#evaluate-board tbody tr")
    assert [board.nth(n).locator("th").inner_text().split("\n")[0] for n in range(2)]
    page.locator("#evaluate-intervals .main-svg").first.wait_for()

    view = page.locator("#evaluate-views")
    view.get_by_role("tab", name="Answers").click()
    page.locator("#evaluate-words input, #evaluate-words textarea").fill("wrong words")
    cells = page.locator("#evaluate-rows-table [role=gridcell]")
    page.wait_for_function(
        "document.querySelectorAll('#evaluate-rows-table [role=gridcell]').length === 8"
    )
    cells.nth(2).click()
    row = page.locator("#evaluate-row")
    row.locator("del", has_text="wrong").wait_for()
    assert row.locator("ins").inner_text() == "right"

    view.get_by_role("tab", name="Speed").click()
    page.locator("#evaluate-cost input").fill("36")
    page.locator("#evaluate-speed", has_text="$6.667").wait_for()
    view.get_by_role("tab", name="Files").click()
    with page.expect_download() as download:
        page.locator("#evaluate-report").click()
    assert "Better" in download.value.path().read_text()
    assert page.evaluate("window.hit") is None
    assert (seen.errors, seen.dialogs, seen.foreign) == ([], [], [])


@pytest.mark.parametrize("tab", ["Evaluation", "Playground"])
def test_evaluation_and_playground_fit_on_a_phone(opened, tab):
    page = opened(tab, width=390).page
    page.locator("#evaluate-sentences p, #play-answers .tl-empty").first.wait_for(state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_answered_question_is_saved_and_joins_a_test_set(ws, world, opened):
    project, base, tuned, _ = world
    job = playground_tab.ask(ws, project, "Where is it?", [base.id, tuned.id], 0.0, 32, 0, "")
    told = {"text": "In the hall", "tokens": 3, "seconds": 0.1, "finished": True}
    done = Outcome(result={"answers": dict.fromkeys([base.id, tuned.id], told)})
    job_outcomes.store(ws, helpers.claimed(ws, job.id, "play"), done)
    seen = opened("Playground")
    page = seen.page
    page.locator("#play-answers", has_text="In the hall").wait_for()
    page.get_by_text("Use this question").click()
    page.locator("#play-save").click()
    page.locator("#play-kept", has_text="Saved questions@1 holds 1 question").wait_for()
    page.locator("#play-right textarea").fill("In the hall")
    page.locator("#play-add").click()
    page.locator("#play-kept", has_text="Test questions@1 holds 1 question").wait_for()
    made = {one.name: one for one in datasets.list_all(ws, LOCAL, project)}
    [row] = datasets.rows(ws, LOCAL, made[playground.TEST].id, "held_out")
    assert row.example.references == ("In the hall",)
    assert (seen.errors, seen.foreign) == ([], [])
