"""The strength dial in a browser: measured, drawn, and a strength that becomes a generation."""

import json
import shutil

import pytest
from sqlalchemy import update

from engine.core.actor import LOCAL
from engine.services.data import datasets
from engine.services.models import registry
from engine.store import tables
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests import tiny_model as random_llama
from tests.browser.walk import LONG, Walk, environment
from tests.loop import loop_in_tables
from tests.serving import serving

pytestmark = pytest.mark.browser
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


def word(n):
    """Words of which no two are alike, so that no two questions are a family."""
    return f"{'abcdefghij'[n % 10] * 6} {'klmnopqrst'[n // 10] * 7} {'uvwxyz'[n % 6] * 8}"


def adapter(base, folder, seed):
    """An adapter with weights of its own, as a training leaves one."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    lora = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", r=2, init_lora_weights=False
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(folder)


@pytest.fixture(scope="module")
def walk(chromium, tmp_path_factory):
    """The Loop page of a project whose newest model learned from votes, with a worker."""
    folder = tmp_path_factory.mktemp("dial")
    home = folder / "home"
    base_folder = random_llama.make(folder / "tiny")
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_MODEL", str(base_folder))
        base = registry.ensure_default(ws, LOCAL, lambda _: None)
    project = helpers.project(ws, "Support")
    faq = [{"prompt": f"{word(n)}?", "completion": f"answer {n}"} for n in range(60)]
    votes = [{"prompt": f"V {n}", "chosen": "yes", "rejected": "no"} for n in range(24)]
    learned, pairs = (
        added(ws, project, folder, name, rows, held_out)
        for name, rows, held_out in (("faq.jsonl", faq, 0.8), ("votes.jsonl", votes, 0.0))
    )
    sft = loop_in_tables.trained(ws, project, "taught", base, "sft", learned.id)
    dpo = loop_in_tables.trained(ws, project, "tuned", sft, "dpo", pairs.id)
    for seed, model in enumerate((sft, dpo)):
        adapter(base_folder, ws.files / model.path, seed)
    with writing(ws.db) as conn:  # what a job makes now comes after them
        conn.execute(update(tables.model).values(created_at=tables.model.c.created_at - 1000))
    ws.close()
    with serving(environment(home, base_folder), folder / "serve.log") as served:
        one = Walk(chromium, served.url)
        one.tab("Loop")
        yield one
        one.page.close()
    shutil.rmtree(home, ignore_errors=True)


def added(ws, project, folder, name, rows, held_out):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, project.id, path, path.name, held_out=held_out)


def test_dial_is_measured_and_a_strength_becomes_a_generation(walk):
    page = walk.page
    assert page.locator(".tl-gen").count() == 1
    walk.click("loop-dial-measure")
    page.locator("#loop-dial-picture svg").first.wait_for(timeout=LONG)
    page.locator("#loop-dial-use").wait_for()
    page.locator("#loop-strength input[type=number]").fill("0.75")
    page.locator("#loop-strength input[type=number]").press("Tab")
    walk.sees("#loop-dial-use", r"Use strength 0\.75")
    walk.click("loop-dial-use")
    page.locator(".tl-gen").nth(1).click()  # the chosen one stays until another is picked
    walk.sees("#loop-chosen", r"tuned at 0\.75")
    assert walk.errors == []
    assert walk.foreign == []


@pytest.mark.parametrize("width", [390, 1600])
def test_dial_fits_the_window(walk, width):
    page = walk.page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(FITS)
