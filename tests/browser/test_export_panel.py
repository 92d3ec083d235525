"""A trained model leaves by the Models page: GGUF, the same on n of n, and a ZIP to take along."""

import io
import json
import os
import shutil
import time
import urllib.request
import zipfile

import pytest

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.examples import Chat
from engine.core.model import Model
from engine.services.data import datasets
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests import tiny_model as random_llama
from tests.browser.pages import choose
from tests.browser.walk import LONG, Walk, environment
from tests.exporters.conftest import tools  # noqa: F401
from tests.models.test_end_tokens import assistant, taught, user
from tests.serving import serving

pytestmark = pytest.mark.browser
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def walk(chromium, tools, tmp_path_factory):  # noqa: F811
    """The Models page of a project with a model that llama.cpp can read, its panel open."""
    folder = tmp_path_factory.mktemp("export")
    home = folder / "home"
    base_folder = random_llama.make_of_letters(folder / "letters")
    asked = {letter: letter * 2 for letter in "abcdefghijkl"}
    taught(base_folder, [Chat(messages=(user(q), assistant(a))) for q, a in asked.items()])
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_MODEL", str(base_folder))
        base = registry.ensure_default(ws, LOCAL, lambda _: None)
    project = helpers.project(ws, "Support")
    rows = folder / "letters.jsonl"
    lines = [json.dumps({"prompt": q, "completion": a}) for q, a in asked.items()]
    rows.write_text("\n".join(lines))
    data = datasets.add(ws, LOCAL, project.id, rows, rows.name, held_out=0.25)
    fresh_adapter(base_folder, ws.files / "jobs" / "made" / "model")
    new = Model(
        id=ids.new("model"), project_id=project.id, name="Support bot", kind="adapter",
        source="trained", path="jobs/made/model", base_id=base.id, dataset_id=data.id,
        created_at=time.time(),
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, new)
    (ws.files / "cache").mkdir(exist_ok=True)
    (ws.files / "cache" / "tools").symlink_to(tools)
    ws.close()
    with serving(environment(home, base_folder), folder / "serve.log") as served:
        one = Walk(chromium, served.url)
        one.page.get_by_role("tab", name="Models", exact=True).click()
        one.page.locator("#models-export").get_by_text("Export a model").click()
        one.page.locator("#export-go").wait_for(timeout=LONG)
        yield one, served.url
    shutil.rmtree(home, ignore_errors=True)


def fresh_adapter(base, folder):
    """An adapter as a training begins with: it answers as its base does."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    lora = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(folder)


def test_export_panel_walks_to_gguf_the_same_on_every_question(walk):
    page, url = walk[0].page, walk[1]
    choose(page, "export-to", "GGUF")
    page.locator("#export-bits").wait_for(timeout=LONG)
    page.locator("#export-go").click()
    found = page.locator("#export-list .tl-card").filter(has_text="GGUF")
    found.get_by_text("llama.cpp gives the same text on").wait_for(timeout=LONG)
    text = found.inner_text()
    same, n = text.partition("same text on ")[2].partition(" prompts")[0].split(" of ")
    assert same == n
    assert int(n) > 0
    link = found.get_by_role("link", name="Download").get_attribute("href")
    with urllib.request.urlopen(f"{url}/{link}") as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert {"model.F16.gguf", "README.md", "certificate.json"} == set(archive.namelist())


def test_export_panel_shows_what_each_format_needs(walk):
    page = walk[0].page
    choose(page, "export-to", "Hugging Face Hub")
    page.locator("#export-repository").wait_for(timeout=LONG)
    assert page.locator("#export-private input").is_checked()
    page.locator("#export-bits").wait_for(state="hidden", timeout=LONG)
    choose(page, "export-to", "Cog, Replicate")
    page.locator("#export-precision").wait_for(timeout=LONG)
    page.locator("#export-repository").wait_for(state="hidden", timeout=LONG)


@pytest.mark.parametrize("width", [390, 1600])
def test_export_panel_fits_the_window(walk, width):
    page = walk[0].page
    page.set_viewport_size({"width": width, "height": 900})
    choose(page, "export-to", "Hugging Face Hub")
    page.locator("#export-repository").wait_for(timeout=LONG)
    assert page.evaluate(FITS)
    pictures = os.environ.get("TUNELOOP_PICTURES")
    if pictures:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{pictures}/export-{width}-{scheme}.png", full_page=True)
