"""From `tuneloop serve` to Home on the screen, and the memory that the web process then holds.

The clock starts when the command is given and ends in Chromium, with an empty cache. A new home
is a folder that isn't there yet; its default model lies in a folder, so nothing is downloaded.
"""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser

from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.bench import bench_tools
from tests.browser import rest
from tests.serving import serving

RUNS = 3
CLICKS = 12  # of each tab
TABS = ("Home", "Data", "Training", "Jobs", "Evaluation", "Rating", "Loop", "Playground", "Models")
VISIBLE = """
() => {
  const home = [...document.querySelectorAll("#home-welcome, #home-here")];
  return home.some((part) => part.getClientRects().length && part.innerText.trim()) && Date.now();
}
"""
# ms from the click on a tab to the last answer that was drawn, and the calls it took
CLICK = """async tab => {
  const before = performance.getEntriesByType("resource").length, began = performance.now();
  document.getElementById(`tab-${tab}-button`).click();
  window.rest.again();
  while (window.rest.since() < 4) await new Promise(requestAnimationFrame);
  const took = performance.now() - began, all = performance.getEntriesByType("resource");
  return [took, all.slice(before).filter(one => /queue.join|[/]run[/]/.test(one.name)).length];
}"""
PAINT = """
() => performance.timeOrigin +
  performance.getEntriesByName("first-contentful-paint")[0].startTime
"""


class Opened(NamedTuple):
    """Seconds since the command was given, CPU seconds of the server, and megabytes."""

    answers: float
    first_paint: float
    home: float
    cpu: float  # of the web process alone, until Home could be read
    web: float
    worker: float


def new_home(folder: Path) -> Path:
    return folder / "home"


def used_home(folder: Path) -> Path:
    home = folder / "home"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    project = helpers.project(ws)
    helpers.model(ws, folder)
    helpers.dataset(ws, project.id, folder)
    ws.close()
    return home


@pytest.mark.browser
@pytest.mark.parametrize("make", [new_home, used_home])
def test_home_is_there(tmp_path, chromium, tiny_model, make):
    under = bench_tools.conditions()
    runs = list(starts(tmp_path, make, tiny_model, chromium))
    usual = Opened(*map(statistics.median, zip(*runs, strict=True)))
    best = Opened(*map(min, zip(*runs, strict=True)))
    print(f"\n{make.__name__}: seconds from the command, median of {RUNS} (best)")
    print(f"server answers       {usual.answers:.1f} ({best.answers:.1f})")
    print(f"first paint          {usual.first_paint:.1f} ({best.first_paint:.1f})")
    print(f"Home can be read     {usual.home:.1f} ({best.home:.1f})")
    print(f"CPU of the server    {usual.cpu:.1f} ({best.cpu:.1f})")
    print(f"memory               web process {usual.web:.0f} MB, worker {usual.worker:.0f} MB")
    print(f"Chromium {chromium.version}, {under}")


@pytest.mark.browser
def test_click_of_a_tab(tmp_path: Path, chromium: Browser, tiny_model: Path) -> None:
    under = bench_tools.conditions()
    environment = {"TUNELOOP_HOME": str(used_home(tmp_path)), "TUNELOOP_MODEL": str(tiny_model)}
    with serving(environment, tmp_path / "serve.log") as server:
        page = rest.watched(chromium.new_page())
        page.goto(server.url)
        page.locator("#home-here").wait_for()
        page.evaluate("performance.setResourceTimingBufferSize(100000)")
        took: dict[str, list[tuple[float, int]]] = {tab: [] for tab in TABS}
        for _ in range(CLICKS + 1):
            for tab in (*TABS[1:], TABS[0]):
                took[tab].append(tuple(page.evaluate(CLICK, tab.lower())))
        page.close()
    print(f"\nms to the last answer, median of {CLICKS} (best, worst), and calls but polls")
    for tab, (_, *found) in took.items():  # the first loads what the page is made of
        ms, calls = zip(*found, strict=True)
        usual = f"{statistics.median(ms):6.0f} ({min(ms):.0f}, {max(ms):.0f})"
        print(f"{tab:12}{usual}, {min(calls)} calls")
    print(f"Chromium {chromium.version}, {under}")


def starts(
    folder: Path, make: Callable[[Path], Path], model: Path, chromium: Browser
) -> Iterator[Opened]:
    """RUNS starts, each in a home of its own."""
    for n in range(RUNS):
        place = folder / str(n)
        place.mkdir()
        environment = {"TUNELOOP_HOME": str(make(place)), "TUNELOOP_MODEL": str(model)}
        yield opened(environment, chromium)


def opened(environment: dict[str, str], chromium: Browser) -> Opened:
    """One start, watched by a browser that knows nothing of the page."""
    with serving(environment, Path(f"{environment['TUNELOOP_HOME']}.log")) as server:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(server.url, wait_until="commit")
        home = page.wait_for_function(VISIBLE, timeout=60_000).json_value() / 1000
        cpu = server.cpu_s
        paint = page.evaluate(PAINT) / 1000
        page.wait_for_load_state("load")
        memory = server.megabytes, server.worker_megabytes
        context.close()
    began = server.asked_at
    return Opened(server.answered_at - began, paint - began, home - began, cpu, *memory)
