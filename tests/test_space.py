"""The Space: it starts as it stands, answers, says what a restart takes away, and loses no vote."""

import os
import re
import signal
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from engine.core.actor import LOCAL
from engine.services.off_site.bucket import PLACE, FolderBucket
from engine.services.off_site.replica import Replica
from engine.services.rating import invites
from engine.workspace import SPACE_PORTS, Settings, open_workspace
from tests import helpers
from tests.faults.voting import votes_in
from tests.serving import Served, serving

REPO = Path(__file__).parents[1]
SPACE = REPO / "spaces"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    """Version by normalised name of each `name==version` line."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pairs}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `python spaces/app.py`, started as on a Space without a volume."""
    if os.access("/data", os.W_OK):
        pytest.skip("this machine has a writable /data, so nothing would be lost on a restart")
    folder = tmp_path_factory.mktemp("space")
    app = (str(SPACE / "app.py"),)
    with serving({"TMPDIR": str(folder)}, folder / "log", program=app, folder=folder) as server:
        yield server.url


@contextmanager
def space_on(disk: Path, bucket: Path) -> Iterator[Served]:
    """The Space on an empty disk of its own, with this bucket."""
    disk.mkdir()
    program = (str(SPACE / "app.py"),)
    known = {"TMPDIR": str(disk), "TUNELOOP_BUCKET": str(bucket)}
    with serving(known, disk / "log", program=program, folder=disk) as server:
        yield server


def vote(browser: httpx.Client, round_id: str, number: int) -> list[str]:
    """The keys of so many votes, each said to be saved."""
    saved = []
    for _ in range(number):
        shown = browser.get(f"/api/rate/{round_id}/next").raise_for_status().json()["comparison"]
        ballot = {"token": shown["token"], "key": str(uuid.uuid4()), "choice": "left"}
        browser.post("/api/rate/vote", json=ballot).raise_for_status()
        saved.append(ballot["key"])
    return saved


@pytest.mark.parametrize("starts", [2, pytest.param(5, marks=pytest.mark.proof)])
def test_votes_outlive_a_space_that_is_killed_and_begins_on_an_empty_disk(tmp_path, starts):
    home, bucket = tmp_path / "home", tmp_path / "bucket"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path)
    cookie = {"tl_rater": invites.make(ws, LOCAL, one.project_id, "Ada")}
    Replica(ws, FolderBucket(bucket / PLACE)).sweep()
    ws.close()
    saved: list[str] = []
    for number in range(starts):
        disk = tmp_path / f"disk-{number}"
        with space_on(disk, bucket) as server:
            with httpx.Client(base_url=server.url, cookies=cookie, timeout=300) as browser:
                assert browser.get(f"/api/rate/{one.id}/progress").json()["done"] == len(saved)
                saved += vote(browser, one.id, 2)
            family = [*server.process.children(), server.process]
            for each in family:
                each.send_signal(signal.SIGKILL)
        (database,) = disk.glob("tuneloop-*/tuneloop.db")
        assert sorted(votes_in(database)) == sorted(saved)
    assert not list(bucket.rglob("tuneloop.db"))  # the database never lies there


def test_health_answers(space):
    assert httpx.get(f"{space}/health").status_code == 200


@pytest.mark.browser
def test_page_says_that_data_is_lost_on_restart(space, chromium):
    page = chromium.new_page()
    page.goto(space)
    page.get_by_text(re.compile(r"lost\b.*\brestart", re.I)).first.wait_for()
    page.close()


def test_front_matter_names_what_the_project_is_tested_with():
    front = yaml.safe_load((SPACE / "README.md").read_text().split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert front["sdk_version"] == pins(REPO / "constraints.txt")["gradio"]
    assert (SPACE / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60  # longer ones are refused


def test_readme_of_the_space_says_what_a_copy_costs_which_ports_and_what_zerogpu_takes():
    text = " ".join((SPACE / "README.md").read_text().split())
    assert "a duplicate too, needs a paid plan" in text
    assert f"ports {SPACE_PORTS[0]}, {SPACE_PORTS[1]} and {SPACE_PORTS[2]} alone" in text
    assert "Python 3.12.12 or 3.10.13" in text
    takes = re.search(r"torch ([\d., ]+) or ([\d.]+),", text)
    zero_gpu = [*takes[1].split(", "), takes[2]]
    ours = pins(SPACE / "requirements.txt")["torch"]
    refused = f"has torch {ours}, which ZeroGPU refuses"
    assert (refused in text) == (ours not in zero_gpu)
    assert re.search(r"put `torch==([\d.]+)`", text)[1] in zero_gpu


def test_space_installs_every_dependency_at_the_tested_version():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    wanted = {normal(re.split(r"[\[<>=~! ]", name)[0]) for name in project["dependencies"]}
    installs, tested = pins(SPACE / "requirements.txt"), pins(REPO / "constraints.txt")
    assert wanted <= installs.keys()
    assert installs == {name: tested[name] for name in installs}
