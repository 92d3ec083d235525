"""A base without a chat template gets one on the Models page, in a browser."""

import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import registry
from engine.workspace import Settings, open_workspace
from tests.browser.pages import choose
from tests.browser.walk import Walk, environment
from tests.models.template_shapes import write
from tests.serving import serving

pytestmark = pytest.mark.browser

FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def walk(chromium, tmp_path_factory):
    """The Models page with a base that has no template and marks of ChatML."""
    folder = tmp_path_factory.mktemp("template")
    write(folder / "bare", "qwen 2.5")
    (folder / "bare" / "chat_template.jinja").unlink()
    home = folder / "home"
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    projects.create(ws, LOCAL, "Support")
    registry.add_base(ws, LOCAL, "bare", folder / "bare", "folder")
    ws.close()
    with serving(environment(home, folder / "bare"), folder / "serve.log") as served:
        one = Walk(chromium, served.url)
        one.tab("Models")
        yield one
        one.page.close()


def test_template_is_chosen_with_what_it_means_and_makes_a_base(walk):
    page = walk.page
    page.get_by_text("Choose a chat template for a base").click()
    about = walk.sees("#models-template-about", "has not been trained on this form")
    assert "<|im_end|>" in about
    choose(page, "models-template-name", "Plain", exact=False)
    walk.sees("#models-template-about", "Question: How are you")
    choose(page, "models-template-name", "ChatML", exact=False)
    walk.sees("#models-template-about", "im_start")
    for width in (390, 1600):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)
    walk.click("models-template-add")
    walk.sees("#models-bases", r"bare \(ChatML\)")
    walk.sees("body", "Every project may now start from bare")
    assert walk.errors == []
    assert walk.foreign == []
