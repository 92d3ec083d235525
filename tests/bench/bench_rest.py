"""What many opened pages leave in the web process, and what costs anything while nobody does.

Processor seconds and memory are those of /proc, so that other work on the machine does not count.
A page is opened over HTTP as a browser opens it (`tests/page_load.py`); Chromium opens some too.

    pytest -s -n 0 -o faulthandler_timeout=0 -o python_files='bench_*.py' tests/bench/bench_rest.py

TUNELOOP_BENCH_LOADS and TUNELOOP_BENCH_EVENTS name other numbers.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from playwright.sync_api import Browser, Page

from engine.store import events
from engine.store.connect import writing
from engine.workspace import Settings, Workspace, open_workspace
from tests import helpers
from tests.bench import bench_tools
from tests.page_load import Visitor
from tests.serving import Served, serving
from tests.ui import results

LOADS = int(os.environ.get("TUNELOOP_BENCH_LOADS", "1000"))
EVENTS = int(os.environ.get("TUNELOOP_BENCH_EVENTS", "500000"))
AT_ONCE = 20_000
READERS = 30  # pages that each open the long run
# a page asks every two seconds for 15 s after a click, and goes on loading parts for a while
SETTLE_S, REST_S = 40.0, 60.0
TABS = ("home", "data", "training", "jobs", "evaluation", "rating", "loop", "playground", "models")


class Used(NamedTuple):
    """A home with a project, a model, a dataset and a training."""

    home: Path
    training: str


@pytest.fixture
def used(tmp_path: Path) -> Used:
    home = tmp_path / "home"
    with workspace(home) as ws:
        project = helpers.project(ws)
        base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
        tuned = results.adapter(ws, project.id, base, data)
        assert tuned.job_id is not None
        results.say(ws, tuned.job_id, *results.train_events())
    return Used(home, tuned.job_id)


@contextmanager
def workspace(home: Path) -> Iterator[Workspace]:
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    yield ws
    ws.close()


def write_events(used: Used) -> None:
    """Many metrics of the training."""
    with workspace(used.home) as ws, writing(ws.db) as conn:
        for first in range(0, EVENTS, AT_ONCE):
            steps = range(first, first + AT_ONCE)
            said = {"loss": 2.0, "tokens_per_s": 9.0}
            events.add(conn, used.training, [(1e9 + n, "metric", n, said) for n in steps])


@contextmanager
def served(used: Used) -> Iterator[Served]:
    with serving({"TUNELOOP_HOME": str(used.home)}, Path(f"{used.home}.log")) as server:
        yield server


def test_memory_after_page_loads(used: Used) -> None:
    under = bench_tools.conditions()
    with served(used) as server:
        visitor = Visitor(server.url)
        print(f"\nbefore                   {server.megabytes:5.0f} MB")
        for number in range(1, LOADS + 1):
            cpu = server.cpu_s
            visitor.load().close()
            if number in (1, 10, 100) or number % 250 == 0:
                spent = server.cpu_s - cpu
                print(f"{number:5} page loads        {server.megabytes:5.0f} MB, CPU {spent:.2f} s")
        visitor.close()
    print(under)


@pytest.mark.browser
def test_memory_after_a_long_run_was_opened(used: Used, chromium: Browser) -> None:
    under = bench_tools.conditions()
    write_events(used)
    with served(used) as server:
        print(f"\nbefore                   {server.megabytes:5.0f} MB")
        for number in range(1, READERS + 1):
            cpu = server.cpu_s
            context = chromium.new_context()
            page = opened(context.new_page(), server.url)
            page.get_by_role("tab", name="Jobs").click()
            page.locator("#runs-top").get_by_text("SFT one").first.wait_for()
            if number in (1, 2, 10, READERS):
                spent = server.cpu_s - cpu
                print(
                    f"{number:3} pages of the run     {server.megabytes:5.0f} MB, CPU {spent:.1f} s"
                )
            context.close()
    print(f"{EVENTS:,} events, {under}")


def test_server_at_rest(used: Used) -> None:
    under = bench_tools.conditions()
    with served(used) as server:
        family = [server.process, *server.process.children()]
        time.sleep(SETTLE_S)
        web, *worker = shares(family)
        print(
            f"\nno page open, {REST_S:.0f} s: web {web:.2f} %, worker {sum(worker):.2f} % of a core"
        )
    print(under)


@pytest.mark.browser
@pytest.mark.parametrize("tab", os.environ.get("TUNELOOP_BENCH_TABS", "home,jobs").split(","))
def test_open_page_at_rest(used: Used, chromium: Browser, tab: str) -> None:
    under = bench_tools.conditions()
    with served(used) as server:
        page = opened(chromium.new_page(), server.url)
        page.get_by_role("tab", name=tab.capitalize(), exact=True).click()
        page.locator(f"#tab-{tab}, #{tab}").first.wait_for(state="attached")
        time.sleep(SETTLE_S)
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        browsers = [each for each in psutil.process_iter(["name"]) if ours(each)]
        web, *others = shares([server.process, *server.process.children(), *browsers])
        worker, *parts = others
        print(
            f"\n{tab} open, {REST_S:.0f} s: browser {sum(parts):.2f} %, web {web:.2f} %, "
            f"worker {worker:.2f} % of a core, {len(asked)} requests"
        )
        page.close()
    print(under)


def opened(page: Page, url: str) -> Page:
    """The page once Home has drawn itself."""
    page.goto(url)
    page.locator("#home-here, #home-welcome").first.wait_for()
    return page


def ours(process: psutil.Process) -> bool:
    """Whether this is a process of the browser that this test started."""
    try:
        mine = psutil.Process().pid in [each.pid for each in process.parents()]
        return mine and "chrom" in process.info["name"]
    except psutil.NoSuchProcess:
        return False


def shares(family: list[psutil.Process]) -> list[float]:
    """Percent of a core that each uses within REST_S, by its processor seconds."""
    before, began = [spent(each) for each in family], time.monotonic()
    time.sleep(REST_S)
    took = time.monotonic() - began
    return [100 * (spent(each) - was) / took for each, was in zip(family, before, strict=True)]


def spent(process: psutil.Process) -> float:
    """Processor seconds to the microsecond; those of `stat` are hundredths."""
    try:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        found = [int((task / "schedstat").read_text().split()[0]) for task in tasks]
        return sum(found) / 1e9
    except OSError:
        return 0.0
