"""Serve on the Models page, in a browser: start the API, ask it with OpenAI's client, stop it."""

import openai
import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import api_process, registry
from engine.workspace import Settings, open_workspace
from tests.browser.walk import Walk, environment
from tests.serving import free_port, serving

pytestmark = [pytest.mark.browser, pytest.mark.train]

FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def walk(chromium, tiny_model, tmp_path_factory):
    """The Models page of a project with a base, and its panel of the API open."""
    folder = tmp_path_factory.mktemp("api")
    home = folder / "home"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    projects.create(ws, LOCAL, "Support")
    registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    ws.close()
    more = {
        api_process.PORT: str(free_port()),
    }
    with serving(environment(home, tiny_model, **more), folder / "serve.log") as served:
        one = Walk(chromium, served.url)
        one.tab("Models")
        one.page.get_by_text("Serve models to programs").click()
        yield one
        one.page.close()


def shown_example(walk):
    """The lines of the example as the page shows them."""
    return walk.page.locator("#api-code .cm-content").inner_text()


def test_model_is_served_asked_by_openai_client_and_stopped(walk):
    walk.sees("#api-process", "Nothing is served")
    walk.click("api-serve")
    card = walk.sees("#api-process", "serving")
    assert "need no key" in card
    address = walk.page.locator("#api-process code").inner_text()
    example = shown_example(walk)
    assert address in example
    assert '"tiny"' in example

    walk.fill("api-name", "walk")
    walk.click("api-add")
    walk.page.locator("#api-made").wait_for()
    token = walk.page.locator("#api-made").locator("input, textarea").first.input_value()
    said = {}
    with_key = example.replace("YOUR KEY", token).replace("print(", "said.setdefault('text', ")
    exec(compile(with_key, "example", "exec"), {"said": said})  # the lines that people copy
    assert isinstance(said["text"], str)

    for width in (390, 1600):
        walk.page.set_viewport_size({"width": width, "height": 1000})
        walk.page.wait_for_function(FITS)

    walk.click("api-stop")
    walk.sees("#api-process", "Nothing is served")
    client = openai.OpenAI(base_url=address, api_key=token, max_retries=0)
    with client, pytest.raises(openai.APIConnectionError):
        client.models.list()
    assert walk.errors == []
    assert walk.foreign == []


def test_example_is_shown_as_a_command_of_a_shell_too(walk):
    shown = walk.page.locator("#api-curl .cm-content")
    shown.wait_for()
    assert shown.inner_text().startswith("curl http://127.0.0.1:")
