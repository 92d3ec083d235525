"""The Space: it starts as it stands, answers, and says what a restart takes away."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.serving import serving

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


def test_space_installs_every_dependency_at_the_tested_version():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    wanted = {normal(re.split(r"[\[<>=~! ]", name)[0]) for name in project["dependencies"]}
    installs, tested = pins(SPACE / "requirements.txt"), pins(REPO / "constraints.txt")
    assert wanted <= installs.keys()
    assert installs == {name: tested[name] for name in installs}
