"""The one next action of every page is in the first screen, on a phone and on a desk.

Three projects: one that was only just made, one with data, one whose blind round is closed.
"""

from typing import NamedTuple

import pytest

from engine.core.actor import LOCAL
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.rating import rounds
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.browser import rest
from tests.browser.pages import choose
from tests.browser.walk import LONG, environment
from tests.serving import serving
from tests.ui import results, seed

pytestmark = pytest.mark.browser
SCREENS = [(390, 844), (1600, 1000)]
# where the box of the action lies in the window, once it is there: top, bottom, width of the page
PLACE = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [box.top + scrollY, box.bottom + scrollY, document.documentElement.scrollWidth];
}"""


class Place(NamedTuple):
    """The next action of a page, and what is there once the page is drawn whole."""

    action: str
    drawn: str = ""


NEW = {
    "Home": Place("#home-go", "#home-next h3"),
    "Data": Place("#data-sample", "#data-shelf .tl-empty"),
    "Training": Place("#sft-go"),
    "Jobs": Place("#runs-first"),
    "Evaluation": Place("#evaluate-to-data", "#evaluate-empty .tl-empty"),
    "Rating": Place("#rate-go", "#rate-next h3"),
    "Loop": Place("#loop-go", "#loop-next h3"),
    "Playground": Place("#play-ask"),
    "Models": Place("#models-first", "#models-bases .tl-card"),
}
WITH_DATA = NEW | {
    "Data": Place("#data-next", "#data-cards [data-pick]"),
    "Training": Place("#sft-start", "#sft-estimate h3"),
    "Evaluation": Place("#evaluate-start", "#evaluate-empty .tl-empty"),
}
RATED = WITH_DATA | {
    "Jobs": Place("#runs-top h3", "#runs-list .tl-pick"),
    "Evaluation": Place("#evaluate-to-rating", "#evaluate-table table"),
    "Rating": Place("#rate-go", "#rate-outcome .tl-duel"),
    "Models": Place("#models-eval", "#models-trained .tl-card"),
}
PROJECTS = {"Just made": NEW, "With data": WITH_DATA, "Rated": RATED}


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """The address of a server on a workspace with the three projects."""
    folder = tmp_path_factory.mktemp("first-screen")
    home = folder / "home"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_MODEL", str(tiny_model))
        registry.ensure_default(ws, LOCAL, lambda _: None)
    base = registry.list_all(ws, LOCAL)[0]
    made = {name: helpers.project(ws, name).id for name in PROJECTS}
    helpers.dataset(ws, made["With data"], folder)
    rated = made["Rated"]
    data = helpers.dataset(ws, rated, folder)
    tuned = results.adapter(ws, rated, base, data)
    answers = {n: ("wrong", 0.1, f"right {n}", 1.0) for n in range(3)}
    results.evaluated(ws, rated, data, base, tuned, answers)
    blind = seed.open_round(ws, folder, project=rated, purpose="blind_eval", pairs=8)
    seed.prefer_new(ws, blind)
    rounds.close(ws, LOCAL, blind.id)
    lifecycle.cancel(ws, LOCAL, blind.job_id)  # its answers are there: no worker is to write any
    ws.close()
    with serving(environment(home, tiny_model), folder / "serve.log") as served:
        yield served.url


@pytest.fixture(params=SCREENS, ids=lambda screen: str(screen[0]))
def page(chromium, server, request):
    width, height = request.param
    opened = chromium.new_page(viewport={"width": width, "height": height})
    opened.set_default_timeout(LONG)
    opened.goto(server)
    opened.locator("#home-next h3").wait_for()
    yield opened
    opened.close()


@pytest.mark.parametrize("project", PROJECTS)
def test_next_action_of_every_page_is_in_the_first_screen(page, project):
    choose(page, "project", project)
    outside = {}
    for label, place in PROJECTS[project].items():
        page.get_by_role("tab", name=label, exact=True).click()
        for selector in filter(None, place):
            page.locator(selector).first.wait_for()
        top, bottom, width = page.evaluate(PLACE, place.action)
        size = page.viewport_size
        if top < 0 or bottom > size["height"] or width > size["width"]:
            outside[label] = (top, bottom, width)
    assert outside == {}


def test_mapping_of_a_dropped_file_is_the_one_next_action_in_the_first_screen(page, tmp_path):
    rows = "".join(f"play song {n},{'Play' if n % 2 else 'Book'}\n" for n in range(20))
    (tmp_path / "intents.csv").write_text("text,intent\n" + rows)
    choose(page, "project", "With data")
    page.get_by_role("tab", name="Data", exact=True).click()
    page.locator("#data-next").wait_for()
    page.locator("#data-file input[type=file]").set_input_files(tmp_path / "intents.csv")
    page.locator("#data-map-use").wait_for()
    page.locator("#data-map-example .tl-row").first.wait_for()
    page.evaluate("scrollTo(0, 0)")
    top, bottom, width = page.evaluate(PLACE, "#data-map-use")
    assert 0 < top < bottom <= page.viewport_size["height"]
    assert width <= page.viewport_size["width"]
    assert not page.locator("#data-next").is_visible()
    assert not page.locator("#data-add").is_visible()
    page.locator("#data-map-use").click()
    page.locator("#data-add").wait_for()
    page.evaluate("scrollTo(0, 0)")
    _, bottom, _ = page.evaluate(PLACE, "#data-add")
    assert bottom <= page.viewport_size["height"]


def test_tabs_are_one_line_and_the_selected_one_is_in_sight(page):
    bar = page.locator("#tabs > .tab-wrapper")
    assert bar.bounding_box()["height"] < 60
    for label in ("Models", "Home"):
        tab = page.get_by_role("tab", name=label, exact=True)
        tab.click()
        tab.and_(page.locator("[aria-selected=true]")).wait_for()
        page.wait_for_function(
            """tab => {
              const {left, right} = tab.getBoundingClientRect();
              return left >= 0 && right <= innerWidth;
            }""",
            arg=tab.element_handle(),
        )


def test_answer_of_a_preview_row_is_seen_without_scrolling_in_its_box(page):
    choose(page, "project", "With data")
    page.get_by_role("tab", name="Data", exact=True).click()
    page.locator("#data-cards [data-pick]").first.click()
    page.locator("#data-rows .tl-learned").first.wait_for()
    cut = page.evaluate(
        "[...document.querySelectorAll('#data-rows .tl-row-text')]"
        ".filter(box => box.scrollHeight > box.clientHeight + 1).length"
    )
    assert cut == 0


def test_next_action_opens_the_panel_for_the_round_that_it_names(page):
    choose(page, "project", "Rated")
    page.locator("#home-go", has_text="Rate answers blind").click()
    page.locator("#rate-start").wait_for()
    assert page.get_by_label("Collect preferences for training").is_checked()


# no timer of the page asks: what is drawn was asked for by the click or by the project
NO_TIMERS = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });"
# what each page shows of the project "Rated", and of no project
OF_THE_PROJECT = {
    "Home": "#home-cards [data-page]",
    "Data": "#data-cards [data-pick]",
    "Training": "#sft-estimate h3",
    "Jobs": "#runs-list .tl-pick",
    "Evaluation": "#evaluate-table table",
    "Rating": "#rate-outcome .tl-duel",
    "Loop": "#loop-next h3",
    "Playground": "#play-models .token",
    "Models": "#models-trained .tl-card",
}


class Calls:
    """Holds the first call of each of these events of a page back until it is let go."""

    def __init__(self, page, *held):
        self.page, self.wanted, self.held = page, held, {}
        page.route("**/gradio_api/queue/join*", self.hold)

    def hold(self, route):
        number = route.request.post_data_json["fn_index"]
        if number in self.wanted and number not in self.held:
            self.held[number] = route
        else:
            route.continue_()

    def wait(self, number):
        while number not in self.held:
            self.page.wait_for_event("request")

    def let_go(self, number):
        self.held[number].continue_()


def calls(config, tab_name):
    """The numbers of two events: which project is open, and the first that draws this page."""
    ids = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
    tabs = {each["props"].get("id"): each["id"] for each in config["components"]}
    asked = [each for each in config["dependencies"] if each["backend_fn"]]
    known = next(
        each
        for each in asked
        if each["outputs"] == [ids["project"]] and each["targets"][0][1] == "load"
    )
    drawn = next(each for each in asked if [tabs[tab_name], "select"] in each["targets"])
    return known["id"], drawn["id"]


@pytest.mark.parametrize(
    ("label", "drawn_first"), [*((label, False) for label in OF_THE_PROJECT), ("Jobs", True)]
)
def test_page_clicked_before_its_project_is_known_shows_it_then(
    chromium, server, label, drawn_first
):
    """The page was drawn for no project, or is still being drawn for none as it becomes known."""
    page = rest.watched(chromium.new_page())
    page.set_default_timeout(LONG)
    page.add_init_script(NO_TIMERS)
    known, drawn = calls(page.request.get(f"{server}/config").json(), label.lower())
    at_home = label == "Home"  # nothing is clicked: it waits for the project by itself
    held = Calls(page, *((known,) if drawn_first or at_home else (known, drawn)))
    page.goto(server)
    held.wait(known)
    tab = page.get_by_role("tab", name=label, exact=True)
    tab.click()
    if not at_home and not drawn_first:
        held.wait(drawn)
    shown = page.locator(OF_THE_PROJECT[label]).first
    assert shown.count() == 0
    held.let_go(known)
    page.locator("#project input").wait_for()
    if drawn in held.held:
        held.let_go(drawn)
    shown.wait_for(timeout=20_000)
    tab.and_(page.locator("[aria-selected=true]")).wait_for()
    page.close()
