"""The tutorial of the guide, step by step as it is written, with real training on a tiny model."""

import csv
import json
import re

import pytest

from tests import letter_model
from tests.browser.walk import LONG, Walk, environment
from tests.conftest import REPO
from tests.serving import serving

pytestmark = pytest.mark.browser
TUTORIAL = REPO / "ui" / "guide" / "tutorial.md"


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """`tuneloop serve` on an empty data folder: (address, the CSV file of the tutorial)."""
    folder = tmp_path_factory.mktemp("tutorial")
    letter_model.write_data(folder)
    base = letter_model.taught(tiny_model, folder / "library_faq.jsonl")
    table = folder / "my_faq.csv"
    rows = [json.loads(line) for line in (folder / "library_faq.jsonl").read_text().splitlines()]
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        writer.writerows((row["prompt"], row["completion"]) for row in rows)
    with serving(environment(folder / "home", base), folder / "serve.log") as served:
        yield served.url, table


def add_your_file(walk, table):
    walk.click("home-own")
    walk.page.locator("#data-file input[type=file]").set_input_files(table)
    walk.sees("#data-report", "288")
    walk.sees("#data-preview", "say")
    walk.click("data-add")
    walk.page.get_by_text("In this project").first.wait_for()


def train_a_first_model(walk, _table):
    walk.tab("Training")
    walk.train("sft", "First model", "0.003")


def look_at_the_scores(walk, _table):
    walk.tab("Evaluation")
    walk.click("evaluate-start")
    assert "interval" in walk.sees("#evaluate-sentences", "held-out", LONG)


def rate_answers(walk, _table):
    walk.start_round("Collect preferences for training")
    assert walk.rate_all() >= 20


def train_on_the_votes(walk, _table):
    walk.click("rate-make")
    walk.sees("#rate-made", "pairs")
    walk.click("rate-train")
    walk.page.locator("#dpo-start").wait_for()
    walk.rest()
    walk.train("dpo", "From votes", "0.002")


def blind_test(walk, _table):
    walk.start_round("Blind test of two models", anyway=True)
    assert walk.rate_all() > 0


def read_the_verdict(walk, _table):
    walk.click("rate-close")
    walk.click("rate-close-yes")
    assert "interval" in walk.sees("#rate-outcome", "interval")
    walk.tab("Loop")
    walk.sees(".tabitem:visible", "From votes")


STEPS = {
    "Add your file": add_your_file,
    "Train a first model": train_a_first_model,
    "Look at the scores": look_at_the_scores,
    "Rate answers": rate_answers,
    "Train on the votes": train_on_the_votes,
    "Test it blind": blind_test,
    "Read the verdict": read_the_verdict,
}


def test_tutorial_leads_from_a_csv_file_to_a_verdict(chromium, server):
    address, table = server
    written = re.findall(r"^## \d+\. (.+)$", TUTORIAL.read_text("utf-8"), re.M)
    assert written == list(STEPS)
    walk = Walk(chromium, address)
    try:
        for title in written:
            STEPS[title](walk, table)
        assert (walk.errors, walk.foreign) == ([], [])
    finally:
        walk.page.close()


def test_every_label_that_the_tutorial_names_is_on_the_page():
    """Words in bold are labels; each stands in the source of the pages."""
    labels = re.findall(r"\*\*([^*]+)\*\*", TUTORIAL.read_text("utf-8").replace("\n", " "))
    pages = " ".join(path.read_text("utf-8") for path in (REPO / "ui").rglob("*.py"))
    assert len(labels) > 12
    assert [label for label in labels if f'"{label}"' not in pages] == []
