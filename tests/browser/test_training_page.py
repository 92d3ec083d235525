"""The Training page in a browser: empty page to trained model, and the hints before."""

import re
import zipfile

import pytest

from tests.browser.test_walk import LONG, Walk, server

pytestmark = pytest.mark.browser
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"
__all__ = ["server"]  # the same server, with a workspace of its own for this module


@pytest.fixture(scope="module")
def walk(chromium, server):
    one = Walk(chromium, server[0])
    yield one
    one.page.close()


def test_sample_data_becomes_a_model_in_four_clicks(walk):
    page = walk.page
    walk.click("home-own")
    walk.click("data-sample")
    page.get_by_text("In this project").first.wait_for()
    page.get_by_role("tab", name="Training", exact=True).click()
    walk.sees("#sft-estimate", "it fits")
    walk.click("sft-start")
    walk.sees("#runs-top", "SFT on")
    page.locator("#runs-top .tl-badge", has_text="done").first.wait_for(timeout=LONG)
    assert walk.errors == []
    assert walk.foreign == []


def test_run_leaves_as_a_folder_that_trains_without_tuneloop(walk, tmp_path):
    walk.page.locator("#runs-leave").get_by_text("Use this run elsewhere").click()
    link = walk.page.locator("#runs-leave a[href$='/eject']")
    with walk.page.expect_download() as loading:
        link.click()
    loading.value.save_as(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as packed:
        assert packed.testzip() is None
        names = {name.rpartition("/")[2] for name in packed.namelist()}
    assert {"README.md", "requirements.txt", "train.py"} <= names


def test_file_of_axolotl_fills_the_form_and_lists_what_has_no_equal(walk, tmp_path):
    walk.tab("Training")
    file = tmp_path / "config.yaml"
    file.write_text("base_model: a/b\nadapter: lora\nlearning_rate: 0.0007\nodd_key: 1\n")
    walk.page.locator("#train-import").get_by_text("Settings from").click()
    walk.page.locator("#train-import-file input[type=file]").set_input_files(str(file))
    assert "odd_key" in walk.sees("#train-import-report", "No equal")
    walk.sees("#sft-estimate", "it fits")
    walk.page.wait_for_function(
        "() => document.querySelector('#sft-learning_rate input').value === '0.0007'"
    )
    for width in (390, 1600):
        walk.page.set_viewport_size({"width": width, "height": 1000})
        walk.page.wait_for_function(FITS)


def test_estimate_follows_the_form_and_a_wrong_field_stops_the_start(walk):
    walk.tab("Training")
    walk.sees("#sft-estimate", "it fits")
    walk.page.locator("#sft-preset").get_by_text("Thorough", exact=True).click()
    walk.sees("#sft-preset-words", "stops early")
    assert walk.page.locator("#sft-num_train_epochs input").input_value() == "4"
    walk.page.locator("#sft-tunings [data-pick=full]").click()
    walk.sees("#sft-as-yaml, #sft-tunings [data-pick=full][aria-pressed=true]", "All weights")
    walk.page.locator("#sft-more").get_by_text("More options").click()
    walk.fill("sft-learning_rate", "7")
    assert "learning_rate" in walk.sees("#sft-estimate [role=alert]", "learning_rate")
    assert walk.page.locator("#sft-start").is_disabled()
    walk.fill("sft-learning_rate", "0.001")
    walk.sees("#sft-estimate", "it fits")
    assert walk.page.locator("#sft-start").is_enabled()


def test_method_without_data_links_to_the_rating_page(walk):
    walk.page.locator("#train-method [data-pick=dpo]").click()
    walk.page.locator("#dpo-go").click()
    tab = walk.page.get_by_role("tab", name="Rating", exact=True)
    tab.and_(walk.page.locator("[aria-selected=true]")).wait_for()


def test_reward_by_rule_needs_no_reward_model(walk):
    walk.tab("Training")
    walk.page.locator("#train-method [data-pick=grpo]").click()
    walk.sees("#grpo-estimate", "sampled answers")
    said = walk.page.locator("#grpo-reward input").input_value()
    assert said == "Rule: At most 50 words"  # the newest data are prompts without answers


def test_stopped_training_resumes_from_its_checkpoint(walk):
    """Stopped after its first checkpoint, continued from the Jobs page, and ended with a model."""
    page = walk.page
    walk.tab("Training")
    page.locator("#train-method [data-pick=sft]").click()
    walk.fill("sft-name", "Broken off")
    walk.fill("sft-num_train_epochs", "60")  # long enough for two stops
    walk.sees("#sft-estimate", "it fits")
    walk.click("sft-start")
    walk.sees("#runs-top", "Broken off")
    walk.sees("#runs-top", "best held-out loss", LONG)  # so there is a checkpoint
    walk.click("runs-stop")
    walk.click("runs-stop-yes")
    page.locator("#runs-top .tl-badge", has_text="stopped").wait_for(timeout=LONG)
    walk.sees("#runs-top", "no model was made. It can resume")
    walk.click("runs-resume")
    note = walk.sees("#runs-top", r"Goes on from step \d+ of Broken off")
    step = int(re.search(r"from step (\d+)", note)[1])
    page.locator("#runs-log").get_by_text("Log", exact=True).click()
    walk.sees("#runs-log", f"Going on from the checkpoint of step {step}", LONG)
    walk.click("runs-keep")
    page.locator("#runs-top .tl-badge", has_text="done").wait_for(timeout=LONG)
    said = walk.sees("#runs-top", "Steps")
    assert int(re.search(r"Steps\s+([\d,]+)", said)[1].replace(",", "")) >= step
    named = page.locator("#runs-list b", has_text=re.compile("^Broken off$"))
    assert named.count() == 2  # its evaluation bears the name too, and more
    assert page.locator("#runs-next").is_visible()
    assert walk.errors == []


@pytest.mark.parametrize("width", [390, 1600])
def test_training_page_fits_with_everything_open(walk, width):
    walk.page.set_viewport_size({"width": width, "height": 900})
    walk.rest()
    assert walk.page.evaluate("document.documentElement.scrollWidth") <= width
